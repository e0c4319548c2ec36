"""Where a request may be cut, in which order its parts are sent, and how often."""

from collections.abc import Mapping

import numpy as np
import pytest

from controlplane.model.samples import Refs
from controlplane.tsdb.remote.parts import MOST_REQUESTS, Parts
from controlplane.tsdb.sift import Batch

_ROWS = 20


def batch(targets: int, ticks: int, apart: int = 7) -> Batch:
    """Return the log of targets that are written `apart` milliseconds from one another."""
    series = targets * _ROWS
    refs = np.tile(np.arange(series), ticks)
    times = np.repeat(np.arange(ticks) * 1000, series) + refs // _ROWS * apart
    return Batch(refs, times, np.zeros(len(refs)))


class Strict:
    """Takes a part only when each sample of it is newer than all before of its series."""

    def __init__(self, log: Batch, newest: Mapping[int, int]) -> None:
        self.newest = dict(newest)
        self.asked: list[list[int]] = []
        self.taken = 0
        self._log = log

    def takes(self, places: Refs) -> bool:
        """Take a part, or nothing of it."""
        self.asked.append(sorted(places.tolist()))
        after = dict(self.newest)
        for ref, time in zip(self._log.refs[places], self._log.times[places], strict=True):
            if time <= after.get(ref, -1):
                return False
            after[ref] = time
        self.newest = after
        self.taken += len(places)
        return True

    def get(self, log: Batch) -> None:
        """Be sent everything, as a sender does."""
        parts = Parts(log, np.arange(len(log)))
        while (part := parts.next()) is not None:
            part = part[np.argsort(log.refs[part], kind="stable")]
            taken = self.takes(part)
            if taken or not parts.divisible(part):
                parts.done(taken=taken)
            else:
                parts.divide(part)
        assert parts.left == 0


def late(targets: Mapping[int, int]) -> dict[int, int]:
    """Return the newest instant of each series of targets, of which the newest is given."""
    return {
        ref: newest
        for target, newest in targets.items()
        for ref in range(target * _ROWS, (target + 1) * _ROWS)
    }


def test_what_is_taken_at_once_is_sent_once() -> None:
    """Nothing is divided without need."""
    log = batch(5, 2)
    receiver = Strict(log, {})
    receiver.get(log)
    assert receiver.asked == [list(range(len(log)))]


@pytest.mark.parametrize("apart", [0, 7])
@pytest.mark.parametrize("place", [0, 613, 1999])
def test_one_late_series_costs_itself_alone(apart: int, place: int) -> None:
    """Wherever it is, and whether or not targets can be told apart."""
    log = batch(100, 1, apart)
    receiver = Strict(log, {place: 1 << 40})
    receiver.get(log)
    assert receiver.taken == 1999
    assert len(receiver.asked) <= 30


def test_ten_late_targets_among_a_hundred_cost_themselves_alone() -> None:
    """Cuts are made between targets first: they share their fate."""
    log = batch(100, 1)
    receiver = Strict(log, late(dict.fromkeys(range(3, 100, 10), 1 << 40)))
    receiver.get(log)
    assert receiver.taken == 90 * _ROWS
    assert len(receiver.asked) <= 1 + MOST_REQUESTS


def test_a_series_is_never_overtaken_by_itself() -> None:
    """Of a backlog whose beginning is late all that is not late arrives, in order."""
    log = batch(3, 6)
    receiver = Strict(log, {25: 2_500})
    receiver.get(log)
    # Instants 0, 1000 and 2000 of that series came too late.
    assert receiver.taken == len(log) - 3


def test_what_is_late_as_a_whole_is_given_up_within_the_bound() -> None:
    """Each sample is in a part that was refused and not divided."""
    log = batch(100, 1)
    receiver = Strict(log, late(dict.fromkeys(range(100), 1 << 40)))
    receiver.get(log)
    assert receiver.taken == 0
    assert len(receiver.asked) == 1 + MOST_REQUESTS
    assert max(map(len, receiver.asked[-MOST_REQUESTS // 2 :])) <= 2 * _ROWS


def test_a_lone_sample_is_not_divided() -> None:
    """There is nothing to cut."""
    log = batch(1, 1)
    receiver = Strict(log, late({0: 1 << 40}))
    receiver.get(log)
    assert len(receiver.asked) == 2 * _ROWS - 1
    assert not Parts(log, np.arange(1)).divisible(np.arange(1))


def test_what_was_left_out_is_done_with() -> None:
    """Only what was sent of a part is sent again, and the account tells so."""
    log = batch(2, 1)
    parts = Parts(log, np.arange(len(log)))
    assert (parts.left, parts.whole) == (2 * _ROWS, True)
    parts.divide(np.arange(5, 30))
    assert (parts.left, parts.whole) == (25, False)
    first = parts.next()
    assert first is not None
    assert first.tolist() == list(range(5, _ROWS))
