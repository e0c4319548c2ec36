"""rate, increase and delta of many overlapping windows: one after the other over a lattice."""

from typing import Final

import numpy as np

from controlplane.clock import Duration
from controlplane.model.samples import Times, Values
from controlplane.promql.functions.rates import RateKind, growths
from controlplane.tsdb.lattice import Lattice, Rows, along
from controlplane.tsdb.ports import CounterWindows

# Whole numbers up to here are added and subtracted without rounding.
_EXACT: Final = 2.0**53


def rates(lattice: Lattice, ends: Times, *, width: Duration, kind: RateKind) -> Values:
    """Return the growth within each window, (k, n); `ends` (k,) are the windows' right edges."""
    firsts, lasts, counts = lattice.firsts(), lattice.lasts(), lattice.counts()
    results = np.empty(firsts.shape)
    lost = _Lost(lattice, firsts, lasts) if kind.counter else None
    # Window by window, so that what stands between two operations stays in the cache.
    for window, end in enumerate(ends.tolist()):
        first, last = firsts[window : window + 1], lasts[window : window + 1]
        before = along(lattice.values, first)[0]
        course = CounterWindows(
            before,
            along(lattice.values, last)[0],
            lattice.instants(first)[0],
            lattice.instants(last)[0],
            before if lost is None else lost.within(window),
            counts[window],
        )
        results[window] = growths(course, end, width, kind)
    return results


class _Lost:
    """The sum of the values before each decrease, for every window.

    Whole numbers are taken from running sums; others, whose differences would
    round, are added up within each window.
    """

    def __init__(self, lattice: Lattice, firsts: Rows, lasts: Rows) -> None:
        self._firsts, self._lasts = firsts, lasts
        self._drops: dict[int, Values] = {}
        for row, before, both in lattice.before():
            fell = lattice.values[row] < before
            if both is not None:
                fell &= both
            if fell.any():
                self._drops[row] = np.where(fell, before, 0.0)
        self._running = self._sums(lattice) if self._drops else None

    def within(self, window: int) -> Values:
        """Return what was lost after the first and up to the last sample of a window, (n,)."""
        first, last = self._firsts[window], self._lasts[window]
        if self._running is not None:
            low, high = first[None], np.maximum(first, last)[None]
            found: Values = along(self._running, high)[0] - along(self._running, low)[0]
            return found
        lost = np.zeros(len(first))
        begin, end = int(first.min()), int(last.max())
        for row in range(begin + 1, end + 1):
            drops = self._drops.get(row)
            if drops is not None:
                lost += np.where((first < row) & (last >= row), drops, 0.0)
        return lost

    def _sums(self, lattice: Lattice) -> Values | None:
        """Return the running sums, None where they are not exact."""
        table = np.zeros(lattice.values.shape)
        for row, drops in self._drops.items():
            table[row] = drops
        if not (table == np.trunc(table)).all():
            return None
        running: Values = np.cumsum(table, axis=0, out=table)
        return running if np.abs(running[-1]).max() < _EXACT and (running >= 0).all() else None
