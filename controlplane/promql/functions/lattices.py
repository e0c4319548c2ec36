"""Functions of windows over a lattice: what `over_time` and `regression` compute, row by row.

Each takes a lattice of n series and k windows and gives values (k, n), equal to
what the same function gives for the samples one after the other.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from controlplane.model.samples import Mask, Times, Values
from controlplane.promql.functions import over_time, regression
from controlplane.promql.sums import RunningSum
from controlplane.tsdb.lattice import Lattice, along

# Integers up to here are added without rounding.
_EXACT: Final = 2**53

OfLattice = Callable[..., Values]


def _windows(lattice: Lattice) -> tuple[Values, range]:
    """Return room for the result, and the numbers of the windows."""
    return np.empty(lattice.low.shape), range(len(lattice.low))


def _values(lattice: Lattice, window: int, filling: float = 0.0) -> Iterator[Values]:
    """Yield the rows of one window, `filling` where there is no sample of it."""
    for row, there in lattice.rows(window):
        values = lattice.values[row]
        yield values if there is None else np.where(there, values, filling)


def count(lattice: Lattice) -> Values:
    return lattice.counts().astype(np.float64)


def present(lattice: Lattice) -> Values:
    return np.ones(lattice.low.shape)


def total(lattice: Lattice) -> Values:
    totals, windows = _windows(lattice)
    for window in windows:
        running = RunningSum(totals.shape[1:])
        for values in _values(lattice, window):
            running.add(values)
        totals[window] = running.total()
    return totals


def mean(lattice: Lattice) -> Values:
    """Return the mean; where a sum of finite values overflows, the sum of their shares."""
    sizes = np.maximum(lattice.counts(), 1)
    means: Values = total(lattice) / sizes
    for window in np.flatnonzero(~np.isfinite(means).all(axis=1)).tolist():
        running = RunningSum(means.shape[1:])
        for values in _values(lattice, window):
            running.add(values / sizes[window])
        shares = running.total()
        wild = ~np.isfinite(means[window]) & np.isfinite(shares)
        means[window] = np.where(wild, shares, means[window])
    return means


def least(lattice: Lattice) -> Values:
    return _folded(lattice, np.fmin)


def greatest(lattice: Lattice) -> Values:
    return _folded(lattice, np.fmax)


def _folded(lattice: Lattice, ufunc: np.ufunc) -> Values:
    results, windows = _windows(lattice)
    results.fill(np.nan)
    for window in windows:
        for values in _values(lattice, window, np.nan):
            ufunc(results[window], values, out=results[window])
    return results


def variance(lattice: Lattice) -> Values:
    """Return the population variance, by two compensated passes from the first value on."""
    results, windows = _windows(lattice)
    origins, sizes = along(lattice.values, lattice.firsts()), np.maximum(lattice.counts(), 1)
    for window in windows:
        origin, size = origins[window], sizes[window]
        sums, squares = (RunningSum(origin.shape) for _ in range(2))
        for values, there in _masked(lattice, window):
            sums.add(np.where(there, values - origin, 0.0))
        center = sums.total() / size
        for values, there in _masked(lattice, window):
            distance = values - origin - center
            squares.add(np.where(there, distance * distance, 0.0))
        results[window] = squares.total() / size
    return results


def deviation(lattice: Lattice) -> Values:
    spread: Values = np.sqrt(variance(lattice))
    return spread


def _masked(lattice: Lattice, window: int) -> Iterator[tuple[Values, Mask | bool]]:
    for row, there in lattice.rows(window):
        yield lattice.values[row], True if there is None else there


def changes(lattice: Lattice) -> Values:
    return _pairs(lattice, over_time.changed)


def resets(lattice: Lattice) -> Values:
    return _pairs(lattice, over_time.fell)


def _pairs(lattice: Lattice, differs: Callable[[Values, Values], Mask]) -> Values:
    """Count in how many neighbours of each window the later one differs from the earlier."""
    running = np.zeros(lattice.values.shape, dtype=np.int32)
    for row, before, both in lattice.before():
        flags = differs(before, lattice.values[row])
        np.add(running[row - 1], flags if both is None else flags & both, out=running[row])
    counted = along(running, lattice.lasts()) - along(running, lattice.firsts())
    return np.where(lattice.counts() > 0, counted, 0).astype(np.float64)


def slopes(lattice: Lattice) -> Values:
    """Return the slope per second of each window's line."""
    results, windows = _windows(lattice)
    lines = _Lines(lattice)
    for window in windows:
        results[window] = lines.of(window, None)[0]
    return results


