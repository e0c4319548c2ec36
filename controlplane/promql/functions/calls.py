"""Function calls as parts of a plan, one class for each way of taking arguments."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from controlplane.model.histogram import Histograms
from controlplane.model.labels import METRIC_NAME
from controlplane.model.samples import Mask, Times, Values
from controlplane.promql.aggregations.nodes import warn_of_rank
from controlplane.promql.ast import Span
from controlplane.promql.frame import Block, Frame, MatrixNode, ScalarNode, VectorNode, Windows
from controlplane.promql.functions import over_time
from controlplane.promql.functions.lattice_rates import rates
from controlplane.promql.functions.lattices import OF_LATTICE
from controlplane.promql.functions.rates import RateKind, courses, extrapolated
from controlplane.promql.naming import drop_names, relabelled
from controlplane.promql.results import Columns
from controlplane.promql.selecting import InstantSelection, RangeSelection, widened
from controlplane.promql.series import ONE_UNLABELLED, Relabelled, SeriesSet, marked

_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


class Elementwise:
    """A function of each value, and of numbers that may differ between instants."""

    __slots__ = ("_late", "function", "numbers", "vector")

    def __init__(
        self,
        function: Callable[..., Values],
        vector: VectorNode,
        numbers: Sequence[ScalarNode] = (),
        *,
        late: bool,
    ) -> None:
        self.function = function
        self.vector = vector
        self.numbers = numbers
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        block = self.vector.evaluate(frame)
        numbers = [number.scalar(frame) for number in self.numbers]
        frame.run.check()
        values = self.function(block.values, *numbers)
        return drop_names(Block(block.series, values, block.present), late=self._late)


class Clamp(Elementwise):
    """clamp and its kin: nothing where the lower bound lies above the upper one."""

    __slots__ = ()

    def evaluate(self, frame: Frame) -> Block:
        block = super().evaluate(frame)
        if len(self.numbers) < 2:
            return block
        low, high = (number.scalar(frame) for number in self.numbers)
        return Block(block.series, block.values, block.present & ~(high < low))


class OverTime:
    """A function of windows: values (n, k) where the windows hold enough samples."""

    __slots__ = ("_keeps_name", "_late", "_least", "function", "matrix", "numbers")

    def __init__(
        self,
        function: Callable[..., Values],
        matrix: MatrixNode,
        numbers: Sequence[ScalarNode] = (),
        *,
        late: bool,
        keeps_name: bool = False,
        least: int = 1,
    ) -> None:
        self.function = function
        self.matrix = matrix
        self.numbers = numbers
        self._late = late
        self._keeps_name = keeps_name
        self._least = least

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        arguments = self.arguments(frame)
        of_lattice, selection = OF_LATTICE.get(self.function), self.matrix
        if (
            of_lattice is not None
            and isinstance(selection, RangeSelection)
            and not selection.extended
            and not (arguments and selection.pinned)
        ):
            series, columns = self._regularly(of_lattice, selection, arguments, frame)
        else:
            windows = self.matrix.windows(frame)
            run.check()
            if arguments:
                windows = _widened(windows, frame.steps)
            values = self.compute(windows, arguments, frame)
            columns = values, windows.high - windows.low >= self._least
            series = windows.series
        result = named(series, *columns, frame, late=self._late, keep=self._keeps_name)
        run.hold(before, result.values, result.present)
        return result

    def arguments(self, frame: Frame) -> Sequence[Values | Times]:
        """Return what the function is given beside windows, a number for each instant."""
        return [number.scalar(frame) for number in self.numbers]

    def compute(
        self,
        windows: Windows,
        arguments: Sequence[Values | Times],
        frame: Frame,  # noqa: ARG002 - for those that warn
    ) -> Values:
        return self.function(windows, *arguments)

    def _regularly(
        self,
        of_lattice: Callable[..., Values],
        selection: RangeSelection,
        arguments: Sequence[Values | Times],
        frame: Frame,
    ) -> tuple[SeriesSet, Columns]:
        """Compute regular series as a lattice, or find what was computed for another rule."""

        def make() -> Columns:
            values, counts = selection.computed(frame, of_lattice, self.function, arguments)
            return values, counts >= self._least

        key = (self.function, self._least, *(each.tobytes() for each in arguments))
        return selection.shared(frame, key, make)


def _widened(windows: Windows, steps: int) -> Windows:
    """Repeat windows that `@` pinned for every instant, at which numbers may differ."""
    if windows.low.shape[1] == steps:
        return windows
    shape = (len(windows.low), steps)
    low, high = np.broadcast_to(windows.low, shape), np.broadcast_to(windows.high, shape)
    return replace(windows, low=low, high=high)


class QuantileOverTime(OverTime):
    """quantile_over_time, which warns of ranks that are none."""

    __slots__ = ("_rank_span",)

    def __init__(
        self, rank_span: Span, rank: ScalarNode, matrix: MatrixNode, *, late: bool
    ) -> None:
        super().__init__(over_time.quantile, matrix, [rank], late=late)
        self._rank_span = rank_span

    def compute(
        self, windows: Windows, arguments: Sequence[Values | Times], frame: Frame
    ) -> Values:
        if over_time.counted(windows).any():
            warn_of_rank(np.asarray(arguments[0], dtype=np.float64), frame, self._rank_span)
        return super().compute(windows, arguments, frame)


class Predict(OverTime):
    """predict_linear, which looks ahead from the instant of evaluation."""

    __slots__ = ()

    def arguments(self, frame: Frame) -> Sequence[Values | Times]:
        return [*super().arguments(frame), frame.times]


def named(
    series: SeriesSet,
    values: Values,
    present: Mask,
    frame: Frame,
    *,
    late: bool,
    keep: bool,
    histograms: Histograms | None = None,
) -> Block:
    """Return the block of a function of windows, as wide as the frame."""
    if values.shape != present.shape:
        present = np.broadcast_to(present, values.shape)
    block = widened(series, values, present, frame.steps, histograms)
    if keep:
        return block
    return drop_names(block, late=late, whole=True)


class Pairs:
    """A function that gives values and their presence by itself (irate, idelta)."""

    __slots__ = ("_late", "function", "matrix")

    def __init__(
        self, function: Callable[[Windows], tuple[Values, Mask]], matrix: MatrixNode, *, late: bool
    ) -> None:
        self.function = function
        self.matrix = matrix
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        windows = self.matrix.windows(frame)
        run.check()
        values, present = self.function(windows)
        result = named(windows.series, values, present, frame, late=self._late, keep=False)
        run.hold(before, result.values, result.present)
        return result


class Rate:
    """rate, increase and delta: from the store's own account of counters where it has one."""

    __slots__ = ("_kind", "_late", "_span", "matrix")

    def __init__(self, kind: RateKind, matrix: MatrixNode, span: Span, *, late: bool) -> None:
        self.matrix = matrix
        self._kind = kind
        self._span = span
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        if isinstance(self.matrix, RangeSelection):
            selection = self.matrix
            series, (values, present) = selection.shared(
                frame, self._kind, lambda: self._of_counters(selection, frame)
            )
        else:
            windows = self.matrix.windows(frame)
            run.check()
            series, course = windows.series, courses(windows)
            values, present = extrapolated(course, windows.ends, windows.width, self._kind)
        if self._kind.counter:
            inform_of_gauges(series, present, frame, self._span)
        result = named(series, values, present, frame, late=self._late, keep=False)
        run.hold(before, result.values, result.present)
        return result

    def _of_counters(self, selection: RangeSelection, frame: Frame) -> tuple[Values, Mask]:
        ends, width, kind = selection.selector.times(frame), selection.width(frame), self._kind
        if len(ends) > 1 and ends[1] - ends[0] < width:
            values, counts = selection.computed(
                frame,
                partial(rates, width=width, kind=kind),
                lambda windows, ends: extrapolated(courses(windows), ends, width, kind)[0],
                [ends],
            )
            return values, counts >= 2
        _, course, ends, width = selection.counters(frame)
        frame.run.check()
        return extrapolated(course, ends, width, kind)


