"""What is done with a dashboard follows from what is wanted and what is there alone."""

from typing import Any

import pytest

from controlplane.grafana.difference import Action, decide, decide_surplus, holds
from controlplane.grafana.ports import Board, Held

PANEL = {"id": 1, "type": "stat", "title": "Down", "targets": [{"expr": "up"}]}


def board(folder: str = "f", **changes: Any) -> Board:
    """Return a dashboard, changed."""
    model = {"uid": "u", "title": "T", "tags": ["ours"], "panels": [PANEL], **changes}
    return Board("u", folder, model)


def held(provisioned: bool = False, folder: str = "f", **changes: Any) -> Held:
    """Return a dashboard as a Grafana has it."""
    return Held(board(folder, id=7, version=3, **changes), 3, provisioned)


def test_what_is_not_there_is_made() -> None:
    """Nothing there: create."""
    assert decide(board(), None, "ours").action is Action.CREATE


@pytest.mark.parametrize(
    "there",
    [
        held(),
        held(weekStart="", panels=[{**PANEL, "pluginVersion": "13.3.0"}]),
        held(provisioned=True),
    ],
)
def test_what_is_as_wanted_is_kept(there: Held) -> None:
    """Ids, versions and what a Grafana fills in are no difference."""
    change = decide(board(), there, "ours")
    assert (change.action, change.reasons) == (Action.KEEP, ())


@pytest.mark.parametrize(
    ("there", "reasons"),
    [
        (held(title="Old"), ("title",)),
        (held(folder=""), ("folder: none -> f",)),
        (held(panels=[]), ("panel + Down",)),
        (held(panels=[PANEL, {**PANEL, "title": "More"}]), ("panel - More",)),
        (held(panels=[{**PANEL, "targets": [{"expr": "1"}]}]), ("panel ~ Down",)),
    ],
)
def test_a_difference_is_named(there: Held, reasons: tuple[str, ...]) -> None:
    """An update says what differs: fields by name, panels by title."""
    change = decide(board(), there, "ours")
    assert (change.action, tuple(change.reasons)) == (Action.UPDATE, reasons)


def test_the_order_of_panels_is_a_difference() -> None:
    """Two panels that changed places are seen; panels of folded rows are too."""
    other = {**PANEL, "title": "Up"}
    change = decide(board(panels=[PANEL, other]), held(panels=[other, PANEL]), "ours")
    assert change.reasons == ("order of the panels",)
    row = {"type": "row", "title": "R", "panels": [PANEL]}
    fewer = {"type": "row", "title": "R", "panels": []}
    change = decide(board(panels=[row]), held(panels=[fewer]), "ours")
    assert "panel + Down" in change.reasons


def test_what_is_not_ours_is_not_overwritten() -> None:
    """A dashboard with our uid and without our tag is somebody's: refused."""
    change = decide(board(), held(tags=["theirs"]), "ours")
    assert change.action is Action.REFUSE
    assert "not ours" in change.reasons[0]


def test_what_a_file_provides_is_left_alone() -> None:
    """A provisioned dashboard that differs cannot be changed here, and cannot be deleted."""
    assert decide(board(), held(provisioned=True, title="Old"), "ours").action is Action.LEAVE
    assert decide_surplus(held(provisioned=True)).action is Action.LEAVE
    assert decide_surplus(held()).action is Action.DELETE


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([1, 2], [1], False),
        ([{"a": 1, "b": 1}], [{"a": 1}], True),
        (1, 1.0, True),
        (None, [], False),
    ],
)
def test_holding(there: object, wanted: object, same: bool) -> None:
    """All that is wanted must be there; lists must be as long."""
    assert holds(there, wanted) is same
