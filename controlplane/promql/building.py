"""Grammar rules into nodes of the tree: what lark calls at each reduction.

Stateless, so that one parser serves all threads. Raises SyntaxProblem for what
the grammar alone cannot refuse.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from lark import Token

from controlplane.errors import InvalidInput
from controlplane.model.labels import METRIC_NAME
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.promql.ast import (
    DEFAULT_MATCHING,
    PARAMETER_AGGREGATIONS,
    SET_OPERATORS,
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    DurationNode,
    Edge,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    Span,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatching,
    VectorSelector,
)
from controlplane.promql.building_durations import (
    DurationRules,
    SyntaxProblem,
    bounded,
    milliseconds,
    positive,
    string_text,
    token_end,
    token_start,
)
from controlplane.promql.functions.signatures import SIGNATURES
from controlplane.promql.numbers import format_plain
from controlplane.promql.quoting import quote

_OFFSET_TWICE: Final = "offset may not be set multiple times"
_AT_TWICE: Final = "@ <timestamp> may not be set multiple times"
_NEEDS_SELECTOR: Final = (
    "modifier must be preceded by an instant vector selector or range vector selector or a subquery"
)


@dataclass(frozen=True, slots=True)
class _Braces:
    matchers: tuple[Matcher, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class _Modifier:
    """What stands between an operator and its right side."""

    matching: VectorMatching = DEFAULT_MATCHING
    return_bool: bool = False


@dataclass(frozen=True, slots=True)
class _Grouping:
    labels: tuple[str, ...]
    without: bool
    end: int


@dataclass(frozen=True, slots=True)
class _Arguments:
    args: tuple[Expr, ...]
    end: int


class Builder(DurationRules):
    """One method a rule of grammar.lark, called with the rule's parts."""

    def start(self, parts: list[Expr]) -> Expr:
        return parts[0]

    # ---- literals ----

    def string(self, parts: list[Token]) -> StringLiteral:
        return StringLiteral(
            string_text(parts[0]), Span(token_start(parts[0]), token_end(parts[0]))
        )

    def paren(self, parts: tuple[Token, Expr, Token]) -> ParenExpr:
        return ParenExpr(parts[1], Span(token_start(parts[0]), token_end(parts[2])))

    def unary(self, parts: tuple[Token, Expr]) -> Expr:
        sign, expr = parts
        span = Span(token_start(sign), expr.span.end)
        if isinstance(expr, NumberLiteral):
            value = -expr.value if sign == "-" else expr.value
            return replace(expr, value=value, span=span)
        return UnaryExpr(str(sign), expr, span)

    # ---- binary expressions ----

    def binary(self, parts: tuple[Expr, Token, _Modifier, Expr]) -> BinaryExpr:
        left, token, modifier, right = parts
        op, matching = token.lower(), modifier.matching
        span = Span(left.span.start, right.span.end)
        if matching.fill_left is not None or matching.fill_right is not None:
            reason = "binop fill modifiers are experimental and not enabled"
            self._require_experimental(reason, span.start)
        if op in SET_OPERATORS and matching.cardinality is Cardinality.ONE_TO_ONE:
            matching = replace(matching, cardinality=Cardinality.MANY_TO_MANY)
        return BinaryExpr(op, left, right, modifier.return_bool, matching, span)

    def bool_modifier(self, parts: list[Token]) -> bool:
        return bool(parts)

    def group_modifier(self, parts: Sequence[object]) -> _Modifier:
        return_bool, *rest = parts
        if not rest:
            return _Modifier(return_bool=bool(return_bool))
        keyword, labels, *group = rest
        matching = VectorMatching(labels=_labels(labels), on=str(keyword).lower() == "on")
        if group:
            side = str(group[0]).lower()
            matching = replace(
                matching,
                cardinality=Cardinality.MANY_TO_ONE
                if side == "group_left"
                else Cardinality.ONE_TO_MANY,
                include=_labels(group[1]) if len(group) > 1 else (),
            )
        return _Modifier(matching, bool(return_bool))

    def bin_modifier(self, parts: Sequence[object]) -> _Modifier:
        modifier = parts[0]
        modifier = cast(_Modifier, modifier)
        matching = modifier.matching
        for keyword, value in zip(parts[1::2], parts[2::2], strict=True):
            value = cast(float, value)
            side = str(keyword).lower()
            if side != "fill_right":
                matching = replace(matching, fill_left=value)
            if side != "fill_left":
                matching = replace(matching, fill_right=value)
        return replace(modifier, matching=matching)

    def fill_value(self, parts: Sequence[Token | NumberLiteral]) -> float:
        return self.at_number(parts[1:-1])

    def at_number(self, parts: Sequence[Token | NumberLiteral]) -> float:
        literal = parts[-1]
        literal = cast(NumberLiteral, literal)
        return -literal.value if parts[0] == "-" else literal.value

    def grouping_labels(self, parts: Sequence[object]) -> _Grouping:
        labels = parts[1] if isinstance(parts[1], tuple) else ()
        closing = parts[-1]
        closing = cast(Token, closing)
        return _Grouping(labels, without=False, end=token_end(closing))

    def grouping_list(self, parts: Sequence[object]) -> tuple[str, ...]:
        before = parts[0] if isinstance(parts[0], tuple) else ()
        return (*before, str(parts[-1]))

    def grouping_label(self, parts: list[Token]) -> str:
        token = parts[0]
        if token.type not in ("STRING", "METRIC_IDENTIFIER"):
            return str(token)
        name = string_text(token) if token.type == "STRING" else str(token)
        if not name:
            reason = f"invalid label name for grouping: {quote(name)}"
            raise SyntaxProblem(reason, token_start(token))
        return name

    # ---- selectors ----

    def metric_name(self, parts: list[Token]) -> Token:
        return parts[0]

    def selector(self, parts: Sequence[Token | _Braces]) -> VectorSelector:
        name = ""
        matchers: tuple[Matcher, ...] = ()
        first, last = parts[0], parts[-1]
        start = token_start(first) if isinstance(first, Token) else first.span.start
        end = token_end(last) if isinstance(last, Token) else last.span.end
        if isinstance(last, _Braces):
            matchers = last.matchers
        if isinstance(first, Token):
            name = str(first)
            twice = next((m for m in matchers if m.name == METRIC_NAME), None)
            if twice is not None:
                reason = f"metric name must not be set twice: {quote(name)} or {quote(twice.value)}"
                raise SyntaxProblem(reason, start)
            matchers = (*matchers, Matcher(METRIC_NAME, MatchOp.EQUAL, name))
        return VectorSelector(name, matchers, span=Span(start, end))

    def braces(self, parts: Sequence[object]) -> _Braces:
        opening, closing = parts[0], parts[-1]
        opening = cast(Token, opening)
        closing = cast(Token, closing)
        matchers = parts[1] if isinstance(parts[1], tuple) else ()
        return _Braces(matchers, Span(token_start(opening), token_end(closing)))

    def matcher_list(self, parts: Sequence[object]) -> tuple[Matcher, ...]:
        before = parts[0] if isinstance(parts[0], tuple) else ()
        last = parts[-1]
        last = cast(Matcher, last)
        return (*before, last)

    def matcher(self, parts: list[Token]) -> Matcher:
        first = parts[0]
        name = string_text(first) if first.type == "STRING" else str(first)
        if len(parts) == 1:
            return Matcher(METRIC_NAME, MatchOp.EQUAL, name)
        try:
            return Matcher(name, MatchOp(str(parts[1])), string_text(parts[2]))
        except InvalidInput as error:
            raise SyntaxProblem(error.reason, token_start(first)) from None

    def matrix(self, parts: tuple[Expr, Token, DurationNode, Token]) -> MatrixSelector:
        expr, opening, duration, closing = parts
        if not isinstance(expr, VectorSelector):
            reason = "ranges only allowed for vector selectors"
        elif expr.offset != 0:
            reason = "no offset modifiers allowed before range"
        elif expr.at is not None:
            reason = "no @ modifiers allowed before range"
        else:
            span = Span(expr.span.start, token_end(closing))
            return MatrixSelector(expr, positive(bounded(duration)), span)
        raise SyntaxProblem(reason, token_start(opening))

    def subquery(
        self,
        parts: tuple[Expr, Token, DurationNode, Token, Token]
        | tuple[Expr, Token, DurationNode, Token, DurationNode, Token],
    ) -> SubqueryExpr:
        expr, width, closing = parts[0], parts[2], parts[-1]
        return SubqueryExpr(
            expr,
            positive(bounded(width)),
            positive(bounded(parts[4])) if len(parts) == 6 else None,
            span=Span(expr.span.start, token_end(closing)),
        )

    def offset(self, parts: tuple[Expr, Token, DurationNode]) -> Expr:
        expr, _, duration = parts
        offset, end = milliseconds(bounded(duration)), duration.span.end
        target = _modified(expr, f"offset {_NEEDS_SELECTOR}")
        if target.offset != 0:
            raise SyntaxProblem(_OFFSET_TWICE, expr.span.start)
        return _put_back(expr, replace(target, offset=offset), end)

    def at_time(self, parts: tuple[Expr, Token, float]) -> Expr:
        expr, token, seconds = parts
        if not math.isfinite(seconds) or abs(seconds) >= float(1 << 63):
            shown = format_plain(seconds)
            reason = f"timestamp out of bounds for @ modifier: {shown}"
            raise SyntaxProblem(reason, expr.span.start)
        return _put_at(expr, _rounded(seconds * 1000), token_end(token))

    def at_edge(self, parts: tuple[Expr, Token, Token, Token, Token]) -> Expr:
        return _put_at(parts[0], Edge(parts[2].lower()), token_end(parts[4]))

    def extended(self, parts: tuple[Expr, Token]) -> Expr:
        expr, token = parts
        word, start = token.lower(), expr.span.start
        self._require_experimental(f"{word} modifier is experimental and not enabled", start)
        if isinstance(expr, SubqueryExpr):
            raise SyntaxProblem(f"{word} modifier is not supported for subqueries", start)
        if isinstance(expr, MatrixSelector):
            inner = self._extend(expr.selector, word, start)
            return replace(expr, selector=inner, span=Span(start, token_end(token)))
        if isinstance(expr, VectorSelector):
            return replace(self._extend(expr, word, start), span=Span(start, token_end(token)))
        raise SyntaxProblem(f"{word} modifier not implemented", start)

    @staticmethod
    def _extend(selector: VectorSelector, word: str, start: int) -> VectorSelector:
        anchored = selector.anchored or word == "anchored"
        smoothed = selector.smoothed or word == "smoothed"
        if anchored and smoothed:
            reason = "anchored and smoothed modifiers cannot be used together"
            raise SyntaxProblem(reason, start)
        return replace(selector, anchored=anchored, smoothed=smoothed)

    # ---- aggregations and calls ----

    def aggregate_op(self, parts: list[Token]) -> Token:
        return parts[0]

    def grouping(self, parts: tuple[Token, _Grouping]) -> _Grouping:
        return replace(parts[1], without=parts[0].lower() == "without")

    def aggregation(self, parts: Sequence[Token | _Grouping | _Arguments]) -> AggregateExpr:
        token, *rest = parts
        token = cast(Token, token)
        grouping = next(
            (p for p in rest if isinstance(p, _Grouping)), _Grouping((), without=False, end=0)
        )
        arguments = next(p for p in rest if isinstance(p, _Arguments))
        op, start = token.lower(), token_start(token)
        if not arguments.args:
            raise SyntaxProblem("no arguments for aggregate expression provided", start)
        if op in ("limitk", "limit_ratio"):
            reason = (
                f"{op}() is experimental and must be enabled with "
                "--enable-feature=promql-experimental-functions"
            )
            self._require_experimental(reason, start)
        expected, got = 1 + (op in PARAMETER_AGGREGATIONS), len(arguments.args)
        if got != expected:
            reason = (
                "wrong number of arguments for aggregate expression provided, "
                f"expected {expected}, got {got}"
            )
            raise SyntaxProblem(reason, start)
        return AggregateExpr(
            op,
            arguments.args[-1],
            arguments.args[0] if expected == 2 else None,
            grouping.labels,
            grouping.without,
            Span(start, max(arguments.end, grouping.end)),
        )

    def call(self, parts: tuple[Token, _Arguments]) -> Call:
        token, arguments = parts
        # Keywords that are functions too (`step()`) are written in any case.
        name = str(token) if token.type == "IDENTIFIER" else token.lower()
        signature = SIGNATURES.get(name)
        if signature is None:
            reason = f"unknown function with name {quote(name)}"
            raise SyntaxProblem(reason, token_start(token))
        if signature.experimental:
            self._require_experimental(f"function {quote(name)} is not enabled", token_start(token))
        return Call(name, arguments.args, Span(token_start(token), arguments.end))

    def arguments(self, parts: Sequence[object]) -> _Arguments:
        args = parts[1] if isinstance(parts[1], tuple) else ()
        closing = parts[-1]
        closing = cast(Token, closing)
        return _Arguments(args, token_end(closing))

    def argument_list(self, parts: Sequence[object]) -> tuple[object, ...]:
        before = parts[0] if isinstance(parts[0], tuple) else ()
        return (*before, parts[-1])


def _labels(grouping: object) -> tuple[str, ...]:
    grouping = cast(_Grouping, grouping)
    return grouping.labels


def _rounded(value: float) -> int:
    """Round half away from zero, as Go does."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _modified(expr: Expr, reason: str) -> VectorSelector | SubqueryExpr:
    """Return the node that bears offset and `@` for `expr`."""
    if isinstance(expr, MatrixSelector):
        return expr.selector
    if isinstance(expr, VectorSelector | SubqueryExpr):
        return expr
    raise SyntaxProblem(reason, expr.span.start)


def _put_back(expr: Expr, target: VectorSelector | SubqueryExpr, end: int) -> Expr:
    """Return `expr` with its modified bearer, reaching to `end`."""
    span = Span(expr.span.start, end)
    if isinstance(expr, MatrixSelector) and isinstance(target, VectorSelector):
        return replace(expr, selector=target, span=span)
    return replace(target, span=span)


def _put_at(expr: Expr, at: int | Edge, end: int) -> Expr:
    target = _modified(expr, f"@ {_NEEDS_SELECTOR}")
    if target.at is not None:
        raise SyntaxProblem(_AT_TWICE, expr.span.start)
    return _put_back(expr, replace(target, at=at), end)
