"""Text into a checked tree.

The grammar is grammar.lark (LALR, so that the depth of a query costs no stack
here); what walks the tree afterwards is recursive, and therefore the depth of a
tree is bounded.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NoReturn, cast

from lark import Lark, Token, UnexpectedToken

from controlplane.errors import ParseError
from controlplane.model.matchers import Matcher
from controlplane.promql.ast import (
    DurationExpr,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    SubqueryExpr,
    VectorSelector,
    children,
)
from controlplane.promql.building import Builder
from controlplane.promql.building_durations import SyntaxProblem
from controlplane.promql.lexer import LexError, PromLexer
from controlplane.promql.syntax_errors import describe_unexpected
from controlplane.promql.typing_rules import check

# What walks a tree needs three frames a level; Python allows 1,000 in all.
MAX_DEPTH: Final = 180


# The longest text that is read at all.
MAX_LENGTH: Final = 128 * 1024


def parse(text: str, *, experimental: bool = False) -> Expr:
    """Return the tree of an expression. Raises ParseError with line and column."""
    if len(text) > MAX_LENGTH:
        _fail(text, f"expression is longer than {MAX_LENGTH} characters", 0)
    try:
        expr = _read(text, experimental=experimental)
        _bound_depth(expr)
        check(expr)
    except SyntaxProblem as problem:
        _fail(text, problem.reason, problem.start)
    except LexError as problem:
        _fail(text, problem.reason, problem.start)
    return expr


def parse_selector(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a series selector such as `up{job="a"}`. Raises ParseError."""
    expr = parse(text)
    while isinstance(expr, ParenExpr):
        expr = expr.expr
    plain = isinstance(expr, VectorSelector) and expr.offset == 0 and expr.at is None
    if not isinstance(expr, VectorSelector) or not plain:
        _fail(text, "expected a series selector", 0)
    return expr.matchers


def _read(text: str, *, experimental: bool) -> Expr:
    try:
        return cast(Expr, _parser(experimental).parse(text))
    except UnexpectedToken as unexpected:
        if not text.strip() or (unexpected.token.type == "$END" and _is_blank(text)):
            _fail(text, "no expression found in input", 0)
        token: Token = unexpected.token
        start = len(text) if token.type == "$END" else (token.start_pos or 0)
        raise SyntaxProblem(describe_unexpected(text, token), start) from None


def _is_blank(text: str) -> bool:
    return all(not line.strip() or line.strip().startswith("#") for line in text.splitlines())


@cache
def _parser(experimental: bool) -> Lark:  # noqa: FBT001 - a key of the cache
    grammar = files("controlplane.promql").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer=PromLexer,
        transformer=Builder(experimental=experimental),
    )


def _fail(text: str, reason: str, start: int) -> NoReturn:
    before = text[:start]
    line = before.count("\n") + 1
    column = start - (before.rfind("\n") + 1) + 1
    raise ParseError(reason, line=line, column=column) from None


def _bound_depth(expr: Expr) -> None:
    pending: list[tuple[Expr | DurationExpr, int]] = [(expr, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            reason = f"expression is nested deeper than {MAX_DEPTH} levels"
            raise SyntaxProblem(reason, node.span.start)
        pending.extend((child, depth + 1) for child in _below(node))


def _below(node: Expr | DurationExpr) -> Sequence[Expr | DurationExpr]:
    parts: list[object] = []
    if isinstance(node, DurationExpr):
        parts = [node.left, node.right]
        return [part for part in parts if isinstance(part, DurationExpr | NumberLiteral)]
    if isinstance(node, VectorSelector):
        parts = [node.offset]
    elif isinstance(node, MatrixSelector):
        parts = [node.range]
    elif isinstance(node, SubqueryExpr):
        parts = [node.range, node.step, node.offset]
    return [*(part for part in parts if isinstance(part, DurationExpr)), *children(node)]
