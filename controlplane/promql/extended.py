"""Experimental `anchored` and `smoothed` selectors.

Anchored windows begin with the newest sample at or before their left edge;
smoothed ones read values at both edges from straight lines between samples.
Computed window by window: exactness matters here, speed does not yet.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.histogram import Histograms
from controlplane.model.samples import Mask, Times, Values
from controlplane.promql.ast import Span
from controlplane.promql.cells import (
    filled,
    histogram_counts,
    histograms_within,
    no_histograms,
    with_histograms,
    without_windows,
)
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Block, Frame, MatrixNode, VectorNode, Windows
from controlplane.promql.functions.calls import inform_of_gauges, named
from controlplane.promql.functions.extended_histograms import PairsCell, on_the_line
from controlplane.promql.functions.mixed import Cell as HistogramCell
from controlplane.promql.functions.mixed import combining, remarks_of
from controlplane.promql.functions.rates import RateKind
from controlplane.promql.selecting import RangeSelection, Selector, edges, widened

_ANCHORED: Final = ("changes", "delta", "increase", "rate", "resets")
_SMOOTHED: Final = ("delta", "increase", "rate")

# Times and values of one window, its edges; the result, or None for nothing.
Cell = Callable[[Times, Values, Timestamp, Timestamp], float | None]


def refuse_function(matrix: RangeSelection, function: str) -> None:
    """Raise EvaluationError for a function that cannot take such a window."""
    selector = matrix.expr.selector
    word, allowed = ("anchored", _ANCHORED) if selector.anchored else ("smoothed", _SMOOTHED)
    if function not in allowed:
        raise EvaluationError(
            f"{word} modifier can only be used with: {', '.join(allowed)} - not with {function}"
        )


def extended_windows(matrix: RangeSelection, frame: Frame) -> Windows:
    """Return windows with the samples around their edges that the modifier needs."""
    lookback = frame.run.lookback
    after = lookback if matrix.expr.selector.smoothed else 0
    return matrix.reaching(frame, before=lookback, after=after)


class ExtendedCall:
    """A function of extended windows."""

    __slots__ = ("_histograms", "_informs", "_late", "_pairs", "_span", "cell", "matrix")

    def __init__(
        self,
        cell: Cell,
        matrix: RangeSelection,
        span: Span,
        *,
        informs: bool,
        late: bool,
        histograms: HistogramCell | None = None,
        pairs: PairsCell | None = None,
    ) -> None:
        self.cell = cell
        self.matrix = matrix
        self._span = span
        self._informs = informs
        self._late = late
        self._histograms = histograms
        self._pairs = pairs

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        windows = extended_windows(self.matrix, frame)
        if windows.histograms is not None and self._histograms is not None:
            strategy = combining(self._histograms, self._span, late=self._late)
            return strategy(windows, frame, self._given)
        if windows.histograms is not None and self._pairs is not None:
            values, present = _paired(windows, windows.histograms, self._pairs)
        else:
            values, present = _computed(windows, self.cell)
        if self._informs:
            inform_of_gauges(windows.series, present, frame, self._span)
        result = named(windows.series, values, present, frame, late=self._late, keep=False)
        run.hold(before, result.values, result.present)
        return result

    def _given(self, matrix: MatrixNode) -> VectorNode:
        return _GivenCall(self, matrix)

    def floats(self, windows: Windows, frame: Frame) -> Block:
        """Return the answer over windows without histograms."""
        values, present = _computed(windows, self.cell)
        if self._informs:
            inform_of_gauges(windows.series, present, frame, self._span)
        return named(windows.series, values, present, frame, late=self._late, keep=False)


class _GivenCall:
    """An extended call over windows that are there already."""

    __slots__ = ("_call", "_matrix")

    def __init__(self, call: ExtendedCall, matrix: MatrixNode) -> None:
        self._call = call
        self._matrix = matrix

    def evaluate(self, frame: Frame) -> Block:
        return self._call.floats(self._matrix.windows(frame), frame)


def _paired(windows: Windows, objects: Histograms, cell: PairsCell) -> tuple[Values, Mask]:
    values = np.zeros(windows.low.shape)
    present = np.zeros(windows.low.shape, dtype=np.bool_)
    for row, column in zip(*np.nonzero(windows.high > windows.low), strict=True):
        part = slice(int(windows.low[row, column]), int(windows.high[row, column]))
        start = int(windows.ends[column]) - windows.width
        found = cell(windows.times[part], windows.values[part], objects[part], start)
        if found is not None:
            values[row, column], present[row, column] = found, True
    return values, present


def _computed(windows: Windows, cell: Cell) -> tuple[Values, Mask]:
    values = np.zeros(windows.low.shape)
    present = np.zeros(windows.low.shape, dtype=bool)
    for row, column in zip(*np.nonzero(windows.high > windows.low), strict=True):
        part = slice(int(windows.low[row, column]), int(windows.high[row, column]))
        end = int(windows.ends[column])
        found = cell(windows.times[part], windows.values[part], end - windows.width, end)
        if found is not None:
            values[row, column], present[row, column] = found, True
    return values, present


def rate_cell(kind: RateKind, *, smoothed: bool) -> Cell:
    """Return rate, increase or delta between the values at the edges."""

    def cell(times: Times, values: Values, start: Timestamp, end: Timestamp) -> float | None:
        last = len(times) - 1
        first = max(0, int(np.searchsorted(times[:last], start, side="right")) - 1)
        if smoothed:
            last = int(np.searchsorted(times[:last], end, side="left"))
        if times[last] <= start or (smoothed and times[first] > end):
            return None
        left, right = float(values[first]), float(values[last])
        if smoothed and times[first] < start:
            left = between(times, values, first, start, counter=kind.counter)
        if smoothed and last > 0 and times[last] > end:
            right = between(times, values, last - 1, end, counter=kind.counter)
        growth = right - left
        if kind.counter:
            inside = slice(first + (times[first] <= start), last + 1 - (times[last] >= end))
            growth += _lost(left, values[inside], right)
        return growth / ((end - start) / 1000) if kind.per_second else growth

    return cell


def between(
    times: Times, values: Values, before: int, instant: Timestamp, *, counter: bool
) -> float:
    """Return the value at an instant on the line from sample `before` to the next one.

    A counter that fell is taken to have begun at zero.
    """
    low, high = float(values[before]), float(values[before + 1])
    if counter and high < low:
        low = 0.0
    share = (instant - int(times[before])) / int(times[before + 1] - times[before])
    return low + (high - low) * share


def _lost(left: float, inside: Values, right: float) -> float:
    """Return the sum of the values before each decrease."""
    course = np.concatenate([[left], inside, [right]])
    falls = course[1:] < course[:-1]
    return float(course[:-1][falls].sum())


def pairs_cell(differs: Callable[[Values, Values], Mask]) -> Cell:
    """Return changes or resets from the anchor on."""

    def cell(times: Times, values: Values, start: Timestamp, _end: Timestamp) -> float | None:
        anchor = int(np.searchsorted(times, start, side="right")) - 1
        if anchor + 1 >= len(times):
            return None
        course = values[max(anchor, 0) :]
        return float(np.count_nonzero(differs(course[:-1], course[1:])))

    return cell


class SmoothedInstant:
    """`metric smoothed`: the value at each instant on the line between its neighbours."""

    __slots__ = ("selector",)

    def __init__(self, selector: Selector) -> None:
        self.selector = selector

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        run.check()
        times, lookback = self.selector.times(frame), run.lookback
        start, end = times - lookback, times + lookback
        querier = run.querier.reaching(int(start[0]))
        selection = self.selector.select(querier)
        found = querier.window(selection.refs, int(start[0]), int(end[-1]))
        low, high = edges(found.times, found.offsets, start, end)
        ends, series = times + lookback, selection.series
        windows = Windows(series, found.values, found.times, low, high, ends, 2 * lookback)
        lookup, objects = querier.histograms(selection.refs), None
        if lookup is not None:
            windows = with_histograms(windows, lookup, statistics=self.selector.statistics)
        if windows.histograms is not None:
            windows, objects = self._histograms(windows, frame)
        values, present = _computed(windows, _on_the_line)
        if objects is not None:
            present = present | filled(objects)
        block = widened(series, values, present, frame.steps, objects)
        run.hold(before, block.values, block.present)
        return block

    def _histograms(self, windows: Windows, frame: Frame) -> tuple[Windows, Histograms]:
        """Return windows of floats alone, and the histograms at each instant."""
        counts, sizes = histogram_counts(windows), windows.high - windows.low
        found = no_histograms(counts.shape)
        for row, column in zip(*np.nonzero(counts), strict=True):
            remarks = remarks_of(windows, int(row), frame, self.selector.span)
            if counts[row, column] < sizes[row, column]:
                remarks.mixed()
                continue
            times, samples = histograms_within(windows, int(row), int(column))
            instant = int(windows.ends[column]) - windows.width // 2
            found[row, column] = on_the_line(times, samples, instant, remarks)
        return without_windows(replace(windows, histograms=None), counts > 0), found


def _on_the_line(times: Times, values: Values, start: Timestamp, end: Timestamp) -> float | None:
    instant = (start + end) // 2
    after = int(np.searchsorted(times, instant, side="left"))
    if after < len(times) and times[after] == instant:
        return float(values[after])
    if after == 0:
        return None
    if after == len(times):
        return float(values[after - 1])
    return between(times, values, after - 1, instant, counter=False)


class EdgeValues:
    """The samples within the range, with one at each edge, for a query of them alone."""

    __slots__ = ("matrix",)

    def __init__(self, matrix: RangeSelection) -> None:
        self.matrix = matrix

    def windows(self, frame: Frame) -> Windows:
        windows = extended_windows(self.matrix, frame)
        if histogram_counts(windows).any():
            word = "smoothed" if self.matrix.expr.selector.smoothed else "anchored"
            raise EvaluationError(f"{word} modifier is not supported with histograms")
        return _cut(windows, smoothed=self.matrix.expr.selector.smoothed)


def _cut(windows: Windows, *, smoothed: bool) -> Windows:
    end = int(windows.ends[0])
    kept: list[tuple[Times, Values]] = []
    for row in range(len(windows.low)):
        part = slice(int(windows.low[row, 0]), int(windows.high[row, 0]))
        times, values = windows.times[part], windows.values[part]
        kept.append(_with_edges(times, values, end - windows.width, end, smoothed=smoothed))
    sizes = np.cumsum([0, *[len(times) for times, _ in kept]])
    if not kept:
        return windows
    return Windows(
        windows.series,
        np.concatenate([values for _, values in kept]),
        np.concatenate([times for times, _ in kept]),
        sizes[:-1, None],
        sizes[1:, None],
        windows.ends,
        windows.width,
    )


def _with_edges(
    times: Times, values: Values, start: Timestamp, end: Timestamp, *, smoothed: bool
) -> tuple[Times, Values]:
    nothing = times[:0], values[:0]
    if not len(times):
        return nothing
    last = len(times) - 1
    first = max(0, int(np.searchsorted(times[:last], start, side="right")) - 1)
    if smoothed:
        last = int(np.searchsorted(times[:last], end, side="left"))
    if times[last] <= start:
        return nothing
    left, right = float(values[first]), float(values[last])
    if smoothed and times[first] < start:
        left = between(times, values, first, start, counter=False)
    if smoothed and last > 0 and times[last] > end:
        right = between(times, values, last - 1, end, counter=False)
    inside = (times > start) & (times < end)
    inside[:first] = False
    inside[last + 1 :] = False
    return (
        np.concatenate([[start], times[inside], [end]]).astype(np.int64),
        np.concatenate([[left], values[inside], [right]]),
    )
