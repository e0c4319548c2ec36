"""Aggregations as parts of a plan."""

import numpy as np

from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, Values
from controlplane.promql.aggregations.choosing import best, by_value, first, fixed_shares, sampled
from controlplane.promql.aggregations.grouping import Grouping, group
from controlplane.promql.aggregations.reducing import REDUCTIONS, quantiles
from controlplane.promql.ast import AggregateExpr
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Block, Frame, ScalarNode, VectorNode, empty
from controlplane.promql.numbers import format_general, format_plain
from controlplane.promql.series import Memo, SeriesSet


class _Aggregation:
    """What all have in common: the grouping, kept for the series it was made for."""

    __slots__ = ("_groupings", "expr", "inner")

    def __init__(self, expr: AggregateExpr, inner: VectorNode) -> None:
        self.expr = expr
        self.inner = inner
        self._groupings: Memo[Grouping] = Memo()

    def grouping(self, series: SeriesSet) -> Grouping:
        return self._groupings.get(self._group, series)

    def _group(self, series: SeriesSet) -> Grouping:
        return group(series, self.expr.grouping, without=self.expr.without)

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        block = self.inner.evaluate(frame)
        run.check()
        result = self.compute(block, frame) if len(block.series) else empty(frame.steps)
        run.hold(before, result.values, result.present)
        return result

    def compute(self, block: Block, frame: Frame) -> Block:
        raise AssertionError("each aggregation computes in its own way")


class Reduce(_Aggregation):
    """sum, avg, min, max, count, group, stddev, stdvar."""

    __slots__ = ()

    def compute(self, block: Block, frame: Frame) -> Block:
        grouping = self.grouping(block.series)
        values = REDUCTIONS[self.expr.op](block.values, block.present, grouping)
        return Block(grouping.series, values, occupied(block, grouping))


def occupied(block: Block, grouping: Grouping) -> np.ndarray:  # type: ignore[type-arg]
    """Return where a group has any value at all."""
    if block.present.all():
        return np.ones((grouping.size, block.present.shape[1]), dtype=bool)
    ordered = block.present[grouping.segments.order]
    result: np.ndarray = np.logical_or.reduceat(ordered, grouping.starts, axis=0)  # type: ignore[type-arg]
    return result


class _WithParameter(_Aggregation):
    """An aggregation with a number that may differ from instant to instant."""

    __slots__ = ("param",)

    def __init__(self, expr: AggregateExpr, inner: VectorNode, param: ScalarNode) -> None:
        super().__init__(expr, inner)
        self.param = param


class Quantile(_WithParameter):
    """quantile(q, ...)."""

    __slots__ = ()

    def compute(self, block: Block, frame: Frame) -> Block:
        rank = self.param.scalar(frame)
        assert self.expr.param is not None
        warn_of_rank(rank, frame, self.expr.param.span)
        grouping = self.grouping(block.series)
        values = quantiles(rank, block.values, block.present, grouping)
        return Block(grouping.series, values, occupied(block, grouping))


def warn_of_rank(rank: Values, frame: Frame, span: "object") -> None:
    """Warn of ranks that are no quantile."""
    outside = rank[~((rank >= 0) & (rank <= 1))]
    for value in dict.fromkeys("NaN" if q != q else format_general(q) for q in outside.tolist()):
        text = f"quantile value should be between 0 and 1, got {value}"
        frame.run.annotations.warn(text, span)  # type: ignore[arg-type]


class Choose(_WithParameter):
    """topk, bottomk, limitk: series as they are, at most k a group."""

    __slots__ = ()

    def compute(self, block: Block, frame: Frame) -> Block:
        limits = _limits(self.param.scalar(frame))
        if limits is None:
            return empty(frame.steps)
        grouping = self.grouping(block.series)
        if self.expr.op == "limitk":
            chosen = first(limits, block.present, grouping)
            return Block(block.series, block.values, chosen)
        largest = self.expr.op == "topk"
        chosen = best(limits, block.values, block.present, grouping, largest=largest)
        if frame.query_step == 0 and frame.steps == 1:
            return _sorted(block, chosen, grouping, largest=largest)
        return Block(block.series, block.values, chosen)


def _limits(parameter: Values) -> Refs | None:
    """Return k at each instant, or None when it is below one everywhere."""
    if np.isnan(parameter).any():
        if (
            parameter.max(initial=-np.inf, where=~np.isnan(parameter)) < 1
            and not np.isnan(parameter).all()
        ):
            return None
        raise EvaluationError("Parameter value is NaN")
    if parameter.max() < 1:
        return None
    if parameter.min() <= -(2.0**63):
        raise EvaluationError(f"Scalar value {format_general(parameter.min())} underflows int64")
    if parameter.max() >= 2.0**63:
        raise EvaluationError(f"Scalar value {format_general(parameter.max())} overflows int64")
    limits: Refs = parameter.astype(np.int64)
    return limits


def _sorted(block: Block, chosen: Values, grouping: Grouping, *, largest: bool) -> Block:
    """Return the chosen rows of one instant, best first within each group."""
    rows = np.flatnonzero(chosen[:, 0])
    order = by_value(block.values[rows, 0], grouping.groups[rows], largest=largest)
    rows = rows[order]
    return Block(block.series.take(rows), block.values[rows], block.present[rows])


class LimitRatio(_WithParameter):
    """limit_ratio(r, ...): a share of the series, always the same ones."""

    __slots__ = ()

    def compute(self, block: Block, frame: Frame) -> Block:
        ratio = self.param.scalar(frame)
        if np.isnan(ratio).any():
            raise EvaluationError("Ratio value is NaN")
        assert self.expr.param is not None
        for bound, worst in ((1.0, ratio.max()), (-1.0, ratio.min())):
            if abs(worst) > 1 and (worst > 0) == (bound > 0):
                text = (
                    f"ratio value should be between -1 and 1, got {format_general(worst)}, "
                    f"capping to {format_general(bound)}"
                )
                frame.run.annotations.warn(text, self.expr.param.span)
        shares = block.series.kept("shares", lambda s: fixed_shares(s.labels))
        return Block(block.series, block.values, sampled(ratio, block.present, shares))


class CountValues(_Aggregation):
    """count_values("label", ...): how many series have each value."""

    __slots__ = ("label",)

    def __init__(self, expr: AggregateExpr, inner: VectorNode, label: str) -> None:
        super().__init__(expr, inner)
        self.label = label

    def compute(self, block: Block, frame: Frame) -> Block:
        names = self.expr.grouping
        keys: dict[Labels, int] = {}
        cells: list[tuple[int, int]] = []
        for row, labels in enumerate(block.series.labels):
            for step in np.flatnonzero(block.present[row]).tolist():
                valued = labels.merge({self.label: format_plain(float(block.values[row, step]))})
                if self.expr.without:
                    key = valued.drop("__name__", *names)
                else:
                    # Upstream puts the value's label into the grouping.
                    key = valued.keep((*names, self.label))
                cells.append((keys.setdefault(key, len(keys)), step))
        values = np.zeros((len(keys), frame.steps))
        for row, step in cells:
            values[row, step] += 1
        return Block(SeriesSet(list(keys)), values, values > 0)
