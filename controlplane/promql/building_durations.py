"""Numbers and durations of the grammar, and what all its rules need of tokens."""

from dataclasses import replace
from typing import Final

from lark import Token, Transformer

from controlplane.errors import InvalidInput
from controlplane.model.duration import parse_duration
from controlplane.promql.ast import (
    DurationExpr,
    DurationNode,
    Expr,
    Length,
    NumberLiteral,
    Span,
)
from controlplane.promql.numbers import parse_number
from controlplane.promql.quoting import quote, unquote

_LONGEST: Final = (1 << 63) / 1e9


class SyntaxProblem(Exception):
    """What is wrong, and at which offset of the text it begins."""

    def __init__(self, reason: str, start: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.start = start


def string_text(token: Token) -> str:
    try:
        return unquote(token)
    except ValueError as error:
        reason = f"error unquoting string {quote(str(token))}: {error}"
        raise SyntaxProblem(reason, token_start(token)) from None


def token_start(token: Token) -> int:
    return token.start_pos or 0


def token_end(token: Token) -> int:
    return token.end_pos or 0


def milliseconds(node: DurationNode) -> Length:
    """Return milliseconds for a literal, the node itself for an expression."""
    if isinstance(node, DurationExpr):
        return node
    nanoseconds = round(node.value * 1e9)
    return nanoseconds // 1_000_000 if nanoseconds >= 0 else -(-nanoseconds // 1_000_000)


def positive(node: DurationNode) -> Length:
    if isinstance(node, NumberLiteral) and node.value <= 0:
        raise SyntaxProblem("duration must be greater than 0", node.span.start)
    return milliseconds(node)


def bounded(node: DurationNode) -> DurationNode:
    if isinstance(node, NumberLiteral) and not -_LONGEST <= node.value <= _LONGEST:
        raise SyntaxProblem("duration out of range", node.span.start)
    return node


class DurationRules(Transformer[Token, Expr]):
    """The rules of literals and of experimental duration arithmetic."""

    def __init__(self, *, experimental: bool) -> None:
        super().__init__(visit_tokens=False)
        self._experimental = experimental

    def _require_experimental(self, reason: str, start: int) -> None:
        if not self._experimental:
            raise SyntaxProblem(reason, start)

    def number(self, parts: list[Token]) -> NumberLiteral:
        token = parts[0]
        span = Span(token_start(token), token_end(token))
        try:
            if token.type == "DURATION":
                return NumberLiteral(parse_duration(token) / 1000, is_duration=True, span=span)
            return NumberLiteral(parse_number(token), span=span)
        except InvalidInput as error:
            raise SyntaxProblem(error.reason, span.start) from None
        except ValueError:
            raise SyntaxProblem(f"error parsing number: {quote(str(token))}", span.start) from None

    def _duration_expr(
        self, op: str, left: DurationNode | None, right: DurationNode | None, span: Span
    ) -> DurationExpr:
        reason = "experimental duration expression is not enabled"
        self._require_experimental(reason, span.start)
        return DurationExpr(op, left, right, span)

    def duration_binary(self, parts: tuple[DurationNode, Token, DurationNode]) -> DurationExpr:
        left, op, right = parts
        if op in ("/", "%") and isinstance(right, NumberLiteral) and right.value == 0:
            reason = "division by zero" if op == "/" else "modulo by zero"
            raise SyntaxProblem(reason, token_start(op))
        span = Span(left.span.start, right.span.end)
        return self._duration_expr(str(op), left, right, span)

    def duration_sign(self, parts: tuple[Token, DurationNode]) -> DurationNode:
        sign, node = parts
        span = Span(token_start(sign), node.span.end)
        if isinstance(node, NumberLiteral):
            value = -node.value if sign == "-" else node.value
            return bounded(replace(node, value=value, span=span))
        return self._duration_expr("-", None, node, span) if sign == "-" else node

    def duration_word(self, parts: list[Token]) -> DurationExpr:
        span = Span(token_start(parts[0]), token_end(parts[-1]))
        return self._duration_expr(parts[0].lower(), None, None, span)

    def duration_choice(
        self, parts: tuple[Token, Token, DurationNode, Token, DurationNode, Token]
    ) -> DurationExpr:
        word, _, left, _, right, closing = parts
        span = Span(token_start(word), token_end(closing))
        return self._duration_expr(word.lower(), left, right, span)

    def duration_paren(self, parts: tuple[Token, DurationNode, Token]) -> DurationExpr:
        span = Span(token_start(parts[0]), token_end(parts[2]))
        return self._duration_expr("(", None, parts[1], span)
