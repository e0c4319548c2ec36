"""Samples of regular series as a matrix: rows of one interval by columns of series.

What is asked of whole windows (`avg_over_time`, `changes`, `predict_linear`) is
then arithmetic on rows, which lie side by side in memory, and neighbouring
windows share them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from controlplane.clock import Duration
from controlplane.model.samples import Mask, Refs, Times, Values

# Added to the distance, so that untouched memory (zero) means a hole.
BIAS: Final = 2**30

Distances = npt.NDArray[np.int32]
# Rows of a lattice, an entry for each window and series.
Rows = npt.NDArray[np.int32]
_Table = TypeVar("_Table", Rows, Values)


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Samples of n series in m rows, and k windows of each series.

    `values` (m, n) mean something where `there` is set (None: everywhere), and
    only within the windows: `low` and `high` (k, n) are the first row and the
    one after the last. The instant of a sample is `nominal` of its row plus
    `phases` of its column plus its distance from that (biased).
    """

    values: Values
    distances: Distances
    there: Mask | None
    interval: Duration
    nominal: Times
    phases: Times
    low: Rows
    high: Rows

    def times(self, row: int) -> Times:
        """Return the instants of the samples of one row, (n,)."""
        times: Times = self.distances[row] + (self.phases + (self.nominal[row] - BIAS))
        return times

    def elapsed(self, since: int, row: int) -> Values:
        """Return the instants of one row from the nominal one of another on, (n,), in ms.

        The phase of each column is left out.
        """
        between = float(self.nominal[row] - self.nominal[since] - BIAS)
        elapsed: Values = self.distances[row] + between
        return elapsed

    def rows(self, window: int) -> Iterator[tuple[int, Mask | None]]:
        """Yield the rows of one window of all series, and which samples are in it (None: all)."""
        low, high = self.low[window], self.high[window]
        begin, end = int(low.min()), int(high.max())
        common = range(int(low.max()), int(high.min()))
        for row in range(begin, end):
            there = None if self.there is None else self.there[row]
            if row not in common:
                inside = (low <= row) & (high > row)
                there = inside if there is None else inside & there
            elif there is not None and there.all():
                there = None
            yield row, there

    def counts(self) -> Rows:
        """Return how many samples each window holds, (k, n)."""
        if self.there is None:
            return self.high - self.low
        running = np.zeros((len(self.values) + 1, self.values.shape[1]), dtype=np.int32)
        np.cumsum(self.there, axis=0, out=running[1:])
        counts: Rows = along(running, self.high) - along(running, self.low)
        return counts

    def firsts(self) -> Rows:
        """Return the row of each window's first sample, (k, n); where it is empty, any row."""
        if self.there is None:
            return np.minimum(self.low, len(self.values) - 1)
        following = np.empty(self.values.shape, dtype=np.int32)
        next_ = np.full(self.values.shape[1], len(self.values) - 1, dtype=np.int32)
        for row in range(len(self.values) - 1, -1, -1):
            next_ = following[row] = np.where(self.there[row], np.int32(row), next_)
        return along(following, np.minimum(self.low, len(self.values) - 1))

    def lasts(self) -> Rows:
        """Return the row of each window's last sample, (k, n); where it is empty, any row."""
        if self.there is None:
            return np.maximum(self.high - 1, 0)
        preceding = np.empty(self.values.shape, dtype=np.int32)
        last = np.zeros(self.values.shape[1], dtype=np.int32)
        for row in range(len(self.values)):
            last = preceding[row] = np.where(self.there[row], np.int32(row), last)
        return along(preceding, np.maximum(self.high - 1, 0))

    def newest(self) -> tuple[Rows, Mask]:
        """Return the row of each window's newest sample or marker, and where it is a sample."""
        filled = self.distances != 0
        rows = replace(self, there=None if filled.all() else filled).lasts()
        return rows, (rows >= self.low) & (self.high > self.low)

    def instants(self, rows: Rows) -> Times:
        """Return the instants of the samples in some rows, an entry a column, (k, n)."""
        times = rows * np.int64(self.interval)
        times += self.phases + (self.nominal[0] - BIAS)
        times += along(self.distances, rows)
        return times

    def before(self) -> Iterator[tuple[int, Values, Mask | None]]:
        """Yield each row but the first with the values of the samples before its own.

        The mask tells where there is a sample in the row and one before it.
        """
        known, last = None, self.values[0]
        if self.there is not None:
            known = self.there[0]
        for row in range(1, len(self.values)):
            if self.there is None or known is None:
                yield row, last, None
                last = self.values[row]
                continue
            here = self.there[row]
            yield row, last, here & known
            last = np.where(here, self.values[row], last)
            known = known | here


