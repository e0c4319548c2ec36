"""Text into tokens, in upstream's three states: expression, `{...}` and `[...]`.

Which state holds depends on the text alone, never on the parser. Keywords are
case-insensitive; `fill`, `fill_left` and `fill_right` are keywords only before
a parenthesis, so that metrics of that name keep working.
"""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer

KEYWORDS: Final = {
    "and": "LAND",
    "or": "LOR",
    "unless": "LUNLESS",
    "atan2": "ATAN2",
    "sum": "SUM",
    "avg": "AVG",
    "count": "COUNT",
    "min": "MIN",
    "max": "MAX",
    "group": "GROUP",
    "stddev": "STDDEV",
    "stdvar": "STDVAR",
    "topk": "TOPK",
    "bottomk": "BOTTOMK",
    "count_values": "COUNT_VALUES",
    "quantile": "QUANTILE",
    "limitk": "LIMITK",
    "limit_ratio": "LIMIT_RATIO",
    "offset": "OFFSET",
    "smoothed": "SMOOTHED",
    "anchored": "ANCHORED",
    "by": "BY",
    "without": "WITHOUT",
    "on": "ON",
    "ignoring": "IGNORING",
    "group_left": "GROUP_LEFT",
    "group_right": "GROUP_RIGHT",
    "fill": "FILL",
    "fill_left": "FILL_LEFT",
    "fill_right": "FILL_RIGHT",
    "bool": "BOOL",
    "start": "START",
    "end": "END",
    "step": "STEP",
    "range": "RANGE",
    "max_of": "MAX_OF",
    "min_of": "MIN_OF",
    "inf": "NUMBER",
    "nan": "NUMBER",
}
_DURATION_WORDS: Final = frozenset({"step", "range", "max_of", "min_of"})

_SYMBOLS: Final = {
    "(": "LPAR",
    ")": "RPAR",
    "{": "LBRACE",
    "}": "RBRACE",
    "[": "LSQB",
    "]": "RSQB",
    ",": "COMMA",
    ":": "COLON",
    "=": "EQL",
    "=~": "EQL_REGEX",
    "!~": "NEQ_REGEX",
    "+": "ADD",
    "-": "SUB",
    "*": "MUL",
    "/": "DIV",
    "%": "MOD",
    "^": "POW",
    "==": "EQLC",
    "!=": "NEQ",
    "<": "LSS",
    "<=": "LTE",
    ">": "GTR",
    ">=": "GTE",
    "</": "TRIM_UPPER",
    ">/": "TRIM_LOWER",
    "@": "AT",
}

_SPACE: Final = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)+")
_STRING: Final = re.compile(
    r'"(?:[^"\\\n]|\\.)*"' r"|'(?:[^'\\\n]|\\.)*'" r"|`[^`]*`",
)
_WORD: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION: Final = re.compile(r"\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdw]))*(?![A-Za-z0-9_])")
_NUMBER: Final = re.compile(
    r"(?:0[xX]_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
    r"|(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?)"
    r"(?![A-Za-z0-9_.])"
)
_BAD_NUMBER: Final = re.compile(r"[0-9A-Za-z_.]+")
_EXPRESSION_SYMBOL: Final = re.compile(r"==|!=|<=|>=|</|>/|[-+*/%^<>=@,(){}\[\]]")
_BRACE_SYMBOL: Final = re.compile(r"=~|!~|!=|[=,}]")
_BRACKET_SYMBOL: Final = re.compile(r"[-+*/%^(),:\]]")