def inform_of_gauges(series: SeriesSet, present: Mask, frame: Frame, span: Span) -> None:
    """Say which of the metrics do not look like counters by their names."""
    suspects = series.kept("no counters", _suspects)
    for name, rows in suspects.items():
        if present[rows].any():
            text = (
                "metric might not be a counter, name does not end in "
                f'_total/_sum/_count/_bucket: "{name}"'
            )
            frame.run.annotations.inform(text, span)


def _suspects(series: SeriesSet) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, labels in enumerate(series.labels):
        name = labels.value(METRIC_NAME)
        if name and not name.endswith(_COUNTER_SUFFIXES):
            found.setdefault(name, []).append(row)
    return found


class Absent:
    """absent and absent_over_time: 1 at the instants at which there is nothing."""

    __slots__ = ("_there", "series")

    def __init__(self, there: Callable[[Frame], Mask], series: SeriesSet, *, late: bool) -> None:
        self._there = there
        self.series = marked(series) if late else series

    def evaluate(self, frame: Frame) -> Block:
        missing = ~self._there(frame)
        steps = frame.steps
        return Block(self.series, np.ones((1, steps)), np.broadcast_to(missing, (1, steps)))


class Timestamp:
    """timestamp: of a selector the samples' own times, else the instants themselves."""

    __slots__ = ("_late", "vector")

    def __init__(self, vector: VectorNode, *, late: bool) -> None:
        self.vector = vector
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        block = self.vector.evaluate(frame)
        values = np.broadcast_to(frame.seconds, block.values.shape)
        return drop_names(Block(block.series, values, block.present), late=self._late)


