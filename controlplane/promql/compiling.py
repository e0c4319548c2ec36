"""A tree into a plan's nodes."""

from dataclasses import dataclass, field
from typing import cast

import numpy as np

from controlplane.model.samples import Values
from controlplane.promql.aggregations.nodes import (
    Choose,
    CountValues,
    LimitRatio,
    Quantile,
    Reduce,
)
from controlplane.promql.aggregations.reducing import REDUCTIONS
from controlplane.promql.ast import (
    SET_OPERATORS,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorSelector,
    unwrap,
)
from controlplane.promql.binary.nodes import ScalarBinary, VectorScalar, VectorVector
from controlplane.promql.binary.sets import SetOperation
from controlplane.promql.cells import scaled
from controlplane.promql.extended import EdgeValues, SmoothedInstant
from controlplane.promql.frame import Block, Frame, MatrixNode, ScalarNode, VectorNode
from controlplane.promql.functions.arguments import Arguments
from controlplane.promql.functions.signatures import SIGNATURES
from controlplane.promql.functions.table import FUNCTIONS
from controlplane.promql.naming import drop_names
from controlplane.promql.selecting import InstantSelection, RangeSelection, Selector, Subquery
from controlplane.promql.selections import Choices


def type_of(expr: Expr) -> ValueType:
    """Return the type of a tree that was checked."""
    match unwrap(expr):
        case NumberLiteral():
            return ValueType.SCALAR
        case StringLiteral():
            return ValueType.STRING
        case MatrixSelector() | SubqueryExpr():
            return ValueType.MATRIX
        case UnaryExpr(expr=inner):
            return type_of(inner)
        case Call(function=name):
            return SIGNATURES[name].returns
        case BinaryExpr(left=left, right=right):
            scalars = type_of(left) is ValueType.SCALAR and type_of(right) is ValueType.SCALAR
            return ValueType.SCALAR if scalars else ValueType.VECTOR
        case _:
            return ValueType.VECTOR


class _Literal:
    """A number."""

    __slots__ = ("_value",)

    def __init__(self, value: float) -> None:
        self._value = value

    def scalar(self, frame: Frame) -> Values:
        return np.full(frame.steps, self._value)


class _NegatedScalar:
    __slots__ = ("_inner",)

    def __init__(self, inner: ScalarNode) -> None:
        self._inner = inner

    def scalar(self, frame: Frame) -> Values:
        return -self._inner.scalar(frame)


class _NegatedVector:
    __slots__ = ("_inner", "_late")

    def __init__(self, inner: VectorNode, *, late: bool) -> None:
        self._inner = inner
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        block = self._inner.evaluate(frame)
        objects = None if block.histograms is None else scaled(block.histograms, -1.0)
        negated = Block(block.series, -block.values, block.present, objects)
        return drop_names(negated, late=self._late)


@dataclass(slots=True)
class Compiler:
    """Compiles one tree; collects the selectors that it meets.

    `statistics` are the ids of the selectors whose histograms need no buckets.
    """

    late: bool
    choices: Choices
    statistics: frozenset[int] = frozenset()
    selectors: list[Selector] = field(default_factory=list)

    def vector(self, expr: Expr) -> VectorNode:
        """Return the node of an expression of type instant vector."""
        match unwrap(expr):
            case VectorSelector(smoothed=True) as selector:
                return SmoothedInstant(self._selector(selector))
            case VectorSelector() as selector:
                return InstantSelection(self._selector(selector))
            case UnaryExpr(op=op, expr=inner):
                node = self.vector(inner)
                return node if op == "+" else _NegatedVector(node, late=self.late)
            case AggregateExpr() as aggregation:
                return self._aggregation(aggregation)
            case BinaryExpr() as binary:
                return self._binary(binary)
            case Call() as call:
                return cast(VectorNode, self._call(call))
            case other:
                raise AssertionError(f"no instant vector: {other!r}")

    def scalar(self, expr: Expr) -> ScalarNode:
        """Return the node of an expression of type scalar."""
        match unwrap(expr):
            case NumberLiteral(value=value):
                return _Literal(value)
            case UnaryExpr(op=op, expr=inner):
                node = self.scalar(inner)
                return node if op == "+" else _NegatedScalar(node)
            case BinaryExpr(op=op, left=left, right=right):
                return ScalarBinary(op, self.scalar(left), self.scalar(right))
            case Call() as call:
                return cast(ScalarNode, self._call(call))
            case other:
                raise AssertionError(f"no scalar: {other!r}")

    def matrix(self, expr: Expr) -> RangeSelection | Subquery:
        """Return the node of an expression of type range vector."""
        match unwrap(expr):
            case MatrixSelector() as matrix:
                return RangeSelection(matrix, self._selector(matrix.selector))
            case SubqueryExpr() as subquery:
                return Subquery(subquery, self.vector(subquery.expr))
            case other:
                raise AssertionError(f"no range vector: {other!r}")

    def samples(self, expr: Expr) -> MatrixNode:
        """Return the node of a range vector whose samples are the answer themselves."""
        node = self.matrix(expr)
        if isinstance(node, RangeSelection) and node.extended:
            return EdgeValues(node)
        return node

    def _selector(self, expr: VectorSelector) -> Selector:
        statistics = id(expr) in self.statistics
        selector = Selector(expr, self.choices.of(expr.matchers), statistics=statistics)
        self.selectors.append(selector)
        return selector

    def _call(self, call: Call) -> VectorNode | ScalarNode:
        arguments = Arguments(
            call, self.late, self.selectors, self.vector, self.scalar, self.matrix
        )
        return FUNCTIONS[call.function](arguments)

    def _aggregation(self, expr: AggregateExpr) -> VectorNode:
        inner = self.vector(expr.expr)
        if expr.op in REDUCTIONS:
            return Reduce(expr, inner)
        if expr.op == "count_values":
            label = cast(StringLiteral, unwrap(cast(Expr, expr.param)))
            return CountValues(expr, inner, label.value)
        param = self.scalar(cast(Expr, expr.param))
        if expr.op == "quantile":
            return Quantile(expr, inner, param)
        if expr.op == "limit_ratio":
            return LimitRatio(expr, inner, param)
        return Choose(expr, inner, param)

    def _binary(self, expr: BinaryExpr) -> VectorNode:
        left_is_scalar = type_of(expr.left) is ValueType.SCALAR
        right_is_scalar = type_of(expr.right) is ValueType.SCALAR
        if left_is_scalar:
            number, vector = self.scalar(expr.left), self.vector(expr.right)
            return VectorScalar(expr, vector, number, swapped=True, late=self.late)
        left = self.vector(expr.left)
        if right_is_scalar:
            number = self.scalar(expr.right)
            return VectorScalar(expr, left, number, swapped=False, late=self.late)
        right = self.vector(expr.right)
        if expr.op in SET_OPERATORS:
            return SetOperation(expr, left, right)
        return VectorVector(expr, left, right, late=self.late)
