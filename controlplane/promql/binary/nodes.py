"""Binary operators as parts of a plan."""

import numpy as np

from controlplane.model.histogram import Histograms
from controlplane.model.labels import Labels
from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.ast import BinaryExpr, Cardinality
from controlplane.promql.binary.arithmetic import CALCULATE, COMPARE, scalar_result
from controlplane.promql.binary.matching import (
    ABSENT,
    Pairing,
    counts_by_signature,
    matched_labels,
    pair,
)
from controlplane.promql.binary.mixed import TRIMS, Operands, involved, operate
from controlplane.promql.cells import floats_of, joined, no_histograms
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Block, Frame, ScalarNode, VectorNode, empty
from controlplane.promql.naming import drop_names, relabelled
from controlplane.promql.quoting import quote
from controlplane.promql.series import Memo, Relabelled, SeriesSet


class ScalarBinary:
    """An operator between numbers."""

    __slots__ = ("left", "op", "right")

    def __init__(self, op: str, left: ScalarNode, right: ScalarNode) -> None:
        self.op, self.left, self.right = op, left, right

    def scalar(self, frame: Frame) -> Values:
        return scalar_result(self.op, self.left.scalar(frame), self.right.scalar(frame))


class VectorScalar:
    """An operator between a vector and a number; `swapped` when the number stands left."""

    __slots__ = ("_late", "expr", "number", "swapped", "vector")

    def __init__(
        self, expr: BinaryExpr, vector: VectorNode, number: ScalarNode, *, swapped: bool, late: bool
    ) -> None:
        self.expr = expr
        self.vector = vector
        self.number = number
        self.swapped = swapped
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        block = self.vector.evaluate(frame)
        number = self.number.scalar(frame)
        run.check()
        left, right = (number, block.values) if self.swapped else (block.values, number)
        if block.histograms is None and self.expr.op not in TRIMS:
            result = self._combine(block, left, right)
        else:
            result = self._mixed(block, left, right, frame)
        run.hold(before, result.values, result.present)
        return result

    def _combine(self, block: Block, left: Values, right: Values) -> Block:
        op = self.expr.op
        if op in CALCULATE:
            values = CALCULATE[op](left, right)
            return drop_names(Block(block.series, values, block.present), late=self._late)
        if op not in COMPARE:
            return Block(block.series, block.values, np.zeros_like(block.present))
        holds = COMPARE[op](left, right)
        if self.expr.return_bool:
            marked = Block(block.series, holds.astype(np.float64), block.present)
            return drop_names(marked, late=self._late)
        return Block(block.series, block.values, block.present & holds)

    def _mixed(self, block: Block, left: Values, right: Values, frame: Frame) -> Block:
        op, shape = self.expr.op, block.present.shape
        sides = [
            Operands(np.broadcast_to(values, shape), block.histograms if is_vector else None)
            for values, is_vector in ((left, not self.swapped), (right, self.swapped))
        ]
        pairs = involved(sides[0], sides[1], block.present, op)
        floats = self._combine(floats_of(block), left, right)
        values, present, histograms = operate(self.expr, sides[0], sides[1], pairs, frame)
        found = Block(block.series, values, present, histograms)
        if op in CALCULATE or self.expr.return_bool:
            found = drop_names(found, late=self._late)
        return joined(floats, found)


