"""Functions of windows that may hold native histograms, alone or among floats.

The floats go the way that they always go; each of the strategies here says
what becomes of the histograms beside them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.histogram import FloatHistogram, Histograms
from controlplane.model.labels import METRIC_NAME
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.promql.ast import Span
from controlplane.promql.cells import (
    filled,
    float_windows,
    histogram_counts,
    histograms_within,
    joined,
    no_histograms,
    without_windows,
)
from controlplane.promql.frame import Block, Frame, MatrixNode, VectorNode, Windows
from controlplane.promql.functions.calls import named
from controlplane.promql.functions.histogram_rates import (
    Remarks,
    between_two,
    extrapolated,
    over_all,
)
from controlplane.promql.functions.rates import RateKind
from controlplane.promql.histograms.arithmetic import Combined
from controlplane.promql.selecting import RangeSelection

# Makes the node that knows floats only.
MakeNode = Callable[[MatrixNode], VectorNode]
# What becomes of windows with histograms; the node it is given for the floats among them.
Strategy = Callable[[Windows, Frame, MakeNode], Block]


class Given:
    """Windows that are there already."""

    __slots__ = ("_windows",)

    def __init__(self, windows: Windows) -> None:
        self._windows = windows

    def windows(self, frame: Frame) -> Windows:  # noqa: ARG002 - a node's shape
        return self._windows


class MixedCall:
    """A call that takes the way of floats unless there are histograms."""

    __slots__ = ("_floats", "_make", "_strategy", "matrix")

    def __init__(self, matrix: MatrixNode, make: MakeNode, strategy: Strategy) -> None:
        self.matrix = matrix
        self._floats = make(matrix)
        self._make = make
        self._strategy = strategy

    def evaluate(self, frame: Frame) -> Block:
        if isinstance(self.matrix, RangeSelection) and not self.matrix.has_histograms(frame):
            return self._floats.evaluate(frame)
        windows = self.matrix.windows(frame)
        if windows.histograms is None:
            return self._make(Given(windows)).evaluate(frame)
        return self._strategy(windows, frame, self._make)


def remarks_of(windows: Windows, row: int, frame: Frame, span: Span) -> Remarks:
    """Return who says what is doubtful about one series."""
    name = windows.series.labels[row].value(METRIC_NAME)
    return Remarks(frame.run.annotations, span, name)


def counting(windows: Windows, frame: Frame, make: MakeNode) -> Block:
    """Take all samples alike."""
    return make(Given(replace(windows, histograms=None))).evaluate(frame)


def ignoring(span: Span) -> Strategy:
    """Pass over histograms, and say so where there are floats too."""

    def strategy(windows: Windows, frame: Frame, make: MakeNode) -> Block:
        floats = float_windows(windows)
        both = (histogram_counts(windows) > 0) & (floats.high > floats.low)
        for row in np.flatnonzero(both.any(axis=1)).tolist():
            remarks_of(windows, row, frame, span).ignored()
        return make(Given(floats)).evaluate(frame)

    return strategy


def picking(place: Callable[[Windows], Refs], *, late: bool) -> Strategy:
    """Return one of the samples as it is: the one at `place` of each window."""

    def strategy(windows: Windows, frame: Frame, make: MakeNode) -> Block:
        floats = make(Given(replace(windows, histograms=None))).evaluate(frame)
        some = windows.high > windows.low
        index = np.where(some, place(windows), 0)
        picked = _objects(windows)[index]
        picked[~some] = None
        return replace_histograms(windows, floats, picked, frame, late=late, keep=True)

    return strategy


def _objects(windows: Windows) -> Histograms:
    if windows.histograms is None:
        return no_histograms((max(len(windows.values), 1),))
    return windows.histograms


def replace_histograms(
    windows: Windows, floats: Block, found: Histograms, frame: Frame, *, late: bool, keep: bool
) -> Block:
    """Return the floats' block with histograms (n, k) in the places of their windows."""
    there = filled(found)
    values = np.zeros(there.shape)
    block = named(windows.series, values, there, frame, late=late, keep=keep, histograms=found)
    hidden = Block(floats.series, floats.values, floats.present & ~block.present)
    return joined(hidden if keep else floats, block)


# Makes one histogram of those of a window: instants, histograms, the window's edges.
Cell = Callable[
    [Times, Sequence[FloatHistogram], Timestamp, Timestamp, Remarks], FloatHistogram | None
]


