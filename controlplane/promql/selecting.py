"""The leaves of a plan: selectors and subqueries, read from the store in columns."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final

import numpy as np

from controlplane.clock import Duration
from controlplane.model.histogram import Histograms
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.promql.ast import Edge, MatrixSelector, Span, SubqueryExpr, VectorSelector
from controlplane.promql.cells import resolved, unhinted, with_histograms
from controlplane.promql.durations import resolve, resolve_positive
from controlplane.promql.errors import TooManySamples
from controlplane.promql.frame import Block, Frame, Run, VectorNode, Windows, empty
from controlplane.promql.results import Columns
from controlplane.promql.selections import Choice, Selection
from controlplane.promql.series import NO_SERIES, SeriesSet
from controlplane.tsdb.ports import CounterWindows, HistogramLookup, Instants, Querier

# However low the sample limit, arrays of this many cells are no danger.
_SMALL_CELLS: Final = 10_000_000
# Cells of windows that are computed in one go.
_PART_CELLS: Final = 4_000_000


class Selector:
    """Matchers with their offset and `@`; equal matchers may share one choice.

    With `statistics` only counts and sums of native histograms are asked for.
    """

    __slots__ = ("choice", "expr", "statistics")

    def __init__(
        self, expr: VectorSelector, choice: Choice | None = None, *, statistics: bool = False
    ) -> None:
        self.expr = expr
        self.choice = choice or Choice(expr.matchers)
        self.statistics = statistics

    @property
    def matchers(self) -> Sequence[Matcher]:
        return self.choice.matchers

    @property
    def span(self) -> Span:
        return self.expr.span

    def select(self, querier: Querier) -> Selection:
        """Return the series that match, asking the store only when its series changed."""
        return self.choice.select(querier)

    def times(self, frame: Frame) -> Times:
        """Return the instants to read at: (k,), or (1,) when `@` pins them."""
        return pinned_times(self.expr, frame)


def pinned_times(expr: VectorSelector | SubqueryExpr, frame: Frame) -> Times:
    """Return the frame's instants, or the one that `@` names, less the offset."""
    offset = resolve(expr.offset, frame)
    if expr.at is None:
        return frame.times - offset if offset else frame.times
    if isinstance(expr.at, Edge):
        at = frame.start if expr.at is Edge.START else frame.end
    else:
        at = expr.at
    return np.array([at - offset], dtype=np.int64)


def guard_cells(run: Run, rows: int, columns: int) -> None:
    """Raise TooManySamples before arrays are made that cannot be meant."""
    if rows * columns > max(2 * run.options.max_samples, _SMALL_CELLS):
        raise TooManySamples


class InstantSelection:
    """An instant vector selector."""

    __slots__ = ("selector",)

    def __init__(self, selector: Selector) -> None:
        self.selector = selector

    def read(self, frame: Frame) -> tuple[SeriesSet, Instants]:
        """Return the newest sample of each series at each instant."""
        run = frame.run
        times = self.selector.times(frame)
        querier = run.querier.reaching(int(times[0]) - run.lookback)
        selection = self.selector.select(querier)
        guard_cells(run, len(selection.refs), len(times))
        return selection.series, querier.instants(selection.refs, times, run.lookback)

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        run.check()
        series, found = self.read(frame)
        if not len(series):
            return empty(frame.steps)
        values, present, histograms = found.values, found.present, None
        if (lookup := self.lookup(frame)) is not None:
            values, present, histograms = resolved(
                lookup, values, present, statistics=self.selector.statistics
            )
        block = widened(series, values, present, frame.steps, histograms)
        run.hold(before, block.values, block.present)
        return block

    def lookup(self, frame: Frame) -> HistogramLookup | None:
        """Return what resolves native histograms, None when all samples are floats."""
        start = int(self.selector.times(frame)[0]) - frame.run.lookback
        querier = frame.run.querier.reaching(start)
        return querier.histograms(self.selector.select(querier).refs)


def widened(
    series: SeriesSet,
    values: Values,
    present: Mask,
    steps: int,
    histograms: Histograms | None = None,
) -> Block:
    """Return the block, its one column repeated for all steps where `@` pinned it."""
    if values.shape[1] == steps:
        return Block(series, values, present, histograms)
    shape = (values.shape[0], steps)
    objects = None if histograms is None else np.broadcast_to(histograms, shape)
    return Block(series, np.broadcast_to(values, shape), np.broadcast_to(present, shape), objects)