class VectorVector:
    """An operator between two vectors, other than `and`, `or`, `unless`."""

    __slots__ = ("_late", "_pairings", "expr", "left", "right")

    def __init__(
        self, expr: BinaryExpr, left: VectorNode, right: VectorNode, *, late: bool
    ) -> None:
        self.expr = expr
        self.left = left
        self.right = right
        self._late = late
        self._pairings: Memo[Pairing] = Memo()

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        left, right = self.left.evaluate(frame), self.right.evaluate(frame)
        run.check()
        matching = self.expr.matching
        filling = matching.fill_left is not None or matching.fill_right is not None
        nothing = not len(left.series) or not len(right.series)
        result = empty(frame.steps) if nothing and not filling else self._match(left, right, frame)
        run.hold(before, result.values, result.present)
        return result

    def _match(self, left: Block, right: Block, frame: Frame) -> Block:
        swapped = self.expr.matching.cardinality is Cardinality.ONE_TO_MANY
        many, one = (right, left) if swapped else (left, right)
        pairing = self._pairings.get(self._pair, many.series, one.series)
        self._check_one_side(pairing, many, one)
        present = self._presence(pairing, many, one)
        self._check_many_side(pairing, present)
        many_values = _gather(many.values, pairing.many, self._fill(many_side=True))
        one_values = _gather(one.values, pairing.one, self._fill(many_side=False))
        ours, theirs = (one_values, many_values) if swapped else (many_values, one_values)
        if many.histograms is None and one.histograms is None and self.expr.op not in TRIMS:
            values, present = self._combine(ours, theirs, present)
            result = Block(pairing.series, values, present)
        else:
            objects = [
                _gather_objects(many.histograms, pairing.many, present.shape),
                _gather_objects(one.histograms, pairing.one, present.shape),
            ]
            left_objects, right_objects = reversed(objects) if swapped else objects
            sides = Operands(ours, left_objects), Operands(theirs, right_objects)
            result = self._mixed(pairing, sides, present, frame)
        return relabelled(result, Relabelled(pairing.series, pairing.merge))

    def _mixed(
        self, pairing: Pairing, sides: tuple[Operands, Operands], present: Mask, frame: Frame
    ) -> Block:
        left, right = sides
        pairs = involved(left, right, present, self.expr.op)
        values, floats = self._combine(left.values, right.values, present & ~pairs)
        found, there, histograms = operate(self.expr, left, right, pairs, frame)
        values = np.where(pairs, found, values)
        return Block(pairing.series, values, floats | there, histograms)

    def _pair(self, many: SeriesSet, one: SeriesSet) -> Pairing:
        return pair(many, one, self.expr, late=self._late)

    def _fill(self, *, many_side: bool) -> float | None:
        matching = self.expr.matching
        return matching.fill_left if many_side else matching.fill_right

    def _combine(self, left: Values, right: Values, present: Mask) -> tuple[Values, Mask]:
        op = self.expr.op
        if op in CALCULATE:
            return CALCULATE[op](left, right), present
        if op not in COMPARE:
            return left, np.zeros_like(present)
        holds = COMPARE[op](left, right)
        if self.expr.return_bool:
            return holds.astype(np.float64), present
        return left, present & holds

    def _presence(self, pairing: Pairing, many: Block, one: Block) -> Mask:
        """Return at which instants each pair is there (k columns)."""
        matching = self.expr.matching
        if matching.fill_left is None and matching.fill_right is None:
            left = many.present if pairing.identity else many.present[pairing.many]
            present: Mask = left & one.present[pairing.one]
            return present
        any_many = counts_by_signature(many.present, pairing.signatures_many, pairing.size) > 0
        any_one = counts_by_signature(one.present, pairing.signatures_one, pairing.size) > 0
        # A filled-in partner is there exactly when no real one is.
        numbers_one = _gathered(pairing.signatures_many, pairing.many)
        numbers_many = _gathered(pairing.signatures_one, pairing.one)
        there_many = _gather_mask(many.present, pairing.many, ~any_many[numbers_many])
        there_one = _gather_mask(one.present, pairing.one, ~any_one[numbers_one])
        return there_many & there_one

    def _check_one_side(self, pairing: Pairing, many: Block, one: Block) -> None:
        if pairing.one_unique:
            return
        counted = counts_by_signature(one.present, pairing.signatures_one, pairing.size)
        filling = self._fill(many_side=True) is not None or self._fill(many_side=False) is not None
        meets = filling or np.any(many.present, axis=0)
        twice = (counted > 1) & meets
        if not twice.any():
            return
        step = int(np.flatnonzero(twice.any(axis=0))[0])
        number = int(np.flatnonzero(twice[:, step])[0])
        rows = np.flatnonzero((pairing.signatures_one == number) & one.present[:, step])
        shown = sorted(bracketed(one.series.labels[row]) for row in rows[:2].tolist())
        group = matched_labels(one.series.labels[int(rows[0])], self.expr.matching)
        swapped = self.expr.matching.cardinality is Cardinality.ONE_TO_MANY
        raise EvaluationError(
            f"found duplicate series for the match group {bracketed(group)} on the "
            f"{'left' if swapped else 'right'} hand-side of the operation: [{', '.join(shown)}]"
            ";many-to-many matching not allowed: matching labels must be unique on one side"
        )

    def _check_many_side(self, pairing: Pairing, present: Mask) -> None:
        if self.expr.matching.cardinality is not Cardinality.ONE_TO_ONE:
            if pairing.clashes is not None:
                message = "multiple matches for labels: grouping labels must ensure unique matches"
                pairing.clashes.apply(np.zeros(present.shape), present, message=message)
            return
        if pairing.many_unique:
            return
        real = pairing.many != ABSENT
        numbers = pairing.signatures_many[pairing.many[real]]
        if (counts_by_signature(present[real], numbers, pairing.size) > 1).any():
            raise EvaluationError(
                "multiple matches for labels: many-to-one matching must be explicit "
                "(group_left/group_right)"
            )


def bracketed(labels: Labels) -> str:
    """Return a label set with its name inside the braces, as upstream's messages have it."""
    pairs = ", ".join(f"{name}={quote(value)}" for name, value in labels.pairs)
    return f"{{{pairs}}}"


def _gather(values: Values, rows: Refs, fill: float | None) -> Values:
    if fill is None:
        return values[rows]
    if not len(values):
        return np.full((len(rows), values.shape[1]), fill)
    return np.where((rows == ABSENT)[:, None], fill, values[rows])


def _gather_objects(
    histograms: Histograms | None, rows: Refs, shape: tuple[int, ...]
) -> Histograms | None:
    if histograms is None or not len(histograms):
        return None
    return np.where((rows == ABSENT)[:, None], no_histograms(shape), histograms[rows])


def _gathered(numbers: Refs, rows: Refs) -> Refs:
    return numbers[rows] if len(numbers) else np.zeros(len(rows), dtype=np.int64)


def _gather_mask(present: Mask, rows: Refs, absent: Mask) -> Mask:
    if not len(present):
        return absent
    return np.where((rows == ABSENT)[:, None], absent, present[rows])