def predicted(lattice: Lattice, seconds: Values, instants: Times) -> Values:
    """Return each line's value `seconds[j]` after `instants[j]`."""
    results, windows = _windows(lattice)
    lines = _Lines(lattice)
    for window in windows:
        slope, intercept = lines.of(window, int(instants[window]))
        results[window] = slope * seconds[window] + intercept
    return results


class _Lines:
    """Straight lines by least squares.

    Times are whole milliseconds from the beginning of a window on, so that
    their sums need no compensation while they are below 2**53.
    """

    def __init__(self, lattice: Lattice) -> None:
        self._lattice = lattice
        self._counts = lattice.counts()
        self._first = along(lattice.values, lattice.firsts())

    def of(self, window: int, origin: int | None) -> tuple[Values, Values]:
        """Return slope (per second) and value at `origin` (None: of no interest)."""
        lattice, first = self._lattice, self._first[window]
        sum_y, sum_xy = (RunningSum(first.shape) for _ in range(2))
        sum_x, sum_xx = (self._sum_of_times(window) for _ in range(2))
        constant = np.ones(first.shape, dtype=np.bool_)
        begin = int(lattice.low[window].min())
        for row, there in lattice.rows(window):
            y, x = lattice.values[row], lattice.elapsed(begin, row)
            same = y == first
            if there is not None:
                y, x = np.where(there, y, 0.0), np.where(there, x, 0.0)
                same |= ~there
            constant &= same
            for running, term in ((sum_x, x), (sum_xx, x * x), (sum_y, y), (sum_xy, x * y)):
                running.add(term)
        n = np.maximum(self._counts[window], 1)
        x, y = sum_x.total(), sum_y.total()
        slope = (sum_xy.total() - x * y / n) / (sum_xx.total() - x * x / n)
        # Through an infinite value there is no line, whatever side of the origin it is on.
        slope = np.where(np.isfinite(y), slope, np.nan)
        slope, level = regression.flattened(slope, y / n, first, constant)
        if origin is None:
            return slope * 1000.0, level
        ahead = origin - lattice.nominal[begin] - lattice.phases - x / n
        return slope * 1000.0, np.where(constant, level, level + slope * ahead)

    def _sum_of_times(self, window: int) -> "RunningSum | _PlainSum":
        low, high = int(self._lattice.low[window].min()), int(self._lattice.high[window].max())
        shape = self._first[window].shape
        if high <= low:
            return _PlainSum(shape)
        nominal = self._lattice.nominal
        span = 2 * int(nominal[high - 1] - nominal[low]) + 1
        return _PlainSum(shape) if span * span * (high - low) < _EXACT else RunningSum(shape)


class _PlainSum:
    """A sum of what needs no compensation."""

    __slots__ = ("_sum",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape)

    def add(self, values: Values) -> None:
        self._sum += values

    def total(self) -> Values:
        return self._sum


# What computes the same as a function of windows.
OF_LATTICE: Final[dict[Callable[..., Values], OfLattice]] = {
    over_time.changes: changes,
    over_time.count: count,
    over_time.deviation: deviation,
    over_time.greatest: greatest,
    over_time.least: least,
    over_time.mean: mean,
    over_time.present: present,
    over_time.resets: resets,
    over_time.total: total,
    over_time.variance: variance,
    regression.predicted: predicted,
    regression.slopes: slopes,
}
