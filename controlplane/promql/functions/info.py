"""Experimental info(): labels of info metrics put onto other series.

A series gets the labels of the info series (`target_info` unless the second
argument says otherwise) with the same `instance` and `job`. Which one that is
may change from instant to instant, and the labels of the answer with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.matchers import Matcher, MatchOp, matches_all
from controlplane.model.samples import Times
from controlplane.promql.ast import (
    Edge,
    Expr,
    Length,
    MatrixSelector,
    SubqueryExpr,
    VectorSelector,
    children,
)
from controlplane.promql.cells import filled, no_histograms
from controlplane.promql.durations import resolve
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Block, Frame, VectorNode
from controlplane.promql.selecting import Selector, guard_cells
from controlplane.promql.series import SeriesSet
from controlplane.tsdb.ports import Instants

_IDENTIFYING: Final = ("instance", "job")
_TARGET_INFO: Final = Matcher(METRIC_NAME, MatchOp.EQUAL, "target_info")
_ANY_INFO: Final = Matcher(METRIC_NAME, MatchOp.REGEX, ".+_info")

_Identity = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """When the info series are read: at `@` of the first selector, less these offsets."""

    at: int | Edge | None
    offsets: tuple[Length, ...]

    def times(self, frame: Frame) -> Times:
        offset = sum(resolve(length, frame) for length in self.offsets)
        if self.at is None:
            return frame.times - offset
        if isinstance(self.at, Edge):
            at = frame.start if self.at is Edge.START else frame.end
        else:
            at = self.at
        return np.full(frame.steps, at - offset, dtype=np.int64)


def reference(expr: Expr, around: tuple[SubqueryExpr, ...] = ()) -> Reference | None:
    """Return the reference of the first selector below an expression.

    Enclosing subqueries shift it until an `@` pins it.
    """
    if isinstance(expr, MatrixSelector):
        expr = expr.selector
    if isinstance(expr, VectorSelector):
        at = expr.at
        offsets: tuple[Length, ...] = (expr.offset,)
        for subquery in reversed(around):
            if at is not None:
                break
            at, offsets = subquery.at, (*offsets, subquery.offset)
        return Reference(at, offsets)
    inner = (*around, expr) if isinstance(expr, SubqueryExpr) else around
    found = (reference(child, inner) for child in children(expr))
    return next((one for one in found if one is not None), None)


def name_matchers(matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
    """Return which metrics are info metrics, from the names that the selector gives."""
    names = tuple(matcher for matcher in matchers if matcher.name == METRIC_NAME)
    if not names:
        return (_TARGET_INFO,)
    if any(matcher.op in (MatchOp.EQUAL, MatchOp.REGEX) for matcher in names):
        return names
    return (_ANY_INFO, *names)


class Info:
    """info(vector, selector)."""

    __slots__ = ("_data", "_names", "_reference", "selector", "vector")

    def __init__(
        self, vector: VectorNode, reference: Reference | None, label_selector: VectorSelector
    ) -> None:
        self.vector = vector
        self._reference = reference or Reference(None, ())
        self._data = [m for m in label_selector.matchers if m.name != METRIC_NAME]
        self._names = name_matchers(label_selector.matchers)
        wanted = (*self._names, *self._data)
        self.selector = Selector(replace(label_selector, matchers=wanted, offset=0, at=None))

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        block = self.vector.evaluate(frame)
        run.check()
        ignored = [matches_all(self._names, _only_name(ls)) for ls in block.series.labels]
        times = self._reference.times(frame)
        querier = run.querier.reaching(int(times[0]) - run.lookback)
        selection = self.selector.select(querier)
        guard_cells(run, len(selection.refs), frame.steps)
        found = querier.instants(selection.refs, times, run.lookback)
        lookup = querier.histograms(selection.refs)
        if lookup is not None and filled(lookup.resolve(found.values)[0])[found.present].any():
            raise EvaluationError("info sample should be float")
        infos = _Infos(selection.series.labels, found, block.series.labels, ignored)
        result = self._enriched(block, infos, ignored)
        run.hold(before, result.values, result.present)
        return result

    def _enriched(self, block: Block, infos: "_Infos", ignored: Sequence[bool]) -> Block:
        rows: dict[tuple[Labels, bool], int] = {}
        cells: list[tuple[int, int, int]] = []
        known: dict[tuple[int, tuple[int, ...]], Labels | None] = {}
        drops = block.series.drops
        for step in range(block.present.shape[1]):
            newest = infos.newest(step)
            for row in np.flatnonzero(block.present[:, step]).tolist():
                labels = block.series.labels[row]
                chosen = () if ignored[row] else newest.get(_identity(labels), ())
                if (row, chosen) not in known:
                    enriched = self._with_info(labels, [infos.labels[i] for i in chosen])
                    known[row, chosen] = labels if ignored[row] else enriched
                if (result := known[row, chosen]) is not None:
                    key = (result, drops is not None and bool(drops[row]))
                    cells.append((rows.setdefault(key, len(rows)), step, row))
        return _gathered(block, rows, cells)

    def _with_info(self, labels: Labels, infos: Sequence[Labels]) -> Labels | None:
        """Return the labels of a series with those of its info series; None drops it."""
        if not infos and not all(matcher.matches("") for matcher in self._data):
            return None
        wanted = {matcher.name for matcher in self._data}
        added: dict[str, str] = {}
        for info in infos:
            for name, value in info.pairs:
                if name == METRIC_NAME or (wanted and name not in wanted):
                    continue
                if added.get(name, value) != value:
                    raise EvaluationError(f"conflicting label: {name}")
                if name not in labels:
                    added[name] = value
        return labels.merge(added)


class _Infos:
    """Info series with their samples, by identity."""

    def __init__(
        self,
        labels: Sequence[Labels],
        found: Instants,
        base: Sequence[Labels],
        ignored: Sequence[bool],
    ) -> None:
        self.labels = labels
        self._found = found
        enriched = [ls for ls, ignore in zip(base, ignored, strict=True) if not ignore]
        values = {name: {ls.value(name) for ls in enriched if name in ls} for name in _IDENTIFYING}
        named = {name: known for name, known in values.items() if known}
        self._rows = [
            row
            for row, ls in enumerate(labels)
            if named and all(ls.value(name) in known for name, known in named.items())
        ]

    def newest(self, step: int) -> dict[_Identity, tuple[int, ...]]:
        """Return the newest info series of each metric at one instant, by identity."""
        by_name: dict[tuple[str, _Identity], int] = {}
        for row in self._rows:
            if not self._found.present[row, step]:
                continue
            key = (self.labels[row].name, _identity(self.labels[row]))
            other = by_name.get(key)
            if other is None or self._time(row, step) > self._time(other, step):
                by_name[key] = row
            elif self._time(row, step) == self._time(other, step):
                raise EvaluationError(
                    f"found duplicate series for info metric: existing {self.labels[other]} "
                    f"@ {self._time(other, step)}, new {self.labels[row]} "
                    f"@ {self._time(row, step)}"
                )
        chosen: dict[_Identity, tuple[int, ...]] = {}
        for (_, identity), row in sorted(by_name.items()):
            chosen[identity] = (*chosen.get(identity, ()), row)
        return chosen

    def _time(self, row: int, step: int) -> int:
        return int(self._found.times[row, step])


def _identity(labels: Labels) -> _Identity:
    return tuple([labels.value(name) for name in _IDENTIFYING])


def _only_name(labels: Labels) -> Labels:
    return labels.keep((METRIC_NAME,))


def _gathered(
    block: Block,
    rows: dict[tuple[Labels, bool], int],
    cells: Sequence[tuple[int, int, int]],
) -> Block:
    values = np.zeros((len(rows), block.values.shape[1]))
    objects = None if block.histograms is None else no_histograms(values.shape)
    present = np.zeros(values.shape, dtype=bool)
    for target, step, row in cells:
        if present[target, step]:
            raise EvaluationError("vector cannot contain metrics with the same labelset")
        values[target, step] = block.values[row, step]
        present[target, step] = True
        if objects is not None and block.histograms is not None:
            objects[target, step] = block.histograms[row, step]
    drops = None
    if block.series.drops is not None:
        drops = np.array([drop for _, drop in rows], dtype=bool)
    return Block(SeriesSet([labels for labels, _ in rows], drops), values, present, objects)