def combining(cell: Cell, span: Span, *, late: bool) -> Strategy:
    """Combine the histograms of a window; one with floats too gives nothing but a warning."""

    def strategy(windows: Windows, frame: Frame, make: MakeNode) -> Block:
        counts = histogram_counts(windows)
        sizes = windows.high - windows.low
        found = no_histograms(windows.low.shape)
        for row in np.flatnonzero((counts > 0).any(axis=1)).tolist():
            frame.run.check()
            remarks = remarks_of(windows, row, frame, span)
            for column in np.flatnonzero(counts[row] > 0).tolist():
                if counts[row, column] < sizes[row, column]:
                    remarks.mixed()
                    continue
                times, samples = histograms_within(windows, row, column)
                end = int(windows.ends[column])
                found[row, column] = cell(times, samples, end - windows.width, end, remarks)
        alone = without_windows(replace(windows, histograms=None), counts > 0)
        floats = make(Given(alone)).evaluate(frame)
        return replace_histograms(windows, floats, found, frame, late=late, keep=False)

    return strategy


def rate_cell(kind: RateKind) -> Cell:
    """Return the cell of rate, increase and delta."""

    def cell(
        times: Times,
        samples: Sequence[FloatHistogram],
        start: Timestamp,
        end: Timestamp,
        remarks: Remarks,
    ) -> FloatHistogram | None:
        return extrapolated(times, samples, start, end, kind, remarks)

    return cell


def sum_cell(combine: Callable[[Sequence[FloatHistogram]], Combined]) -> Cell:
    """Return the cell of sum_over_time and avg_over_time."""

    def cell(
        _times: Times,
        samples: Sequence[FloatHistogram],
        _start: Timestamp,
        _end: Timestamp,
        remarks: Remarks,
    ) -> FloatHistogram | None:
        return over_all(samples, combine, remarks)

    return cell


def last_two(kind: RateKind, span: Span, *, late: bool) -> Strategy:
    """Return irate and idelta: only the last two samples matter."""

    def strategy(windows: Windows, frame: Frame, make: MakeNode) -> Block:
        enough = windows.high - windows.low >= 2
        last = np.where(enough, windows.high - 1, 1)
        objects, times = _objects(windows), windows.times
        there = filled(objects)
        if len(there) < 2:
            return make(Given(replace(windows, histograms=None))).evaluate(frame)
        involved = enough & (there[last] | there[last - 1])
        found = no_histograms(windows.low.shape)
        for row, column in zip(*np.nonzero(involved), strict=True):
            at = int(last[row, column])
            before, after = objects[at - 1], objects[at]
            remarks = remarks_of(windows, int(row), frame, span)
            if before is None or after is None:
                remarks.mixed()
                continue
            distance = int(times[at] - times[at - 1])
            found[row, column] = between_two(before, after, distance, kind, remarks)
        floats = without_windows(replace(windows, histograms=None), involved)
        block = make(Given(floats)).evaluate(frame)
        return replace_histograms(windows, block, found, frame, late=late, keep=False)

    return strategy


# Tells whether one sample differs from the one before.
Differs = Callable[[FloatHistogram, FloatHistogram], bool]


def changed(after: FloatHistogram, before: FloatHistogram) -> bool:
    """Tell whether a histogram is another one."""
    return not after.same(before)


def differing(
    floats: Callable[[Values, Values], Mask], histograms: Differs, *, late: bool
) -> Strategy:
    """Count how often a sample differs from the one before; float and histogram always do."""

    def strategy(windows: Windows, frame: Frame, make: MakeNode) -> Block:  # noqa: ARG001 - a shape for all
        objects = _objects(windows)
        flags = floats(windows.values[:-1], windows.values[1:])
        flags = pair_flags(flags, objects, histograms)
        running = np.zeros(len(windows.values) + 1, dtype=np.int64)
        np.cumsum(flags, out=running[2:] if len(flags) else None)
        low = np.minimum(windows.low + 1, windows.high)
        counted = (running[windows.high] - running[low]).astype(np.float64)
        present = windows.high > windows.low
        return named(windows.series, counted, present, frame, late=late, keep=False)

    return strategy


def pair_flags(flags: Mask, objects: Histograms, differs: Differs) -> Mask:
    """Return which neighbours differ, where some of them are histograms."""
    result, there = flags.copy(), filled(objects)
    for place in np.flatnonzero(there[:-1] | there[1:]).tolist():
        before, after = objects[place], objects[place + 1]
        alike = before is not None and after is not None
        result[place] = differs(after, before) if alike else True
    return result
