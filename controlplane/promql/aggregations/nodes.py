"""Aggregations as parts of a plan."""

from abc import ABC, abstractmethod
from typing import Final

import numpy as np

from controlplane.model.labels import METRIC_NAME, Labels, is_utf8
from controlplane.model.samples import Mask, Values
from controlplane.promql.aggregations.choosing import best, by_value, first, fixed_shares, sampled
from controlplane.promql.aggregations.grouping import Grouping, group
from controlplane.promql.aggregations.mixed import (
    INDIFFERENT,
    SUMMING,
    ignored,
    mixed_up,
    summed,
)
from controlplane.promql.aggregations.reducing import REDUCTIONS, quantiles
from controlplane.promql.ast import AggregateExpr, Span
from controlplane.promql.cells import floats_of, histogram_cells
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Block, Frame, ScalarNode, VectorNode, empty
from controlplane.promql.histograms.text import printed
from controlplane.promql.numbers import format_general, format_plain
from controlplane.promql.quoting import quote
from controlplane.promql.series import SeriesSet

_NO_PARAMETER: Final[Values] = np.zeros(0)


class _Aggregation(ABC):
    """What all have in common: the grouping, kept for the series it was made for."""

    __slots__ = ("expr", "inner")

    def __init__(self, expr: AggregateExpr, inner: VectorNode) -> None:
        self.expr = expr
        self.inner = inner

    def grouping(self, series: SeriesSet) -> Grouping:
        names, without = tuple(self.expr.grouping), self.expr.without
        return series.kept(("group", names, without), lambda s: group(s, names, without=without))

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        parameter = self.parameter(frame)
        block = self.inner.evaluate(frame)
        run.check()
        if len(block.series) and parameter is not None:
            result = self.compute(block, frame, parameter)
        else:
            result = empty(frame.steps)
        run.hold(before, result.values, result.present)
        return result

    def parameter(self, frame: Frame) -> Values | None:  # noqa: ARG002 - for those that have one
        """Return the checked parameter at each instant; None when nothing can come of it."""
        return _NO_PARAMETER

    @abstractmethod
    def compute(self, block: Block, frame: Frame, parameter: Values) -> Block:
        """Return the groups, or the chosen series, of a block that is not empty."""


class Reduce(_Aggregation):
    """sum, avg, min, max, count, group, stddev, stdvar."""

    __slots__ = ()

    def compute(self, block: Block, frame: Frame, parameter: Values) -> Block:  # noqa: ARG002 - a shape for all
        grouping, op = self.grouping(block.series), self.expr.op
        if block.histograms is not None and op not in INDIFFERENT:
            return self._mixed(block, grouping, frame)

        def reduced() -> tuple[Values, Mask]:
            values = REDUCTIONS[op](block.values, block.present, grouping)
            return values, occupied(block, grouping)

        results = frame.run.results
        if not results.holds(block.values):
            return Block(grouping.series, *reduced())
        inputs = (grouping, block.values, block.present)
        return Block(grouping.series, *results.get(op, inputs, None, reduced))

    def _mixed(self, block: Block, grouping: Grouping, frame: Frame) -> Block:
        op, span = self.expr.op, self.expr.expr.span
        cells, floats = histogram_cells(block), floats_of(block)
        values = REDUCTIONS[op](floats.values, floats.present, grouping)
        there = occupied(floats, grouping)
        if op not in SUMMING:
            ignored(op, cells, frame, span)
            return Block(grouping.series, values, there)
        wanted = occupied(Block(block.series, block.values, cells), grouping)
        both = mixed_up(there, wanted, frame, span)
        found, summable = summed(op, block, grouping, wanted & ~both, frame, span)
        present = (there & ~both) | summable
        return Block(grouping.series, np.where(summable, 0.0, values), present, found)


def occupied(block: Block, grouping: Grouping) -> Mask:
    """Return where a group has any value at all."""
    if block.present.all():
        return np.ones((grouping.size, block.present.shape[1]), dtype=bool)
    ordered = block.present[grouping.segments.order]
    result: Mask = np.logical_or.reduceat(ordered, grouping.starts, axis=0)
    return result


class _WithParameter(_Aggregation):
    """An aggregation with a number that may differ from instant to instant."""

    __slots__ = ("param", "param_span")

    def __init__(self, expr: AggregateExpr, inner: VectorNode, param: ScalarNode) -> None:
        super().__init__(expr, inner)
        self.param = param
        self.param_span = expr.span if expr.param is None else expr.param.span


class Quantile(_WithParameter):
    """quantile(q, ...)."""

    __slots__ = ()

    def parameter(self, frame: Frame) -> Values | None:
        rank = self.param.scalar(frame)
        warn_of_rank(rank, frame, self.param_span)
        return rank

    def compute(self, block: Block, frame: Frame, parameter: Values) -> Block:
        grouping = self.grouping(block.series)
        ignored("quantile", histogram_cells(block), frame, self.expr.expr.span)
        block = floats_of(block)
        values = quantiles(parameter, block.values, block.present, grouping)
        return Block(grouping.series, values, occupied(block, grouping))


