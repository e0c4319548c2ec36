"""rate, increase, delta, irate, idelta over whole columns."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.promql.frame import Windows
from controlplane.tsdb.ports import CounterWindows

# Cells computed at once: a dozen arrays of this size fit into a core's cache.
_PART: Final = 16_384


@dataclass(frozen=True, slots=True)
class RateKind:
    """What tells rate (counter, per second), increase (counter) and delta apart."""

    counter: bool
    per_second: bool


def extrapolated(
    course: CounterWindows, ends: Times, width: Duration, kind: RateKind
) -> tuple[Values, Mask]:
    """Return the growth within each window, extrapolated to its edges as upstream does.

    Where samples lie within 1.1 average distances of an edge the growth is
    carried to the edge, else half a distance; a counter not below its zero.
    """
    shape = course.count.shape
    growth = np.empty(shape)
    # Part by part, so that what stands between two operations stays in the cache.
    rows = max(1, _PART // max(1, shape[1]))
    for first in range(0, shape[0], rows):
        part = slice(first, first + rows)
        growth[part] = growths(_rows(course, part), ends, width, kind)
    return growth, course.count >= 2


def _rows(course: CounterWindows, rows: slice) -> CounterWindows:
    return CounterWindows(
        course.first[rows],
        course.last[rows],
        course.first_times[rows],
        course.last_times[rows],
        course.resets[rows],
        course.count[rows],
    )


def growths(
    course: CounterWindows, ends: Times | Timestamp, width: Duration, kind: RateKind
) -> Values:
    """Return the growth of windows of which there is at least one, see `extrapolated`."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        growth = course.last - course.first
        if kind.counter:
            growth = growth + course.resets
        sampled = (course.last_times - course.first_times) / 1000.0
        average = sampled / (course.count - 1)
        threshold = average * 1.1
        to_start = (course.first_times - (ends - width)) / 1000.0
        to_end = (ends - course.last_times) / 1000.0
        half = average / 2
        to_start = np.where(to_start >= threshold, half, to_start)
        if kind.counter:
            to_zero = sampled * (course.first / growth)
            clamped = (growth > 0) & (course.first >= 0) & (to_zero < to_start)
            to_start = np.where(clamped, to_zero, to_start)
        to_end = np.where(to_end >= threshold, half, to_end)
        factor = np.where(sampled != 0, (sampled + to_start + to_end) / sampled, 1.0)
        if kind.per_second:
            factor = factor / (width / 1000.0)
        result: Values = growth * factor
        return result


def courses(windows: Windows) -> CounterWindows:
    """Return what `Querier.counters` returns, from windows of samples."""
    low, high = windows.low, windows.high
    count = high - low
    some = count > 0
    values, times = windows.values, windows.times
    first, last = np.where(some, low, 0), np.where(some, high - 1, 0)
    if not len(values):
        zeros, ints = np.zeros(count.shape), np.zeros(count.shape, dtype=np.int64)
        return CounterWindows(zeros, zeros, ints, ints, zeros, ints)
    return CounterWindows(
        values[first], values[last], times[first], times[last], _resets(windows), count
    )


def _resets(windows: Windows) -> Values:
    """Return the sum of the values before each decrease within each window."""
    values = windows.values
    lost = np.zeros(len(values) + 1)
    lost[1:-1] = np.where(values[1:] < values[:-1], values[:-1], 0.0)
    # The first sample of a window has nothing before it.
    low = np.minimum(windows.low + 1, len(values))
    return segment_reduce(np.add, lost, low, np.maximum(windows.high, low))


def segment_reduce(ufunc: np.ufunc, values: Values, low: Refs, high: Refs) -> Values:
    """Return `ufunc.reduce` of each slice `[low:high)`, 0 where it is empty.

    `values` must have one entry more than any `high`, so that every bound is
    an index.
    """
    bounds = np.stack([low.ravel(), high.ravel()], axis=1).ravel()
    reduced = ufunc.reduceat(values, bounds)[::2].reshape(low.shape)
    return np.where(high > low, reduced, 0.0)


def last_two(windows: Windows, *, counter: bool, per_second: bool) -> tuple[Values, Mask]:
    """Return idelta or irate: the growth between the last two samples."""
    enough = windows.high - windows.low >= 2
    if not enough.any():
        return np.zeros(enough.shape), enough
    last = np.where(enough, windows.high - 1, 1)
    values, times = windows.values, windows.times
    after, before = values[last], values[last - 1]
    distance = times[last] - times[last - 1]
    growth = after - before
    if counter:
        # After a reset the counter began at zero.
        growth = np.where(after < before, after, growth)
    present = enough & (distance != 0)
    if per_second:
        growth = growth / np.where(distance == 0, 1000, distance) * 1000
        growth = np.where(enough, growth, 0.0)
    return growth, present
