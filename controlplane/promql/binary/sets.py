"""`and`, `or`, `unless`: which series of two sides are kept."""

import numpy as np

from controlplane.model.samples import Mask, Refs
from controlplane.promql.ast import BinaryExpr
from controlplane.promql.binary.matching import Signatures, signatures
from controlplane.promql.cells import concatenated
from controlplane.promql.frame import Block, Frame, VectorNode
from controlplane.promql.naming import relabelled
from controlplane.promql.series import Memo, Relabelled, SeriesSet, merge_equal


class SetOperation:
    """A set operator; samples of the left side stay as they are."""

    __slots__ = ("_joined", "_signatures", "expr", "left", "right")

    def __init__(self, expr: BinaryExpr, left: VectorNode, right: VectorNode) -> None:
        self.expr = expr
        self.left = left
        self.right = right
        self._signatures: Memo[Signatures] = Memo()
        self._joined: Memo[Relabelled] = Memo()

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        left, right = self.left.evaluate(frame), self.right.evaluate(frame)
        run.check()
        result = self._combine(left, right)
        run.hold(before, result.values, result.present)
        return result

    def _combine(self, left: Block, right: Block) -> Block:
        op = self.expr.op
        if not len(left.series):
            return right if op == "or" else left
        if not len(right.series):
            return left if op != "and" else right
        numbers = self._signatures.get(self._sign, left.series, right.series)
        if op == "or":
            return self._union(left, right, numbers)
        on_right = any_by_signature(right.present, numbers.right, numbers.size)[numbers.left]
        if op == "unless":
            on_right = ~on_right
        return Block(left.series, left.values, left.present & on_right, left.histograms)

    def _sign(self, left: SeriesSet, right: SeriesSet) -> Signatures:
        return signatures(left, right, self.expr.matching)

    def _union(self, left: Block, right: Block, numbers: Signatures) -> Block:
        on_left = any_by_signature(left.present, numbers.left, numbers.size)[numbers.right]
        joined = self._joined.get(join, left.series, right.series)
        values = np.concatenate([left.values, right.values])
        present = np.concatenate([left.present, right.present & ~on_left])
        stacked = Block(SeriesSet(()), values, present, concatenated((left, right)))
        return relabelled(stacked, joined)


def join(left: SeriesSet, right: SeriesSet) -> Relabelled:
    """Return the series of both sides, each label set once."""
    drops = None
    if left.drops is not None or right.drops is not None:
        drops = np.concatenate([_drops(left), _drops(right)])
    return merge_equal([*left.labels, *right.labels], drops)


def _drops(series: SeriesSet) -> Mask:
    return np.zeros(len(series), dtype=bool) if series.drops is None else series.drops


def any_by_signature(present: Mask, numbers: Refs, size: int) -> Mask:
    """Return whether any row of a signature is present at each instant, (size, k)."""
    found = np.zeros((size, present.shape[1]), dtype=bool)
    np.logical_or.at(found, numbers, present)
    return found