def warn_of_rank(rank: Values, frame: Frame, span: Span) -> None:
    """Warn of ranks that are no quantile."""
    outside = rank[~((rank >= 0) & (rank <= 1))]
    for value in dict.fromkeys(format_general(q) for q in outside.tolist()):
        text = f"quantile value should be between 0 and 1, got {value}"
        frame.run.annotations.warn(text, span)


class Choose(_WithParameter):
    """topk, bottomk, limitk: series as they are, at most k a group."""

    __slots__ = ()

    def parameter(self, frame: Frame) -> Values | None:
        """Return k at each instant, or None when it is below one everywhere."""
        limits = self.param.scalar(frame)
        if np.isnan(limits).any():
            raise EvaluationError("Parameter value is NaN")
        if limits.max() < 1:
            return None
        if limits.min() <= -(2.0**63):
            raise EvaluationError(f"Scalar value {format_general(limits.min())} underflows int64")
        if limits.max() >= 2.0**63:
            raise EvaluationError(f"Scalar value {format_general(limits.max())} overflows int64")
        return np.trunc(limits)

    def compute(self, block: Block, frame: Frame, parameter: Values) -> Block:
        limits, grouping = parameter.astype(np.int64), self.grouping(block.series)
        if self.expr.op == "limitk":
            chosen = first(limits, block.present, grouping)
            return Block(block.series, block.values, chosen, block.histograms)
        ignored(self.expr.op, histogram_cells(block) & (limits >= 1), frame, self.expr.span)
        block = floats_of(block)
        largest = self.expr.op == "topk"
        chosen = best(limits, block.values, block.present, grouping, largest=largest)
        if frame.query_step == 0 and frame.steps == 1:
            return _sorted(block, chosen, grouping, largest=largest)
        return Block(block.series, block.values, chosen)


def _sorted(block: Block, chosen: Mask, grouping: Grouping, *, largest: bool) -> Block:
    """Return the chosen rows of one instant, best first within each group."""
    rows = np.flatnonzero(chosen[:, 0])
    order = by_value(block.values[rows, 0], grouping.groups[rows], largest=largest)
    rows = rows[order]
    return Block(block.series.take(rows), block.values[rows], block.present[rows])


class LimitRatio(_WithParameter):
    """limit_ratio(r, ...): a share of the series, always the same ones."""

    __slots__ = ()

    def parameter(self, frame: Frame) -> Values | None:
        ratio = self.param.scalar(frame)
        if not ratio.any():
            return None
        if np.isnan(ratio).any():
            raise EvaluationError("Ratio value is NaN")
        for bound, worst in ((1.0, ratio.max()), (-1.0, ratio.min())):
            if abs(worst) > 1 and (worst > 0) == (bound > 0):
                text = (
                    f"ratio value should be between -1 and 1, got {format_general(worst)}, "
                    f"capping to {format_general(bound)}"
                )
                frame.run.annotations.warn(text, self.param_span)
        return ratio

    def compute(self, block: Block, frame: Frame, parameter: Values) -> Block:  # noqa: ARG002 - a shape for all
        shares = block.series.kept("shares", lambda s: fixed_shares(s.labels))
        chosen = sampled(parameter, block.present, shares)
        return Block(block.series, block.values, chosen, block.histograms)


def _shown(block: Block, row: int, step: int) -> str:
    found = None if block.histograms is None else block.histograms[row, step]
    return format_plain(float(block.values[row, step])) if found is None else printed(found)


class CountValues(_Aggregation):
    """count_values("label", ...): how many series have each value."""

    __slots__ = ("label",)

    def __init__(self, expr: AggregateExpr, inner: VectorNode, label: str) -> None:
        super().__init__(expr, inner)
        self.label = label

    def parameter(self, frame: Frame) -> Values | None:  # noqa: ARG002 - the label is fixed
        if not self.label or not is_utf8(self.label):
            raise EvaluationError(f"invalid label name {quote(self.label)}")
        return _NO_PARAMETER

    def compute(self, block: Block, frame: Frame, parameter: Values) -> Block:  # noqa: ARG002 - a shape for all
        names = self.expr.grouping
        keys: dict[Labels, int] = {}
        cells: list[tuple[int, int]] = []
        for row, labels in enumerate(block.series.labels):
            for step in np.flatnonzero(block.present[row]).tolist():
                valued = labels.merge({self.label: _shown(block, row, step)})
                if self.expr.without:
                    key = valued.drop(METRIC_NAME, *names)
                else:
                    # Upstream puts the value's label into the grouping.
                    key = valued.keep((*names, self.label))
                cells.append((keys.setdefault(key, len(keys)), step))
        values = np.zeros((len(keys), frame.steps))
        for row, step in cells:
            values[row, step] += 1
        return Block(SeriesSet(list(keys)), values, values > 0)
