"""What of an alert's expression is worth drawing: the side that is measured, and its limit."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.promql import printer
from controlplane.promql.ast import BinaryExpr, Expr, NumberLiteral, UnaryExpr, unwrap
from controlplane.promql.parser import parse

# A comparison, and what it is with its sides exchanged.
_MIRRORED: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
# Of these the left side is what is alerted on.
_SETS: Final = frozenset({"and", "unless"})


@dataclass(frozen=True, slots=True)
class Subject:
    """An expression, and what it is compared with; the alert fires where that holds."""

    expr: str
    comparison: str = ""
    threshold: float | None = None


@lru_cache(maxsize=1024)
def subject(text: str) -> Subject:
    """Return what to draw of `rate(errors[5m]) > 5`: the rate, and 5.

    An expression that is compared with no number is drawn as it is. Raises
    InvalidInput for what is no expression.
    """
    return _subject(parse(text, experimental=True), text)


def _subject(expr: Expr, text: str) -> Subject:
    expr = unwrap(expr)
    if not isinstance(expr, BinaryExpr):
        return Subject(text)
    if expr.op in _SETS:
        return _subject(expr.left, printer.format(expr.left))
    if expr.op not in _MIRRORED or expr.return_bool:
        return Subject(text)
    right, left = _number(expr.right), _number(expr.left)
    if right is not None:
        return Subject(printer.format(unwrap(expr.left)), expr.op, right)
    if left is not None:
        return Subject(printer.format(unwrap(expr.right)), _MIRRORED[expr.op], left)
    return Subject(text)


def _number(expr: Expr) -> float | None:
    """Return the number that an expression of numbers alone stands for."""
    expr = unwrap(expr)
    if isinstance(expr, NumberLiteral):
        return expr.value
    if isinstance(expr, UnaryExpr):
        value = _number(expr.expr)
        return value if value is None or expr.op == "+" else -value
    if isinstance(expr, BinaryExpr):
        left, right = _number(expr.left), _number(expr.right)
        if left is not None and right is not None:
            return _computed(expr.op, left, right)
    return None


def _computed(op: str, left: float, right: float) -> float | None:
    if op == "/" and right == 0:
        return None
    results = {"+": left + right, "-": left - right, "*": left * right}
    return left / right if op == "/" else results.get(op)


def threshold_of(text: str) -> Subject:
    """Return the subject of an expression; of one that cannot be read, just its text."""
    try:
        return subject(text)
    except InvalidInput:
        return Subject(text)
