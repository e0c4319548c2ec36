"""A tree as text: the canonical form that `format_query` returns."""

from controlplane.clock import Timestamp
from controlplane.model.duration import format_duration
from controlplane.model.labels import METRIC_NAME, is_classic_label_name
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.promql.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    DurationExpr,
    DurationNode,
    Edge,
    Expr,
    Length,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)
from controlplane.promql.numbers import format_plain
from controlplane.promql.quoting import quote


def format(expr: Expr) -> str:  # noqa: A001, PLR0911 - its name; a line a node
    """Return canonical text that parses to an equal tree."""
    match expr:
        case NumberLiteral():
            return _number(expr)
        case StringLiteral():
            return quote(expr.value)
        case VectorSelector():
            return _selector(expr) + _modifiers(expr)
        case MatrixSelector():
            inner = expr.selector
            return f"{_selector(inner)}[{_length(expr.range)}]{_modifiers(inner)}"
        case SubqueryExpr():
            step = "" if expr.step is None else _length(expr.step)
            times = _at(expr.at) + _offset(expr.offset)
            return f"{format(expr.expr)}[{_length(expr.range)}:{step}]{times}"
        case ParenExpr():
            return f"({format(expr.expr)})"
        case UnaryExpr():
            return expr.op + format(expr.expr)
        case BinaryExpr():
            return f"{format(expr.left)} {operator(expr)} {format(expr.right)}"
        case AggregateExpr():
            param = "" if expr.param is None else f"{format(expr.param)}, "
            return f"{expr.op}{grouping(expr)}({param}{format(expr.expr)})"
        case Call():
            return f"{expr.function}({', '.join([format(arg) for arg in expr.args])})"


def operator(expr: BinaryExpr) -> str:
    """Return the operator with its modifiers, as in `* on (job) group_left ()`."""
    matching = expr.matching
    text = expr.op + (" bool" if expr.return_bool else "")
    grouped = matching.cardinality in (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY)
    if matching.labels or matching.on or grouped:
        text += f" {'on' if matching.on else 'ignoring'} ({_labels(matching.labels)})"
    if grouped:
        side = "left" if matching.cardinality is Cardinality.MANY_TO_ONE else "right"
        text += f" group_{side} ({_labels(matching.include)})"
    left, right = matching.fill_left, matching.fill_right
    if left is not None and right is not None and format_plain(left) == format_plain(right):
        return f"{text} fill ({format_plain(left)})"
    if left is not None:
        text += f" fill_left ({format_plain(left)})"
    if right is not None:
        text += f" fill_right ({format_plain(right)})"
    return text


def grouping(expr: AggregateExpr) -> str:
    """Return ` by (job) ` or ` without (job) `, or nothing."""
    if expr.without:
        return f" without ({_labels(expr.grouping)}) "
    return f" by ({_labels(expr.grouping)}) " if expr.grouping else ""


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(name if is_classic_label_name(name) else quote(name) for name in names)


def _number(literal: NumberLiteral) -> str:
    if literal.is_duration:
        return format_duration(round(literal.value * 1000))
    return format_plain(literal.value)


def _selector(selector: VectorSelector) -> str:
    matchers = [m for m in selector.matchers if not _is_own_name(selector, m)]
    inside = ",".join(sorted(_matcher(matcher) for matcher in matchers))
    return f"{selector.name}{{{inside}}}" if inside or not selector.name else selector.name


def _is_own_name(selector: VectorSelector, matcher: Matcher) -> bool:
    return (
        bool(selector.name)
        and matcher.name == METRIC_NAME
        and matcher.op is MatchOp.EQUAL
        and matcher.value == selector.name
    )


def _matcher(matcher: Matcher) -> str:
    name = matcher.name
    if not is_classic_label_name(name):
        name = quote(name)
    return f"{name}{matcher.op}{quote(matcher.value)}"


def _modifiers(selector: VectorSelector) -> str:
    extended = " anchored" if selector.anchored else " smoothed" if selector.smoothed else ""
    return extended + _at(selector.at) + _offset(selector.offset)


def _at(at: Timestamp | Edge | None) -> str:
    if at is None:
        return ""
    return f" @ {at.value}()" if isinstance(at, Edge) else f" @ {_seconds(at)}"


def _seconds(instant: Timestamp) -> str:
    whole, thousandths = divmod(abs(instant), 1000)
    return f"{'-' if instant < 0 else ''}{whole}.{thousandths:03d}"


def _offset(offset: Length) -> str:
    return f" offset {_length(offset)}" if offset != 0 else ""


def _length(length: Length) -> str:
    return _duration(length) if isinstance(length, DurationExpr) else format_duration(length)


def _duration(node: DurationNode) -> str:
    if isinstance(node, NumberLiteral):
        return _number(node)
    left = "" if node.left is None else _duration(node.left)
    right = "" if node.right is None else _duration(node.right)
    if node.op in ("step", "range"):
        return f"{node.op}()"
    if node.op in ("min_of", "max_of"):
        return f"{node.op}({left}, {right})"
    if node.op == "(":
        return f"({right})"
    return f"{left} {node.op} {right}" if left else f"{node.op}{right}"
