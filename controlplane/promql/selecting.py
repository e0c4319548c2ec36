"""The leaves of a plan: selectors and subqueries, read from the store in columns."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final

import numpy as np

from controlplane.clock import Duration
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.promql.ast import Edge, MatrixSelector, Span, SubqueryExpr, VectorSelector
from controlplane.promql.durations import resolve, resolve_positive
from controlplane.promql.errors import TooManySamples
from controlplane.promql.frame import Block, Frame, Run, VectorNode, Windows, empty
from controlplane.promql.results import Columns
from controlplane.promql.selections import Choice, Selection

# However low the sample limit, arrays of this many cells are no danger.
_SMALL_CELLS: Final = 10_000_000
# Cells of windows that are computed in one go.
_PART_CELLS: Final = 4_000_000


class Selector:
    """Matchers with their offset and `@`; equal matchers may share one choice."""

    __slots__ = ("choice", "expr")

    def __init__(self, expr: VectorSelector, choice: Choice | None = None) -> None:
        self.expr = expr
        self.choice = choice or Choice(expr.matchers)

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
        block = widened(series, found.values, found.present, frame.steps)
        run.hold(before, block.values, block.present)
        return block


def widened(series: SeriesSet, values: Values, present: Mask, steps: int) -> Block:
    """Return the block, its one column repeated for all steps where `@` pinned it."""
    if values.shape[1] != steps:
        shape = (values.shape[0], steps)
        return Block(series, np.broadcast_to(values, shape), np.broadcast_to(present, shape))
    return Block(series, values, present)


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
        return Windows(selection.series, values, times, low, high, ends, width)


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
        values = block.values[block.present]
        return Windows(block.series, values, flat_times, low, high, ends, width)
