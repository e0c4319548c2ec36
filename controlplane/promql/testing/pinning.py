"""The same query, asked at other times: selectors pinned by `@` give the same answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from controlplane.clock import Timestamp
from controlplane.promql.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
    walk,
)
from controlplane.promql.printer import format as printed

# Functions whose result depends on when they are evaluated.
_UNSAFE: Final = frozenset(
    [
        "days_in_month",
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "end",
        "hour",
        "minute",
        "month",
        "year",
        "predict_linear",
        "range",
        "start",
        "step",
        "time",
        "timestamp",
    ]
)


def pinned_queries(expr: Expr, at: Timestamp) -> Sequence[tuple[str, Timestamp]]:
    """Return the pinned text with the instants at which its answer is that of `at`."""
    if any(isinstance(node, Call) and node.function in _UNSAFE for node in walk(expr)):
        return []
    text = printed(pin(expr, at))
    times = [-10 * at, 0, at // 5, at, 10 * at] if at else [-1000, 0, 1000]
    return [(text, time) for time in times]


def pin(expr: Expr, at: Timestamp) -> Expr:
    """Give every outermost selector and subquery that has no `@` the one of `at`."""
    match expr:
        case VectorSelector():
            return replace(expr, at=at) if expr.at is None else expr
        case MatrixSelector(selector=selector):
            return replace(expr, selector=replace(selector, at=at)) if selector.at is None else expr
        case SubqueryExpr():
            # What stands inside is evaluated at the times of the subquery.
            return replace(expr, at=at) if expr.at is None else expr
        case ParenExpr(expr=inner) | UnaryExpr(expr=inner):
            return replace(expr, expr=pin(inner, at))
        case BinaryExpr(left=left, right=right):
            return replace(expr, left=pin(left, at), right=pin(right, at))
        case AggregateExpr(expr=inner, param=param):
            pinned = None if param is None else pin(param, at)
            return replace(expr, expr=pin(inner, at), param=pinned)
        case Call(args=args):
            return replace(expr, args=tuple([pin(arg, at) for arg in args]))
        case _:
            return expr