class SampleTimes:
    """timestamp(selector): when the newest sample was taken, in seconds."""

    __slots__ = ("_selection",)

    def __init__(self, selection: InstantSelection) -> None:
        self._selection = selection

    def evaluate(self, frame: Frame) -> Block:
        frame.run.check()
        series, found = self._selection.read(frame)
        return widened(series, found.times / 1000.0, found.present, frame.steps)


# Computes a number for each instant.
Numbers = Callable[[Frame], Values]


class ScalarCall:
    """A function whose result is a number at each instant."""

    __slots__ = ("function",)

    def __init__(self, function: Numbers) -> None:
        self.function = function

    def scalar(self, frame: Frame) -> Values:
        return self.function(frame)


class ToScalar:
    """scalar(): the value of the only element, else NaN."""

    __slots__ = ("vector",)

    def __init__(self, vector: VectorNode) -> None:
        self.vector = vector

    def scalar(self, frame: Frame) -> Values:
        before = frame.run.samples
        block = self.vector.evaluate(frame)
        frame.run.samples = before
        count = np.count_nonzero(block.present, axis=0)
        alone = np.where(block.present, block.values, 0.0).sum(axis=0)
        result: Values = np.where(count == 1, alone, np.nan)
        return result


class ToVector:
    """vector(): a number as the one element without labels."""

    __slots__ = ("function", "number")

    def __init__(
        self, number: ScalarNode, function: Callable[[Values], Values] = np.asarray
    ) -> None:
        self.number = number
        self.function = function

    def evaluate(self, frame: Frame) -> Block:
        values = self.function(self.number.scalar(frame))[None, :]
        return Block(ONE_UNLABELLED, values, np.ones(values.shape, dtype=bool))


class Relabel:
    """label_replace and label_join: new labels, found once for a set of series."""

    __slots__ = ("_change", "_key", "vector")

    def __init__(
        self, vector: VectorNode, change: Callable[[SeriesSet], Relabelled], key: object
    ) -> None:
        self.vector = vector
        self._change = change
        self._key = key

    def evaluate(self, frame: Frame) -> Block:
        block = self.vector.evaluate(frame)
        change = block.series.kept(("relabel", self._key), self._change)
        return relabelled(block, change)