def along(table: _Table, rows: Rows) -> _Table:
    """Return `table[rows[j, i], i]`, (k, n)."""
    width = table.shape[1]
    flat = np.ascontiguousarray(table).reshape(-1)
    columns = np.arange(width)
    found = cast(_Table, np.empty(rows.shape, dtype=table.dtype))
    for window in range(len(rows)):
        np.take(flat, rows[window] * np.int64(width) + columns, out=found[window])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of regular series, from slot `base` on: values and distances (m, n).

    Distances are at most half an interval, so that an edge between two samples
    is found from the phase alone but where a sample lies near it.
    """

    base: int
    interval: Duration
    phases: Times
    values: Values
    distances: Distances

    def bounds(self, times: Times) -> Rows:
        """Return for each instant the row of the first sample after it, (k, n)."""
        farthest = self._farthest()
        bounds = np.empty((len(times), len(self.phases)), dtype=np.int32)
        known: dict[int, tuple[int, Rows, Refs]] = {}
        for place, time in enumerate(times.tolist()):
            residue = time % self.interval
            if residue not in known:
                slots = (time - self.phases) // self.interval + 1
                gap = slots * self.interval + self.phases - time
                near = (gap <= farthest) | (self.interval - gap < farthest)
                rows = (slots - self.base).astype(np.int32)
                known[residue] = (time, rows, np.flatnonzero(near))
            origin, rows, near_ = known[residue]
            np.add(rows, (time - origin) // self.interval, out=bounds[place])
            if len(near_):
                bounds[place, near_] = self._looked_up(bounds[place, near_], near_, time)
        return bounds

    def bound_each(self, times: Times) -> Rows:
        """Return the row of the first sample after an instant of each series', (n,)."""
        slots = (times - self.phases) // self.interval + 1
        rows = (slots - self.base).astype(np.int32)
        return self._looked_up(rows, np.arange(len(rows)), times)

    def _looked_up(self, rows: Rows, cols: Refs, times: Times | int) -> Rows:
        """Move bounds by one row where a sample lies on the other side of its slot's middle."""
        return (
            rows
            + self._at_or_before(rows, cols, times)
            - self._after(rows - np.int32(1), cols, times)
        ).astype(np.int32)

    def _at_or_before(self, rows: Rows, cols: Refs, times: Times | int) -> Mask:
        filled, at = self._instants(rows, cols)
        return filled & (at <= times)

    def _after(self, rows: Rows, cols: Refs, times: Times | int) -> Mask:
        filled, at = self._instants(rows, cols)
        return filled & (at > times)

    def _instants(self, rows: Rows, cols: Refs) -> tuple[Mask, Times]:
        inside = (rows >= 0) & (rows < len(self.distances))
        distances = self.distances[np.where(inside, rows, 0), cols]
        at = (rows.astype(np.int64) + self.base) * self.interval + self.phases[cols]
        return inside & (distances != 0), at + (distances - np.int64(BIAS))

    def _farthest(self) -> int:
        """Return the greatest distance of a sample from its slot's nominal instant."""
        if not self.distances.size:
            return 0
        lowest, highest = int(self.distances.min()), int(self.distances.max())
        if lowest == 0:
            lowest = int(np.where(self.distances == 0, BIAS, self.distances).min())
        return max(BIAS - lowest, highest - BIAS, 0)
