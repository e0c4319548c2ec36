"""What to say of a token that cannot stand where it stands, in upstream's words."""

from collections.abc import Sequence
from typing import Final

from lark import Token

from controlplane.promql.lexer import KEYWORDS, tokens
from controlplane.promql.quoting import quote

_AGGREGATIONS: Final = frozenset(
    [
        "AVG",
        "BOTTOMK",
        "COUNT",
        "COUNT_VALUES",
        "GROUP",
        "MAX",
        "MIN",
        "QUANTILE",
        "STDDEV",
        "STDVAR",
        "SUM",
        "TOPK",
        "LIMITK",
        "LIMIT_RATIO",
    ]
)
_OPERATORS: Final = frozenset(
    [
        "ADD",
        "SUB",
        "MUL",
        "DIV",
        "MOD",
        "POW",
        "EQLC",
        "NEQ",
        "LSS",
        "LTE",
        "GTR",
        "GTE",
        "TRIM_UPPER",
        "TRIM_LOWER",
        "EQL_REGEX",
        "NEQ_REGEX",
        "LAND",
        "LOR",
        "LUNLESS",
        "ATAN2",
        "AT",
    ]
)
_NAMED: Final = {
    "IDENTIFIER": "identifier",
    "METRIC_IDENTIFIER": "metric identifier",
    "STRING": "string",
    "NUMBER": "number",
    "DURATION": "duration",
}
_GROUPINGS: Final = frozenset({"BY", "WITHOUT", "ON", "IGNORING", "GROUP_LEFT", "GROUP_RIGHT"})
_BEGINS: Final = {
    "OFFSET": ("offset", "number, duration, step(), or range()"),
    "AT": ("@", "timestamp"),
}
_MATCHES: Final = frozenset({"EQL", "NEQ", "EQL_REGEX", "NEQ_REGEX"})


def describe_unexpected(text: str, token: Token) -> str:
    """Return `unexpected X in Y, expected Z` for the token at which parsing stopped."""
    end = len(text) if token.type == "$END" else (token.start_pos or 0)
    before = tokens_before(text, end)
    if before and before[-1].type == "COMMA" and token.type == "RPAR" and _in_call(before):
        return "trailing commas not allowed in function call args"
    context, expected = _context(before)
    parts = f"unexpected {_shown(token)}"
    if context:
        parts += f" in {context}"
    return f"{parts}, expected {expected}" if expected else parts


def tokens_before(text: str, end: int) -> Sequence[Token]:
    """Return the tokens that end at or before an offset."""
    found: list[Token] = []
    for token in tokens(text):
        if (token.start_pos or 0) >= end:
            break
        found.append(token)
    return found


def _shown(token: Token) -> str:
    kind, text = token.type, str(token)
    if kind == "$END":
        return "end of input"
    if kind in ("IDENTIFIER", "METRIC_IDENTIFIER"):
        return f"{_NAMED[kind]} {quote(text)}"
    short = quote(text) if len(text) <= 10 else f"{quote(text[:10])}..."
    if kind in _NAMED:
        return f"{_NAMED[kind]} {short}"
    if kind in _OPERATORS:
        return f"<op:{text}>"
    if kind in _AGGREGATIONS:
        return f"<aggr:{text}>"
    return f"<{text}>" if text.lower() in KEYWORDS else short


def _context(before: Sequence[Token]) -> tuple[str, str]:
    """Return what is being read after these tokens, and what could follow."""
    if not before:
        return "", ""
    opening = _innermost_opening(before)
    if opening is not None:
        kind = before[opening].type
        if kind == "LBRACE":
            return _in_braces(before, opening)
        if kind == "LSQB":
            return _in_brackets(before[opening + 1 :])
        if opening > 0 and before[opening - 1].type in _GROUPINGS:
            after_label = before[-1].type not in ("LPAR", "COMMA")
            return "grouping opts", '"," or ")"' if after_label else "label"
    return _after(before)


def _after(before: Sequence[Token]) -> tuple[str, str]:
    """Return what the last token begins."""
    last = before[-1].type
    if last in ("ADD", "SUB") and len(before) > 1 and before[-2].type == "OFFSET":
        last = "OFFSET"
    if last in _GROUPINGS:
        return "grouping opts", '"("'
    if last in _AGGREGATIONS:
        return "aggregation", ""
    return _BEGINS.get(last, ("", ""))


def _in_braces(before: Sequence[Token], opening: int) -> tuple[str, str]:
    last = before[-1].type
    inside = before[opening + 1 :]
    is_name = last == "IDENTIFIER" or (
        last == "STRING" and len(inside) > 1 and inside[-2].type not in _MATCHES
    )
    if last in _MATCHES:
        expected = "string"
    elif is_name and last == "IDENTIFIER":
        expected = "label matching operator"
    elif last == "STRING":
        expected = '"," or "}"'
    else:
        expected = 'identifier or "}"'
    return "label matching", expected


def _in_brackets(inside: Sequence[Token]) -> tuple[str, str]:
    if not inside:
        return "subquery or range selector", "number, duration, step(), or range()"
    kinds = [token.type for token in inside]
    if "COLON" not in kinds:
        return "subquery or range", '":" or "]"'
    if kinds[-1] == "COLON":
        return "subquery selector", 'number, duration, step(), range(), or "]"'
    return "subquery selector", '"]"'


def _innermost_opening(before: Sequence[Token]) -> int | None:
    depth = 0
    for index in range(len(before) - 1, -1, -1):
        kind = before[index].type
        if kind in ("RPAR", "RBRACE", "RSQB"):
            depth += 1
        elif kind in ("LPAR", "LBRACE", "LSQB"):
            if depth == 0:
                return index
            depth -= 1
    return None


def _in_call(before: Sequence[Token]) -> bool:
    opening = _innermost_opening(before)
    return opening is not None and opening > 0 and before[opening - 1].type not in _GROUPINGS
