"""The alert state machine: each transition, and what holds for any course of events."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.rules.state import RESOLVED_RETENTION, AlertState, RuleAlert, Seen, step

T0 = 1_700_000_000_000
MINUTE = 60_000
LABELS = Labels({"alertname": "Down", "instance": "a"})
SEEN = Seen(1.0, Labels({"summary": "down"}))


def follow(
    course: list[bool], *, hold: int = 0, keep: int = 0, interval: int = MINUTE
) -> list[RuleAlert | None]:
    """Return the alert after each pass, an interval apart; True is seen."""
    alert: RuleAlert | None = None
    after = []
    for number, seen in enumerate(course):
        ts = T0 + number * interval
        alert = step(alert, LABELS, SEEN if seen else None, ts, hold=hold, keep_firing_for=keep)
        after.append(alert)
    return after


def states(course: str, **options: int) -> str:
    """Return the states after each pass of `x` (seen) and `-`: n, p, f, r for none to resolved."""
    names = {None: "n", AlertState.PENDING: "p", AlertState.FIRING: "f", AlertState.INACTIVE: "r"}
    alerts = follow([char == "x" for char in course], **options)
    return "".join(names[alert.state if alert else None] for alert in alerts)


@pytest.mark.parametrize(
    ("course", "hold", "keep", "expected"),
    [
        ("-x", 0, 0, "nf"),
        ("xxx", 2, 0, "ppf"),
        ("xx-xxx", 2, 0, "ppnppf"),
        ("x-x", 0, 0, "frf"),
        ("xxx-xxx", 2, 0, "ppfrppf"),
        ("x----", 0, 2, "fffrr"),
        ("x-x--", 0, 2, "fffff"),
        ("x-x---", 0, 2, "fffffr"),
        ("xx-", 1, 1, "pff"),
        ("x-", 2, 9, "pn"),
    ],
)
def test_courses(course: str, hold: int, keep: int, expected: str) -> None:
    """`for` and `keep_firing_for`, in minutes, as upstream moves through the states."""
    assert states(course, hold=hold * MINUTE, keep=keep * MINUTE) == expected


def test_a_resolved_alert_is_remembered_for_fifteen_minutes() -> None:
    """Its end is told more than once; then it is forgotten."""
    after = follow([True] + [False] * 18)
    assert [alert is not None for alert in after] == [True] * 17 + [False] * 2
    assert after[1] is not None
    assert after[1].resolved_at == T0 + MINUTE
    assert RESOLVED_RETENTION == 15 * MINUTE


def test_firing_again_is_a_new_alert() -> None:
    """A resolved alert that is seen again starts with clocks of its own."""
    again = follow([True, False, True])[2]
    assert again is not None
    assert (again.active_at, again.fired_at, again.resolved_at) == (
        T0 + 2 * MINUTE,
        T0 + 2 * MINUTE,
        0,
    )


def test_a_longer_for_makes_a_firing_alert_wait() -> None:
    """After a reload with a longer `for` the alert is pending until that has passed."""
    firing = follow([True])[0]
    ts = T0 + MINUTE
    pending = step(firing, LABELS, SEEN, ts, hold=5 * MINUTE, keep_firing_for=0)
    assert pending is not None
    assert (pending.state, pending.active_at, pending.fired_at) == (AlertState.PENDING, T0, 0)


def test_value_and_annotations_follow_the_expression() -> None:
    """An active alert shows what the last pass saw."""
    first = follow([True])[0]
    later = Seen(7.0, Labels({"summary": "worse"}))
    alert = step(first, LABELS, later, T0 + 1, hold=0, keep_firing_for=0)
    assert alert is not None
    assert (alert.value, alert.annotations, alert.fired_at) == (7.0, later.annotations, T0)


def test_nothing_new_gives_the_same_object() -> None:
    """A pass that changes nothing costs nothing."""
    first = follow([True])[0]
    assert step(first, LABELS, SEEN, T0 + 1, hold=0, keep_firing_for=0) is first


def test_after_a_restart_an_absence_says_nothing_for_a_while() -> None:
    """A restored alert stays as it was until its inputs can have been measured again."""
    restored = RuleAlert(
        LABELS,
        SEEN.annotations,
        1.0,
        AlertState.FIRING,
        active_at=T0,
        fired_at=T0,
        unconfirmed_until=T0 + 2 * MINUTE,
    )
    assert step(restored, LABELS, None, T0 + MINUTE, hold=0, keep_firing_for=0) is restored
    ended = step(restored, LABELS, None, T0 + 2 * MINUTE, hold=0, keep_firing_for=0)
    assert ended is not None
    assert ended.state is AlertState.INACTIVE
    seen = step(restored, LABELS, SEEN, T0 + MINUTE, hold=0, keep_firing_for=0)
    assert seen is not None
    assert seen.unconfirmed_until == 0


def test_a_clock_that_is_set_back_neither_resolves_nor_waits_for_ever() -> None:
    """A firing alert goes on firing; a pending one waits anew, not for the hour as well."""
    hour = 60 * MINUTE
    firing = follow([True])[0]
    alert = step(firing, LABELS, SEEN, T0 - hour, hold=0, keep_firing_for=0)
    assert alert is not None
    assert alert.state is AlertState.FIRING
    assert alert.needs_sending(T0 - hour, MINUTE)
    pending = follow([True], hold=MINUTE)[0]
    waiting = step(pending, LABELS, SEEN, T0 - hour, hold=MINUTE, keep_firing_for=0)
    fired = step(waiting, LABELS, SEEN, T0 - hour + MINUTE, hold=MINUTE, keep_firing_for=0)
    assert fired is not None
    assert fired.state is AlertState.FIRING


def test_when_an_alert_is_sent() -> None:
    """Never pending; at once when it fires or ends; then each resend delay."""
    pending = follow([True], hold=MINUTE)[0]
    firing = follow([True])[0]
    assert pending is not None
    assert firing is not None
    assert not pending.needs_sending(T0 + 10 * MINUTE, MINUTE)
    assert firing.needs_sending(T0, MINUTE)
    sent = replace(firing, last_sent_at=T0)
    assert not sent.needs_sending(T0 + MINUTE, MINUTE)
    assert sent.needs_sending(T0 + MINUTE + 1, MINUTE)
    ended = replace(sent, state=AlertState.INACTIVE, resolved_at=T0 + 1)
    assert ended.needs_sending(T0 + 1, MINUTE)


@given(
    course=st.lists(st.booleans(), max_size=60),
    hold=st.integers(0, 5),
    keep=st.integers(0, 5),
)
def test_what_holds_for_any_course(course: list[bool], hold: int, keep: int) -> None:
    """Pending and firing agree with a definition written without any state.

    A run of passes begins where the alert was not active before. It fires once
    the run is `for` long, and lasts until it has not been seen for
    `keep_firing_for`.
    """
    alerts = follow(course, hold=hold * MINUTE, keep=keep * MINUTE)
    began: int | None = None
    unseen: int | None = None
    was_firing = False
    for number, seen in enumerate(course):
        if seen:
            began = number if began is None else began
            unseen = None
        elif was_firing:
            unseen = number if unseen is None else unseen
            if number - unseen >= keep:
                began, was_firing = None, False
        else:
            began = None
        if began is not None and number - began >= hold:
            was_firing = True
        alert = alerts[number]
        assert (alert is not None and alert.active) == (began is not None)
        if alert is not None and alert.active:
            assert began is not None
            assert (alert.state is AlertState.FIRING) == was_firing
            assert alert.active_at == T0 + began * MINUTE
            assert (alert.fired_at == 0) == (alert.state is AlertState.PENDING)


@given(course=st.lists(st.booleans(), max_size=60), hold=st.integers(0, 3))
def test_whatever_fired_is_resolved(course: list[bool], hold: int) -> None:
    """After a firing alert comes a resolved one, never nothing."""
    alerts = follow([*course, False], hold=hold * MINUTE)
    for before, after in pairwise(alerts):
        if before is not None and before.state is AlertState.FIRING:
            assert after is not None
    assert alerts[-1] is None or alerts[-1].state is AlertState.INACTIVE
