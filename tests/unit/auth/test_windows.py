"""Sliding windows of one process, at instants that the test chooses."""

import pytest

from controlplane.auth.limits import WINDOW
from controlplane.auth.windows import Windows
from tests.support.clock import ManualClock

START = 1_000 * WINDOW


def windows(keys: int = 1_000) -> Windows:
    return Windows(ManualClock(START), keys)


def used(counting: Windows, count: int, now: int, limit: int = 10) -> int:
    """Send so many requests at once; return how many were allowed."""
    return sum(counting.count("somebody", limit, now).allowed for _ in range(count))


def test_so_many_are_allowed_and_no_more() -> None:
    """What remains is told with each, and when more will be with the first that is refused."""
    counting = windows()
    told = [counting.count("somebody", 3, START + 10_000) for _ in range(4)]
    assert [each.allowed for each in told] == [True, True, True, False]
    assert [each.remaining for each in told] == [2, 1, 0, 0]
    assert told[3].reset == 50.0


def test_the_window_slides() -> None:
    """A quarter into the next window three quarters of the last one count still."""
    counting = windows()
    assert used(counting, 20, START) == 10
    assert used(counting, 20, START + WINDOW) == 0
    assert used(counting, 20, START + WINDOW + WINDOW // 4) == 2
    assert used(counting, 20, START + 3 * WINDOW) == 10


@pytest.mark.parametrize("elapsed", [0, 1, 15_000, 59_999])
def test_there_is_room_when_it_was_said(elapsed: int) -> None:
    """Who comes back after the time that a refusal names is allowed once more."""
    counting = windows()
    used(counting, 10, START)
    used(counting, 20, START + WINDOW + elapsed)
    now = START + WINDOW + elapsed
    refused = counting.count("somebody", 10, now)
    assert not refused.allowed
    assert 0 < refused.reset <= 60
    assert counting.count("somebody", 10, now + round(refused.reset * 1000) + 1).allowed


def test_each_key_has_a_window_of_its_own() -> None:
    """One who asks too often is in nobody's way."""
    counting = windows()
    used(counting, 20, START)
    assert counting.count("another", 10, START).allowed


def test_refused_requests_do_not_count() -> None:
    """Who goes on asking is not kept out for longer."""
    counting = windows()
    used(counting, 1_000, START)
    assert used(counting, 20, START + WINDOW + WINDOW // 2) == 5


def test_keys_are_bounded_and_forgotten() -> None:
    """Beyond so many keys nobody new is counted, until a window later."""
    counting = windows(keys=2)
    for key in ("a", "b"):
        assert counting.count(key, 1, START).allowed
    assert [counting.count("c", 1, START).allowed for _ in range(2)] == [True, True]
    assert not counting.count("a", 1, START).allowed
    later = START + 2 * WINDOW
    assert [counting.count("c", 1, later).allowed for _ in range(2)] == [True, False]


def test_a_clock_that_goes_back_begins_anew() -> None:
    """Nothing breaks, and nobody is kept out."""
    counting = windows()
    used(counting, 10, START)
    assert used(counting, 1, START - 5 * WINDOW) == 1
