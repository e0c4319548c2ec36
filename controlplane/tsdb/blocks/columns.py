"""The distinct columns of instants of one slice of time, numbered as they come."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

import numpy as np

from controlplane.model.samples import Mask, Refs, Times
from controlplane.tsdb.blocks.integers import flat
from controlplane.tsdb.blocks.pages import TimePage
from controlplane.tsdb.runs import Samples

PAGE_SAMPLES: Final = 65_536
_MIX: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))


class TimeColumns:
    """Gives each series the number of its column; hands full pages to `write`."""

    def __init__(self, write: Callable[[int, TimePage], None]) -> None:
        self._write = write
        self._known: dict[bytes, int] = {}
        self._waiting: list[Times] = []
        self._first = 0
        self._size = 0

    def add(self, samples: Samples) -> Refs:
        """Return the number of each series' column; none of the series is empty."""
        times, offsets = samples.times, samples.offsets
        likely, alike = _groups(times, offsets)
        found = np.empty(len(alike), dtype=np.int64)
        numbers = [self._number(times[offsets[i] : offsets[i + 1]]) for i in likely.tolist()]
        found[:] = np.array(numbers, dtype=np.int64)[alike]
        for i in np.flatnonzero(~_equal(times, offsets, likely[alike])).tolist():
            found[i] = self._number(times[offsets[i] : offsets[i + 1]])
        return found

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            sizes = [len(column) for column in self._waiting]
            offsets = np.concatenate(([0], np.cumsum(sizes)))
            self._write(self._first, TimePage(np.concatenate(self._waiting), offsets))
            self._first += len(self._waiting)
            self._waiting, self._size = [], 0

    def _number(self, column: Times) -> int:
        digest = blake2b(column.tobytes(), digest_size=16).digest()
        number = self._known.get(digest)
        if number is None:
            number = self._known[digest] = len(self._known)
            self._waiting.append(column)
            self._size += len(column)
            if self._size >= PAGE_SAMPLES:
                self.flush()
        return number


def _groups(times: Times, offsets: Refs) -> tuple[Refs, Refs]:
    """Return one series of each group that is likely to have the same instants, and for
    each series its group.
    """
    mixed = times.view(np.uint64) * _MIX[0]
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX[1]
    sums = np.add.reduceat(mixed ^ (mixed >> np.uint64(32)), offsets[:-1])
    _, first, group = np.unique(sums, return_index=True, return_inverse=True)
    return first.astype(np.int64), group


def _equal(times: Times, offsets: Refs, models: Refs) -> Mask:
    """Tell which series have exactly the instants of their models."""
    counts = np.diff(offsets)
    alike: Mask = counts == counts[models]
    begins = np.where(alike, offsets[models], offsets[:-1])
    same = times[flat(begins, counts)] == times
    alike &= np.logical_and.reduceat(same, offsets[:-1])
    return alike