class RangeSelection:
    """A range vector selector."""

    __slots__ = ("expr", "selector")

    def __init__(self, expr: MatrixSelector, selector: Selector) -> None:
        self.expr = expr
        self.selector = selector

    @property
    def extended(self) -> bool:
        return self.expr.selector.anchored or self.expr.selector.smoothed

    @property
    def pinned(self) -> bool:
        """Tell whether `@` gives all instants one and the same window."""
        return self.expr.selector.at is not None

    def width(self, frame: Frame) -> Duration:
        return resolve_positive(self.expr.range, frame)

    def shared(
        self, frame: Frame, key: Hashable, make: Callable[[], Columns]
    ) -> tuple[SeriesSet, Columns]:
        """Return what `make` makes of these windows, or made of them for somebody else.

        `key` tells apart what is made.
        """
        run = frame.run
        run.check()
        ends, width = self.selector.times(frame), self.width(frame)
        querier = run.querier.reaching(int(ends[0]) - width)
        selection = self.selector.select(querier)
        newest = querier.newest_times(selection.refs)
        if newest is None:
            return selection.series, make()
        whole = (key, width, ends.tobytes(), querier.generation)
        return selection.series, run.results.get(whole, (selection.series,), newest, make)

    def computed(
        self,
        frame: Frame,
        of_lattice: Callable[..., Values],
        of_windows: Callable[..., Values],
        arguments: Sequence[Values | Times],
    ) -> tuple[Values, Refs]:
        """Return values (n, k) of the windows, and how many samples each holds.

        Both functions compute the same of the windows that they get, with the
        arguments (k,) of their instants; `of_lattice` gives (k, n).
        """
        run = frame.run
        ends, width = self.selector.times(frame), self.width(frame)
        querier = run.querier.reaching(int(ends[0]) - width)
        refs = self.selector.select(querier).refs
        guard_cells(run, len(refs), len(ends))
        values, counts = (
            np.zeros((len(ends), len(refs))),
            np.zeros((len(ends), len(refs)), np.int64),
        )
        for part in _parts(ends, width, len(refs)):
            run.check()
            given, left = [each[part] for each in arguments], np.ones(len(refs), dtype=np.bool_)
            for places, lattice in querier.lattices(refs, ends[part], width):
                left[places] = False
                every = slice(None) if len(places) == len(refs) else places
                values[part, every] = of_lattice(lattice, *given)
                counts[part, every] = lattice.counts()
            if left.any():
                found = _read(run, querier, refs[left], ends[part], width)
                values[part, left] = of_windows(found, *given).T
                counts[part, left] = (found.high - found.low).T
        return values.T, counts.T

    def counters(self, frame: Frame) -> tuple[SeriesSet, CounterWindows, Times, Duration]:
        """Return the counters' courses with the windows' right edges and length."""
        run = frame.run
        run.check()
        ends, width = self.selector.times(frame), self.width(frame)
        querier = run.querier.reaching(int(ends[0]) - width)
        selection = self.selector.select(querier)
        guard_cells(run, len(selection.refs), len(ends))
        found = querier.counters(selection.refs, ends, width)
        return selection.series, found, ends, width

    def has_histograms(self, frame: Frame) -> bool:
        """Tell whether any of the series may have native histograms."""
        querier = frame.run.querier.reaching(int(self.selector.times(frame)[0]) - self.width(frame))
        return querier.histograms(self.selector.select(querier).refs) is not None

    def windows(self, frame: Frame) -> Windows:
        return self.reaching(frame, before=0, after=0)

    def reaching(self, frame: Frame, *, before: Duration, after: Duration) -> Windows:
        """Return windows that reach further back and ahead than the range says."""
        run = frame.run
        run.check()
        ends, width = self.selector.times(frame), self.width(frame)
        starts, stops = ends - width - before, ends + after
        querier = run.querier.reaching(int(starts[0]))
        selection = self.selector.select(querier)
        guard_cells(run, len(selection.refs), len(ends))
        if len(ends) > 1 and ends[1] - ends[0] >= width + before + after:
            values, times, low, high = _apart(run, querier, selection.refs, starts, stops)
        else:
            found = querier.window(selection.refs, int(starts[0]), int(stops[-1]))
            values, times = found.values, found.times
            low, high = edges(times, found.offsets, starts, stops)
        guard_cells(run, len(values), 1)
        windows = Windows(selection.series, values, times, low, high, ends, width)
        lookup = querier.histograms(selection.refs)
        if lookup is None:
            return windows
        return with_histograms(windows, lookup, statistics=self.selector.statistics)


