"""`anchored` and `smoothed` windows of native histograms, as extended.py has them for floats."""

from collections.abc import Callable, Sequence

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.histogram import CounterResetHint, FloatHistogram, Histograms
from controlplane.model.histogram_resets import is_reset
from controlplane.model.samples import Mask, Times, Values
from controlplane.promql.functions.histogram_rates import Remarks, is_gauge
from controlplane.promql.functions.mixed import Cell, Differs, pair_flags
from controlplane.promql.functions.rates import RateKind
from controlplane.promql.histograms.arithmetic import IncompatibleBuckets, divided, multiplied

# Times, values and histograms of one window, and its start; a count, or None for nothing.
PairsCell = Callable[[Times, Values, Histograms, Timestamp], float | None]


def interpolated(
    times: Times,
    samples: Sequence[FloatHistogram],
    before: int,
    instant: Timestamp,
    remarks: Remarks,
    *,
    counter: bool,
) -> FloatHistogram:
    """Return what a series would have at an instant between sample `before` and the next one.

    A counter that fell is taken to have begun at zero. Raises IncompatibleBuckets.
    """
    low, high = samples[before], samples[before + 1]
    begin, end = int(times[before]), int(times[before + 1])
    if instant in (begin, end):
        return low if instant == begin else high
    share = (instant - begin) / (end - begin)
    if counter and is_reset(high, low):
        return multiplied(high, share)
    return remarks.plus(multiplied(remarks.minus(high, low), share), low)


def rate_cell(kind: RateKind, *, smoothed: bool) -> Cell:
    """Return rate, increase or delta between the histograms at the edges of a window."""

    def cell(
        times: Times,
        samples: Sequence[FloatHistogram],
        start: Timestamp,
        end: Timestamp,
        remarks: Remarks,
    ) -> FloatHistogram | None:
        last = len(times) - 1
        first = max(0, int(np.searchsorted(times[:last], start, side="right")) - 1)
        if smoothed:
            last = int(np.searchsorted(times[:last], end, side="left"))
        if times[last] <= start or (smoothed and times[first] > end):
            return None
        window = _Window(times, samples, first, last, start, end, smoothed=smoothed)
        try:
            return window.growth(kind, remarks)
        except IncompatibleBuckets:
            remarks.incompatible()
            return None

    return cell


class _Window:
    """The samples `first` to `last` around a range."""

    def __init__(
        self,
        times: Times,
        samples: Sequence[FloatHistogram],
        first: int,
        last: int,
        start: Timestamp,
        end: Timestamp,
        *,
        smoothed: bool,
    ) -> None:
        self._times = times
        self._samples = samples
        self._first = first
        self._last = last
        self._start = start
        self._end = end
        self._before = smoothed and bool(times[first] < start)
        self._after = smoothed and last > 0 and bool(times[last] > end)

    def growth(self, kind: RateKind, remarks: Remarks) -> FloatHistogram:
        """Return the growth from edge to edge. Raises IncompatibleBuckets."""
        inside = self._samples[self._first : self._last + 1]
        if len({sample.is_custom for sample in inside}) > 1:
            raise IncompatibleBuckets
        if kind.counter and any(is_gauge(sample) for sample in inside):
            remarks.no_counter()
        left, right = self._edges(remarks, counter=kind.counter)
        if not kind.counter and not (is_gauge(left) and is_gauge(right)):
            remarks.no_gauge()
        growth = remarks.minus(right, left)
        if kind.counter:
            lost = self._lost(left, right)
            total = lost[0] if lost else None
            for one in lost[1:]:
                total = one if total is None else remarks.plus(total, one)
            growth = growth if total is None else remarks.plus(growth, total)
        if kind.per_second:
            growth = divided(growth, (self._end - self._start) / 1000)
        return growth.hinted(CounterResetHint.GAUGE).compact()

    def _edges(self, remarks: Remarks, *, counter: bool) -> tuple[FloatHistogram, FloatHistogram]:
        times, samples, first, last = self._times, self._samples, self._first, self._last
        left, right = samples[first], samples[last]
        if self._before:
            left = interpolated(times, samples, first, self._start, remarks, counter=counter)
        if self._after:
            right = interpolated(times, samples, last - 1, self._end, remarks, counter=counter)
        return left, right

    def _lost(self, left: FloatHistogram, right: FloatHistogram) -> list[FloatHistogram]:
        """Return the samples before each reset between the edges."""
        previous, begin = left, self._first + 1
        samples = self._samples
        if self._before and is_reset(samples[begin], samples[self._first]):
            # The line to the left edge spans this reset already.
            previous, begin = samples[begin], begin + 1
        if begin > self._last:
            return []
        lost = []
        # The last sample is what the right edge is made of.
        for sample in [*samples[begin : self._last], right]:
            if is_reset(sample, previous):
                lost.append(previous)
            previous = sample
        return lost


def pairs_cell(floats: Callable[[Values, Values], Mask], histograms: Differs) -> PairsCell:
    """Return changes or resets from the anchor on; float and histogram always differ."""

    def cell(times: Times, values: Values, objects: Histograms, start: Timestamp) -> float | None:
        anchor = int(np.searchsorted(times, start, side="right")) - 1
        if anchor + 1 >= len(times):
            return None
        course = slice(max(anchor, 0), None)
        flags = floats(values[course][:-1], values[course][1:])
        return float(np.count_nonzero(pair_flags(flags, objects[course], histograms)))

    return cell


def on_the_line(
    times: Times, samples: Sequence[FloatHistogram], instant: Timestamp, remarks: Remarks
) -> FloatHistogram | None:
    """Return what `metric smoothed` is at an instant."""
    after = int(np.searchsorted(times, instant, side="left"))
    if after < len(times) and times[after] == instant:
        return samples[after]
    if after == 0:
        return None
    before = samples[after - 1]
    if after == len(times):
        # A hint tells of two neighbours, not of a value that goes on.
        return before.hinted(CounterResetHint.UNKNOWN)
    if before.is_custom != samples[after].is_custom:
        remarks.incompatible()
        return None
    counter = not (is_gauge(before) and is_gauge(samples[after]))
    try:
        return interpolated(times, samples, after - 1, instant, remarks, counter=counter)
    except IncompatibleBuckets:
        remarks.incompatible()
        return None
