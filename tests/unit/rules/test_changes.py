"""The log's lines about alerts, and what set an evaluation off."""

from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from controlplane.model.labels import Labels
from controlplane.rules.changes import tell_changes
from controlplane.rules.reactive import Watch
from controlplane.rules.state import AlertState, RuleAlert
from controlplane.tsdb.ports import Write
from tests.unit.rules.world import T0, World

_RULES = """
groups:
  - name: g
    interval: 1s
    rules:
      - alert: A
        expr: up == 0
"""


def alert(name: str, state: AlertState) -> RuleAlert:
    """Return an alert in a state."""
    return RuleAlert(Labels({"a": name}), Labels(), 1.0, state, T0)


def told(before: list[RuleAlert], after: list[RuleAlert]) -> list[tuple[str, str]]:
    """Return event and `a` of each line."""
    with capture_logs() as lines:
        tell_changes("f;g", "A", before, after)
    return [(line["event"], line["labels"]["a"]) for line in lines]


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        (None, AlertState.PENDING, "alert pending"),
        (None, AlertState.FIRING, "alert firing"),
        (AlertState.PENDING, AlertState.FIRING, "alert firing"),
        (AlertState.FIRING, AlertState.INACTIVE, "alert resolved"),
        (AlertState.INACTIVE, AlertState.PENDING, "alert pending"),
        (AlertState.PENDING, None, "alert inactive"),
    ],
)
def test_each_change_of_state_is_one_line(
    before: AlertState | None, after: AlertState | None, event: str
) -> None:
    """Pending, firing, resolved, and pending no more."""
    old = [] if before is None else [alert("x", before)]
    new = [] if after is None else [alert("x", after)]
    assert told(old, new) == [(event, "x")]


@pytest.mark.parametrize("state", list(AlertState))
def test_the_same_state_is_no_news(state: AlertState) -> None:
    """An alert that stays as it was, and a resolved one that is forgotten, give no line."""
    assert told([alert("x", state)], [alert("x", state)]) == []
    assert told([alert("x", AlertState.INACTIVE)], []) == []


def test_a_flood_of_changes_is_cut_short() -> None:
    """A hundred lines, then how many more."""
    many = [alert(str(number), AlertState.FIRING) for number in range(250)]
    with capture_logs() as lines:
        tell_changes("f;g", "A", [], many)
    assert len(lines) == 101
    assert (lines[-1]["event"], lines[-1]["number"]) == ("more alerts changed", 150)


def test_a_reactive_pass_names_the_ticks_that_it_reads() -> None:
    """Of a commit of several writes, those that the rules read are the cause."""
    world = World()
    watch = Watch(world.store, world.query)
    watch.watch([world.group(_RULES)])
    series = [{"__name__": "up", "a": "x"}, {"__name__": "other"}, {"__name__": "up", "a": "y"}]
    writes = [
        Write("t", T0, world.store.refs([Labels(each)]), np.zeros(1), f"tick{number}")
        for number, each in enumerate(series)
    ]
    world.store.append(writes)
    assert watch.note(writes)
    (concerned,) = watch.take()
    assert concerned.cause == "tick0,tick2"
    assert watch.take() == []


def test_the_number_of_causes_is_bounded() -> None:
    """When very many targets answer at once, the first are named."""
    world = World()
    watch = Watch(world.store, world.query)
    watch.watch([world.group(_RULES)])
    names: list[Any] = [Labels({"__name__": "up", "a": str(number)}) for number in range(100)]
    refs = world.store.refs(names)
    writes = [Write("t", T0, refs[i : i + 1], np.zeros(1), f"tick{i}") for i in range(100)]
    world.store.append(writes)
    watch.note(writes)
    (concerned,) = watch.take()
    assert concerned.cause == ",".join(f"tick{number}" for number in range(16))