def _parts(ends: Times, width: Duration, rows: int) -> Iterator[slice]:
    """Split instants so that no part is large; windows that lie apart are read one by one."""
    size = max(1, _PART_CELLS // max(rows, 1))
    if len(ends) > 1 and ends[1] - ends[0] >= width:
        size = 1
    for first in range(0, len(ends), size):
        yield slice(first, first + size)


def _read(run: Run, querier: Querier, refs: Refs, ends: Times, width: Duration) -> Windows:
    """Return the windows of some series, whose labels nobody asks for."""
    starts = ends - width
    found = querier.window(refs, int(starts[0]), int(ends[-1]))
    guard_cells(run, len(found.values), 1)
    low, high = edges(found.times, found.offsets, starts, ends)
    return Windows(NO_SERIES, found.values, found.times, low, high, ends, width)


def _apart(
    run: Run, querier: Querier, refs: Refs, starts: Times, ends: Times
) -> tuple[Values, Times, Refs, Refs]:
    """Read windows that do not overlap one by one, without what lies between them."""
    found = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        run.check()
        found.append(querier.window(refs, start, end))
    sizes = [len(window.values) for window in found]
    bases = np.cumsum([0, *sizes[:-1]])
    offsets = np.stack([w.offsets + base for w, base in zip(found, bases, strict=True)], axis=1)
    return (
        np.concatenate([window.values for window in found]),
        np.concatenate([window.times for window in found]),
        offsets[:-1],
        offsets[1:],
    )


def edges(times: Times, offsets: Refs, starts: Times, ends: Times) -> tuple[Refs, Refs]:
    """Return where each window (start, end] begins and ends in the flat samples.

    `offsets` (n + 1,) bounds each series' samples, all within
    (starts[0], ends[-1]]. One search for all: a sample's key is its series'
    number times the whole span, plus its time.
    """
    if len(ends) == 1:
        return offsets[:-1, None], offsets[1:, None]
    number = np.arange(len(offsets) - 1, dtype=np.int64)
    base = int(starts[0])
    span = int(ends[-1]) - base + 1
    keys = np.repeat(number * span, np.diff(offsets)) + (times - base)
    first = (number * span)[:, None]
    low = np.searchsorted(keys, first + (starts - base), side="right")
    high = np.searchsorted(keys, first + (ends - base), side="right")
    return low, high


class Subquery:
    """`expr[range:step]`: an instant vector evaluated again and again."""

    __slots__ = ("expr", "inner")

    extended = False

    def __init__(self, expr: SubqueryExpr, inner: VectorNode) -> None:
        self.expr = expr
        self.inner = inner

    def windows(self, frame: Frame) -> Windows:
        run = frame.run
        run.check()
        width = resolve_positive(self.expr.range, frame)
        step = run.options.default_step
        if self.expr.step is not None:
            step = resolve_positive(self.expr.step, frame)
        ends = pinned_times(self.expr, frame)
        # Steps stand on absolute multiples, the first one inside the window.
        first = (int(ends[0]) - width) // step * step + step
        guard_cells(run, (int(ends[-1]) - first) // step + 1, 1)
        times = np.arange(first, int(ends[-1]) + 1, step, dtype=np.int64)
        if not len(times):
            none = np.zeros((0, len(ends)), dtype=np.int64)
            return Windows(NO_SERIES, np.zeros(0), np.zeros(0, np.int64), none, none, ends, width)
        block = self.inner.evaluate(frame.at(times))
        offsets = np.r_[0, np.cumsum(np.count_nonzero(block.present, axis=1))]
        shape = block.present.shape
        flat_times = np.broadcast_to(times, shape)[block.present]
        low, high = edges(flat_times, offsets, ends - width, ends)
        values, objects = block.values[block.present], block.histograms
        histograms = None if objects is None else unhinted(objects[block.present])
        return Windows(block.series, values, flat_times, low, high, ends, width, histograms)
