"""A syntax tree as `parse_query` shows it: upstream's JSON (web/api/v1/translate_ast.go)."""

from collections.abc import Sequence
from typing import Any, Final

from controlplane.model.matchers import Matcher
from controlplane.promql.ast import (
    COMPARISONS,
    SET_OPERATORS,
    AggregateExpr,
    BinaryExpr,
    Call,
    DurationExpr,
    DurationNode,
    Expr,
    Length,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorSelector,
)
from controlplane.promql.functions.signatures import SIGNATURES
from controlplane.promql.numbers import format_plain
from controlplane.promql.typing_rules import check

Json = dict[str, Any]

_TYPES: Final = {
    ValueType.SCALAR: "scalar",
    ValueType.VECTOR: "vector",
    ValueType.MATRIX: "matrix",
    ValueType.STRING: "string",
}


def tree(expr: Expr) -> Json:  # noqa: PLR0911 - a line a node
    """Return a node and all below it."""
    match expr:
        case NumberLiteral():
            return {"type": "numberLiteral", "val": format_plain(expr.value)}
        case StringLiteral():
            return {"type": "stringLiteral", "val": expr.value}
        case VectorSelector():
            return {"type": "vectorSelector", **_selector(expr)}
        case MatrixSelector():
            span = _length("range", expr.range)
            return {"type": "matrixSelector", **_selector(expr.selector), **span}
        case SubqueryExpr():
            return _subquery(expr)
        case ParenExpr():
            return {"type": "parenExpr", "expr": tree(expr.expr)}
        case UnaryExpr():
            return {"type": "unaryExpr", "op": expr.op, "expr": tree(expr.expr)}
        case BinaryExpr():
            return _binary(expr)
        case AggregateExpr():
            return {
                "type": "aggregation",
                "op": expr.op,
                "expr": tree(expr.expr),
                "param": None if expr.param is None else tree(expr.param),
                "grouping": list(expr.grouping),
                "without": expr.without,
            }
        case Call():
            return {
                "type": "call",
                "func": _function(expr.function),
                "args": [tree(each) for each in expr.args],
            }


def _selector(selector: VectorSelector) -> Json:
    return {
        "name": selector.name,
        **_length("offset", selector.offset),
        **_at(selector),
        "matchers": _matchers(selector.matchers),
        "anchored": selector.anchored,
        "smoothed": selector.smoothed,
    }


def _subquery(expr: SubqueryExpr) -> Json:
    return {
        "type": "subquery",
        "expr": tree(expr.expr),
        **_length("range", expr.range),
        **_length("offset", expr.offset),
        **_length("step", 0 if expr.step is None else expr.step),
        **_at(expr),
    }


def _binary(expr: BinaryExpr) -> Json:
    sides = {check(expr.left), check(expr.right)}
    matching = None
    if sides == {ValueType.VECTOR}:
        by = expr.matching
        matching = {
            "card": "many-to-many" if expr.op in SET_OPERATORS else by.cardinality.value,
            "labels": list(by.labels),
            "on": by.on,
            "include": list(by.include),
            "fillValues": {"lhs": by.fill_left, "rhs": by.fill_right},
        }
    return {
        "type": "binaryExpr",
        "op": expr.op,
        "lhs": tree(expr.left),
        "rhs": tree(expr.right),
        "matching": matching,
        "bool": expr.return_bool and expr.op in COMPARISONS,
    }


def _function(name: str) -> Json:
    signature = SIGNATURES[name]
    return {
        "name": name,
        "argTypes": [_TYPES[each] for each in signature.args],
        "variadic": signature.variadic,
        "returnType": _TYPES[signature.returns],
    }


def _matchers(matchers: Sequence[Matcher]) -> list[Json]:
    return [{"name": m.name, "value": m.value, "type": m.op.value} for m in matchers]


def _at(node: VectorSelector | SubqueryExpr) -> Json:
    at = node.at
    if isinstance(at, int):
        return {"timestamp": at, "startOrEnd": None}
    return {"timestamp": None, "startOrEnd": None if at is None else at.value}


def _length(name: str, length: Length) -> Json:
    """Return a duration under its name and, where it is arithmetic, the arithmetic beside it."""
    arithmetic = isinstance(length, DurationExpr)
    return {
        name: 0 if arithmetic else length,
        f"{name}Expr": _duration(length) if isinstance(length, DurationExpr) else None,
    }


def _duration(node: DurationNode | None) -> Json | None:
    if node is None:
        return None
    if isinstance(node, NumberLiteral):
        value = format_plain(node.value)
        return {"type": "numberLiteral", "val": value, "duration": node.is_duration}
    if node.op == "(" and isinstance(node.right, DurationExpr):
        return {**(_duration(node.right) or {}), "wrapped": True}
    if node.op == "(":
        return _duration(node.right)
    return {
        "type": "durationExpr",
        "op": node.op,
        "lhs": _duration(node.left),
        "rhs": _duration(node.right),
        "wrapped": False,
    }
