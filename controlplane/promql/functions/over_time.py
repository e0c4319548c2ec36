"""`*_over_time`, changes, resets: a number for each window of samples.

Sums and variances run over the positions within the windows (the first samples
of all windows at once, then the second ones, ...), because their rounding must
not depend on how windows lie in memory; the rest are reductions of slices.
"""

from collections.abc import Iterator

import numpy as np

from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.aggregations.reducing import segment_quantiles
from controlplane.promql.frame import Windows
from controlplane.promql.functions.rates import segment_reduce
from controlplane.promql.sums import RunningSum


def counted(windows: Windows) -> Refs:
    return windows.high - windows.low


def _positions(windows: Windows) -> Iterator[tuple[Values, Mask]]:
    """Yield the value at each position of all windows, and which windows reach that far."""
    count = counted(windows)
    top = max(len(windows.values) - 1, 0)
    for position in range(int(count.max(initial=0))):
        reaches = count > position
        yield windows.values[np.minimum(windows.low + position, top)], reaches


def count(windows: Windows) -> Values:
    return counted(windows).astype(np.float64)


def present(windows: Windows) -> Values:
    return np.ones(windows.low.shape)


def last(windows: Windows) -> Values:
    return _at(windows.values, windows.high - 1)


def first(windows: Windows) -> Values:
    return _at(windows.values, windows.low)


def time_of_last(windows: Windows) -> Values:
    return _at(windows.times, windows.high - 1) / 1000.0


def time_of_first(windows: Windows) -> Values:
    return _at(windows.times, windows.low) / 1000.0


def _at(flat: Values | Refs, index: Refs) -> Values:
    if not len(flat):
        return np.zeros(index.shape)
    return flat[np.clip(index, 0, len(flat) - 1)].astype(np.float64)


def total(windows: Windows) -> Values:
    sums = RunningSum(windows.low.shape)
    for values, reaches in _positions(windows):
        sums.add(np.where(reaches, values, 0.0))
    return sums.total()


def mean(windows: Windows) -> Values:
    """Return the mean; where a sum of finite values overflows, the sum of their shares."""
    sizes = np.maximum(counted(windows), 1)
    means = total(windows) / sizes
    wild = ~np.isfinite(means)
    if wild.any():
        sums = RunningSum(windows.low.shape)
        for values, reaches in _positions(windows):
            sums.add(np.where(reaches, values / sizes, 0.0))
        shares = sums.total()
        means = np.where(wild & np.isfinite(shares), shares, means)
    return means


def variance(windows: Windows) -> Values:
    """Return the population variance, by two compensated passes.

    Values are taken from the window's first one on: of equal values the
    variance is exactly 0. One NaN or infinite value makes it NaN.
    """
    origin, sizes = first(windows), np.maximum(counted(windows), 1)
    sums, squares = RunningSum(origin.shape), RunningSum(origin.shape)
    for values, reaches in _positions(windows):
        sums.add(np.where(reaches, values - origin, 0.0))
    center = sums.total() / sizes
    for values, reaches in _positions(windows):
        distance = values - origin - center
        squares.add(np.where(reaches, distance * distance, 0.0))
    return squares.total() / sizes


def deviation(windows: Windows) -> Values:
    spread: Values = np.sqrt(variance(windows))
    return spread


def least(windows: Windows) -> Values:
    return segment_reduce(np.fmin, _padded(windows.values), windows.low, windows.high)


def greatest(windows: Windows) -> Values:
    return segment_reduce(np.fmax, _padded(windows.values), windows.low, windows.high)


def _padded(values: Values) -> Values:
    return np.append(values, np.nan)


def time_of_least(windows: Windows) -> Values:
    return _time_of(windows, least(windows))


def time_of_greatest(windows: Windows) -> Values:
    return _time_of(windows, greatest(windows))


def _time_of(windows: Windows, wanted: Values) -> Values:
    """Return the time of the last sample with the wanted value (of NaN: the last one)."""
    index = windows.low.copy()
    nothing = np.isnan(wanted)
    for position, (values, reaches) in enumerate(_positions(windows)):
        index = np.where(reaches & ((values == wanted) | nothing), windows.low + position, index)
    return _at(windows.times, index) / 1000.0


def changes(windows: Windows) -> Values:
    """Return how often the value differs from the one before; NaN equals NaN."""
    return _pairs(windows, changed(windows.values[:-1], windows.values[1:]))


def resets(windows: Windows) -> Values:
    """Return how often the value is smaller than the one before."""
    return _pairs(windows, fell(windows.values[:-1], windows.values[1:]))


def changed(before: Values, after: Values) -> Mask:
    """Tell where a value is another one; NaN equals NaN."""
    result: Mask = (after != before) & ~(np.isnan(after) & np.isnan(before))
    return result


def fell(before: Values, after: Values) -> Mask:
    """Tell where a value is smaller."""
    result: Mask = after < before
    return result


def _pairs(windows: Windows, flags: Mask) -> Values:
    """Count the flags of neighbours, flag i standing between samples i and i + 1."""
    running = np.zeros(len(windows.values) + 1, dtype=np.int64)
    np.cumsum(flags, out=running[2:] if len(flags) else None)
    low = np.minimum(windows.low + 1, windows.high)
    return (running[windows.high] - running[low]).astype(np.float64)


def quantile(windows: Windows, rank: Values) -> Values:
    """Return the quantile `rank[j]` of each window of instant j."""
    columns = range(windows.low.shape[1])
    results = [_column_quantiles(windows, j, float(rank[j])) for j in columns]
    return np.stack(results, axis=1) if results else np.zeros(windows.low.shape)


def _column_quantiles(windows: Windows, column: int, rank: float) -> Values:
    values, groups = column_samples(windows, column)
    return segment_quantiles(rank, values, groups, len(windows.low))


def column_samples(windows: Windows, column: int) -> tuple[Values, Refs]:
    """Return the samples of all windows of one instant, and the series of each."""
    low = windows.low[:, column]
    sizes = windows.high[:, column] - low
    groups = np.repeat(np.arange(len(low)), sizes)
    within = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return windows.values[np.repeat(low, sizes) + within], groups


def absolute_deviation(windows: Windows) -> Values:
    """Return the median distance from the median; NaN if any sample is NaN."""
    results = []
    for column in range(windows.low.shape[1]):
        values, groups = column_samples(windows, column)
        size = len(windows.low)
        medians = segment_quantiles(0.5, values, groups, size)
        distances = np.abs(values - medians[groups])
        result = segment_quantiles(0.5, distances, groups, size)
        result[groups[np.isnan(values)]] = np.nan
        results.append(result)
    return np.stack(results, axis=1) if results else np.zeros(windows.low.shape)


def smoothed(windows: Windows, smoothing: Values, trend: Values) -> Values:
    """Return Holt's double exponential smoothing; the windows hold two samples or more."""
    level = first(windows)
    before = np.zeros_like(level)
    slope = _at(windows.values, windows.low + 1) - level
    for position, (values, reaches) in enumerate(_positions(windows)):
        if position == 0:
            continue
        if position > 1:
            slope = np.where(reaches, trend * (level - before) + (1 - trend) * slope, slope)
        forecast = smoothing * values + (1 - smoothing) * (level + slope)
        before = np.where(reaches, level, before)
        level = np.where(reaches, forecast, level)
    return level
