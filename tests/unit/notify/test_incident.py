"""When a receiver is told, and what an incident becomes by it."""

import pytest

from controlplane.model.labels import Labels
from controlplane.notify.incident import (
    Incident,
    Reason,
    Told,
    needs_update,
    never_reached,
    on_claimed,
    on_closed,
    on_dead,
    on_delivered,
    on_queued,
    on_refused,
    repeat_elapsed,
    seen,
)

NOW = 1_700_000_000_000


def told(firing: str = "", resolved: str = "") -> Told:
    """Return a state whose alerts are named by single letters."""
    return Told(frozenset(firing), frozenset(resolved))


def incident() -> Incident:
    return Incident("i", "ops", "webhook/0", "{}:{}", Labels(), "{}:{}", NOW)


@pytest.mark.parametrize(
    ("before", "now_is", "send_resolved", "elapsed", "reason"),
    [
        (None, told("a"), True, False, Reason.FIRST),
        (None, told("", "a"), True, True, Reason.NOTHING_NEW),
        (None, told(), True, False, Reason.NOTHING_NEW),
        (told("a"), told("a"), True, False, Reason.NOTHING_NEW),
        (told("a"), told("a"), True, True, Reason.REPEAT),
        (told("a"), told("ab"), True, False, Reason.NEW_ALERTS),
        (told("ab"), told("a"), True, False, Reason.NOTHING_NEW),
        (told("ab"), told("a", "b"), True, False, Reason.NEW_RESOLVED),
        (told("ab"), told("a", "b"), False, False, Reason.NOTHING_NEW),
        (told("ab"), told("a", "b"), False, True, Reason.REPEAT),
        (told("a", "b"), told("a", "b"), True, False, Reason.NOTHING_NEW),
        (told("a"), told("", "a"), True, False, Reason.ALL_RESOLVED),
        (told("a"), told("", "a"), False, False, Reason.ALL_RESOLVED),
        (told("a"), told(), True, False, Reason.ALL_RESOLVED),
        (told("", "a"), told("", "a"), True, True, Reason.NOTHING_NEW),
        (told("", "a"), told("a"), True, False, Reason.FIRST),
        (told("a"), told("b", "a"), True, False, Reason.NEW_ALERTS),
    ],
)
def test_needs_update(
    before: Told | None, now_is: Told, send_resolved: bool, elapsed: bool, reason: Reason
) -> None:
    """The table of Alertmanager's DedupStage."""
    found = needs_update(before, now_is, send_resolved=send_resolved, repeat_elapsed=elapsed)
    assert found is reason


@pytest.mark.parametrize(
    ("before", "visible", "muted", "expected"),
    [
        (None, told("a"), told("b"), told("a")),
        (told("b"), told("a"), told("b"), told("ab")),
        (told("b"), told(), told("", "b"), told("", "b")),
        (told("a"), told(), told("c", "d"), told()),
    ],
)
def test_muted_alerts_stay_told_until_they_end(
    before: Told | None, visible: Told, muted: Told, expected: Told
) -> None:
    """What a receiver knows as firing stays so under a silence, and its end is told."""
    assert seen(before, visible, muted) == expected


def test_the_repeat_interval_counts_from_the_last_telling() -> None:
    """From the queueing while something is queued, else from the delivery."""
    assert not repeat_elapsed(None, 10, NOW)
    delivered = on_delivered(incident(), 1, told("a"), {}, NOW)
    assert not repeat_elapsed(delivered, 10, NOW + 10)
    assert repeat_elapsed(delivered, 10, NOW + 11)
    queued = on_queued(delivered, 2, told("ab"), NOW + 11)
    assert not repeat_elapsed(queued, 10, NOW + 12)


def test_the_log_holds_what_was_delivered_apart_from_what_is_queued() -> None:
    """Queueing changes what counts as told, and nothing of what was delivered."""
    row = on_queued(incident(), 1, told("a"), NOW)
    assert (row.delivered, row.told) == (None, told("a"))
    row = on_delivered(row, 1, told("a"), {"ts": "1"}, NOW + 5)
    assert (row.delivered, row.queued, row.external) == (told("a"), None, {"ts": "1"})
    row = on_queued(row, 2, told("ab"), NOW + 6)
    assert (row.delivered, row.told) == (told("a"), told("ab"))


def test_a_dead_letter_uncovers_what_was_delivered_before() -> None:
    """The next flush compares with that, so it tries again."""
    row = on_delivered(on_queued(incident(), 1, told("a"), NOW), 1, told("a"), {}, NOW)
    row = on_dead(on_queued(row, 2, told("ab"), NOW), 2, NOW, 100)
    assert (row.told, row.failures, row.retry_at) == (told("a"), 1, NOW + 100)
    older = on_queued(row, 4, told("abc"), NOW)
    assert on_dead(older, 3, NOW, 100) == older


def test_an_attempt_exposes_until_it_is_clearly_refused() -> None:
    """An unknown outcome counts as delivered when a resolve is decided."""
    row = on_queued(incident(), 1, told("a"), NOW)
    assert never_reached(row)
    begun = on_claimed(row, told("a"))
    assert not never_reached(begun)
    assert never_reached(on_refused(begun, told("a"), exposed_before=row.exposed))
    again = on_claimed(begun, told("a"))
    assert not never_reached(on_refused(again, told("a"), exposed_before=begun.exposed))
    assert on_claimed(row, told("", "a")) == row


def test_a_delivered_resolve_closes_unless_something_newer_waits() -> None:
    """With a newer trigger behind it the incident begins anew, its message forgotten."""
    row = on_delivered(incident(), 1, told("a"), {"ts": "1"}, NOW)
    resolving = on_queued(row, 2, told("", "a"), NOW)
    assert on_delivered(resolving, 2, told("", "a"), {}, NOW + 9).closed_at == NOW + 9
    refired = on_queued(resolving, 3, told("a"), NOW + 1)
    after = on_delivered(refired, 2, told("", "a"), {}, NOW + 9)
    assert (after.closed_at, after.delivered, after.told) == (None, None, told("a"))
    assert (after.external, after.opened_at, after.exposed) == ({}, NOW + 9, False)


def test_closing_without_a_message_leaves_nothing_queued() -> None:
    """A trigger that was never attempted goes together with its resolve."""
    row = on_closed(on_queued(incident(), 1, told("a"), NOW), NOW + 1)
    assert (row.queued, row.queued_id, row.closed_at) == (None, None, NOW + 1)