class LexError(Exception):
    """A character that begins no token; `start` is its offset."""

    def __init__(self, reason: str, start: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.start = start


class PromLexer(Lexer):
    """The lexer as lark wants it: an iterator of tokens."""

    def __init__(self, lexer_conf: LexerConf) -> None:
        """Take no notice of lark's terminals: they are all declared, not defined."""

    def lex(self, lexer_state: object, parser_state: object = None) -> Iterator[Token]:  # noqa: ARG002
        """Yield the tokens of a text (lark hands over whatever `parse` was given)."""
        yield from tokens(str(lexer_state))


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a text. Raises LexError."""
    scan = _Scan(text)
    while (token := scan.next()) is not None:
        yield token


class _Scan:
    """The scanner's state: where it is and what is open."""

    __slots__ = ("_brace", "_bracket", "_colon", "_depth", "_pos", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._pos = 0
        self._depth = 0
        self._brace = False
        self._bracket = False
        self._colon = False

    def next(self) -> Token | None:
        if space := _SPACE.match(self._text, self._pos):
            self._pos = space.end()
        if self._pos >= len(self._text):
            self._end()
            return None
        char = self._text[self._pos]
        if char in "\"'`" and not self._bracket:
            return self._string()
        if self._brace:
            return self._in_braces(char)
        if char.isascii() and (char.isdigit() or (char == "." and self._digit_follows())):
            return self._number()
        return self._in_brackets(char) if self._bracket else self._in_expression(char)

    def _end(self) -> None:
        if self._brace:
            raise LexError("unexpected end of input inside braces", self._pos)
        if self._depth:
            raise LexError("unclosed left parenthesis", self._pos)
        if self._bracket:
            raise LexError("unclosed left bracket", self._pos)

    def _digit_follows(self) -> bool:
        return self._text[self._pos + 1 : self._pos + 2] in tuple("0123456789")

    def _token(self, kind: str, end: int) -> Token:
        start, self._pos = self._pos, end
        return Token(kind, self._text[start:end], start_pos=start, end_pos=end)

    def _string(self) -> Token:
        match = _STRING.match(self._text, self._pos)
        if match is None:
            raw = self._text[self._pos] == "`"
            raise LexError(f"unterminated {'raw' if raw else 'quoted'} string", self._pos)
        return self._token("STRING", match.end())

    def _number(self) -> Token:
        for kind, pattern in (("NUMBER", _NUMBER), ("DURATION", _DURATION)):
            if match := pattern.match(self._text, self._pos):
                return self._token(kind, match.end())
        bad = _BAD_NUMBER.match(self._text, self._pos)
        shown = bad.group() if bad else self._text[self._pos]
        raise LexError(f"bad number or duration syntax: {_quote(shown)}", self._pos)

    def _in_braces(self, char: str) -> Token:
        if match := _LABEL.match(self._text, self._pos):
            return self._token("IDENTIFIER", match.end())
        match = _BRACE_SYMBOL.match(self._text, self._pos)
        if match is None:
            self._refuse_in_braces(char)
        self._brace = char != "}"
        return self._token(_SYMBOLS[match.group()], match.end())

    def _refuse_in_braces(self, char: str) -> NoReturn:
        if char == "!":
            following = self._text[self._pos + 1 : self._pos + 2] or "\ufffd"
            reason = f"unexpected character after '!' inside braces: {_char(following)}"
        elif char == "{":
            reason = "unexpected left brace '{'"
        else:
            reason = f"unexpected character inside braces: {_char(char)}"
        raise LexError(reason, self._pos)

    def _in_brackets(self, char: str) -> Token:
        if match := _LABEL.match(self._text, self._pos):
            word = match.group().lower()
            if word in _DURATION_WORDS:
                return self._token(KEYWORDS[word], match.end())
        elif match := _BRACKET_SYMBOL.match(self._text, self._pos):
            if char == ":" and self._colon:
                reason = "unexpected repeated colon in duration expression"
                raise LexError(reason, self._pos)
            self._colon = self._colon or char == ":"
            self._bracket = char != "]"
            self._count_parentheses(char)
            return self._token(_SYMBOLS[char], match.end())
        reason = f"unexpected character in duration expression: {_char(char)}"
        raise LexError(reason, self._pos)

    def _in_expression(self, char: str) -> Token:
        if match := _WORD.match(self._text, self._pos):
            return self._word(match.group(), match.end())
        match = _EXPRESSION_SYMBOL.match(self._text, self._pos)
        if match is None:
            self._refuse(char)
        symbol = match.group()
        if symbol == "]":
            raise LexError("unexpected right bracket ']'", self._pos)
        if symbol == "=" and self._text[self._pos + 1 : self._pos + 2] == "~":
            raise LexError("unexpected character after '=': '~'", self._pos)
        self._count_parentheses(symbol)
        self._brace = symbol == "{" or (self._brace and symbol != "}")
        self._bracket = symbol == "["
        self._colon = False
        return self._token(_SYMBOLS[symbol], self._pos + len(symbol))

    def _refuse(self, char: str) -> NoReturn:
        if char == "!":
            following = self._text[self._pos + 1 : self._pos + 2] or "\ufffd"
            raise LexError(f"unexpected character after '!': {_char(following)}", self._pos)
        raise LexError(f"unexpected character: {_char(char)}", self._pos)

    def _count_parentheses(self, symbol: str) -> None:
        self._depth += (symbol == "(") - (symbol == ")")
        if self._depth < 0:
            raise LexError("unexpected right parenthesis ')'", self._pos)

    def _word(self, word: str, end: int) -> Token:
        kind = KEYWORDS.get(word.lower())
        if kind is not None and kind.startswith("FILL"):
            space = _SPACE.match(self._text, end)
            if self._text[(space.end() if space else end) :][:1] != "(":
                kind = None
        if kind is None:
            kind = "METRIC_IDENTIFIER" if ":" in word else "IDENTIFIER"
        return self._token(kind, end)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _char(char: str) -> str:
    shown = {"\n": "\\n", "\t": "\\t", "'": "\\'", "\\": "\\\\"}.get(char, char)
    return f"'{shown}'"
