"""The syntax tree: frozen nodes with their place in the text.

Durations are milliseconds, or a duration expression that is resolved for each
query (`step()` differs between queries). Places take no part in equality, so
that a tree equals its printed and re-read self.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from controlplane.clock import Duration, Timestamp
from controlplane.model.matchers import Matcher


class Span(NamedTuple):
    """Offsets into the text: `start` is the first character, `end` one past the last."""

    start: int
    end: int


NOWHERE: Final = Span(0, 0)


class ValueType(StrEnum):
    """The four types of expression, named as upstream's messages name them."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    MATRIX = "range vector"
    STRING = "string"


class Edge(StrEnum):
    """`@ start()` and `@ end()`."""

    START = "start"
    END = "end"


class Cardinality(StrEnum):
    """How the two sides of a vector operation pair up."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number; `is_duration` when it was written like `5m` (the value is in seconds)."""

    value: float
    is_duration: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def __eq__(self, other: object) -> bool:
        """Equal as written: NaN is NaN here, and -0 is not 0."""
        return isinstance(other, NumberLiteral) and self._written == other._written

    def __hash__(self) -> int:
        return hash(self._written)

    @property
    def _written(self) -> tuple[str, bool]:
        return float(self.value).hex(), self.is_duration


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """A text."""

    value: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DurationExpr:
    """Experimental arithmetic on durations, in seconds.

    `op` is an operator (with `left` None for a sign), `step`, `range`,
    `max_of`, `min_of`, or `(` for parentheses around `right`.
    """

    op: str
    left: "DurationNode | None" = None
    right: "DurationNode | None" = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


DurationNode = NumberLiteral | DurationExpr
# A duration in milliseconds, or one to be resolved for each query.
Length = Duration | DurationExpr


@dataclass(frozen=True, slots=True)
class VectorSelector:
    """`name{matchers} offset 5m @ 0`; the matchers hold the name too."""

    name: str
    matchers: tuple[Matcher, ...]
    offset: Length = 0
    at: Timestamp | Edge | None = None
    anchored: bool = False
    smoothed: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """`selector[range]`; offset and `@` stand in the selector."""

    selector: VectorSelector
    range: Length
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SubqueryExpr:
    """`expr[range:step]`; without a step the engine's default is taken."""

    expr: "Expr"
    range: Length
    step: Length | None = None
    offset: Length = 0
    at: Timestamp | Edge | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ParenExpr:
    """An expression in parentheses."""

    expr: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UnaryExpr:
    """A sign before an expression that is no literal."""

    op: str
    expr: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class VectorMatching:
    """`on/ignoring (labels) group_left (include) fill (value)`."""

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    labels: tuple[str, ...] = ()
    on: bool = False
    include: tuple[str, ...] = ()
    fill_left: float | None = None
    fill_right: float | None = None


DEFAULT_MATCHING: Final = VectorMatching()


@dataclass(frozen=True, slots=True)
class BinaryExpr:
    """Two expressions and an operator; `matching` counts only between instant vectors."""

    op: str
    left: "Expr"
    right: "Expr"
    return_bool: bool = False
    matching: VectorMatching = DEFAULT_MATCHING
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AggregateExpr:
    """`op by (grouping) (param, expr)`."""

    op: str
    expr: "Expr"
    param: "Expr | None" = None
    grouping: tuple[str, ...] = ()
    without: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    args: "tuple[Expr, ...]"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expr = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | SubqueryExpr
    | ParenExpr
    | UnaryExpr
    | BinaryExpr
    | AggregateExpr
    | Call
)

COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
SET_OPERATORS: Final = frozenset({"and", "or", "unless"})
PARAMETER_AGGREGATIONS: Final = frozenset(
    {"topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"}
)


def children(node: Expr) -> tuple[Expr, ...]:
    """Return the direct parts of a node, in the order in which they are evaluated."""
    match node:
        case MatrixSelector(selector=selector):
            return (selector,)
        case SubqueryExpr(expr=expr) | ParenExpr(expr=expr) | UnaryExpr(expr=expr):
            return (expr,)
        case BinaryExpr(left=left, right=right):
            return (left, right)
        case AggregateExpr(expr=expr, param=param):
            return (expr,) if param is None else (param, expr)
        case Call(args=args):
            return args
        case _:
            return ()


def walk(node: Expr) -> Iterator[Expr]:
    """Yield a node and everything below it, parents first."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(children(node)))


def unwrap(node: Expr) -> Expr:
    """Return what stands inside any number of parentheses."""
    while isinstance(node, ParenExpr):
        node = node.expr
    return node
