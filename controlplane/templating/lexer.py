"""Go template text to tokens (semantics of Go's text/template/parse/lex.go).

Text outside `{{ }}` is one token; inside, a run of spaces is a token too,
since it separates arguments. `{{- ` and ` -}}` trim the text beside them.
Errors become the last token, so that the parser meets them in their order.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Token kinds; for keywords and punctuation the value is how they are written."""

    ERROR = "error"
    EOF = "EOF"
    TEXT = "text"
    LEFT = "{{"
    RIGHT = "}}"
    SPACE = "space"
    BOOL = "bool"
    CHAR_CONSTANT = "character constant"
    NUMBER = "number"
    STRING = "string"
    IDENTIFIER = "identifier"
    FIELD = "field"
    VARIABLE = "variable"
    DOT = "."
    ASSIGN = "="
    DECLARE = ":="
    PIPE = "|"
    LEFT_PAREN = "("
    RIGHT_PAREN = ")"
    CHAR = "char"
    BLOCK = "block"
    BREAK = "break"
    CONTINUE = "continue"
    DEFINE = "define"
    ELSE = "else"
    END = "end"
    IF = "if"
    NIL = "nil"
    RANGE = "range"
    TEMPLATE = "template"
    WITH = "with"


KEYWORDS: Final = frozenset(
    {
        Kind.BLOCK,
        Kind.BREAK,
        Kind.CONTINUE,
        Kind.DEFINE,
        Kind.ELSE,
        Kind.END,
        Kind.IF,
        Kind.NIL,
        Kind.RANGE,
        Kind.TEMPLATE,
        Kind.WITH,
    }
)


@dataclass(frozen=True, slots=True)
class Token:
    """`pos` counts characters from 0, `line` from 1."""

    kind: Kind
    value: str
    pos: int
    line: int


_SPACES: Final = " \t\r\n"
_TRIM_LEFT: Final = re.compile(r"-[ \t\r\n]")
_RIGHT_DELIM: Final = re.compile(r"[ \t\r\n]-\}\}|\}\}")
_COMMENT_END: Final = re.compile(r"\*/([ \t\r\n]-)?\}\}")
# A word may be followed by one of these, or by the right delimiter.
_TERMINATOR: Final = re.compile(r"[ \t\r\n.,|:()]|\}\}|\Z")
_NUMBER: Final = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*|0[bB][01_]*"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)"
)
_QUOTED: Final = {
    '"': (re.compile(r'"(?:\\[^\n]|[^"\\\n])*"'), Kind.STRING, "unterminated quoted string"),
    "`": (re.compile(r"`[^`]*`"), Kind.STRING, "unterminated raw quoted string"),
    "'": (
        re.compile(r"'(?:\\[^\n]|[^'\\\n])*'"),
        Kind.CHAR_CONSTANT,
        "unterminated character constant",
    ),
}
_WORD: Final = re.compile(r"\w+")
_RUN_OF_SPACE: Final = re.compile(r"[ \t\r\n]+")
_SINGLE: Final = {"=": Kind.ASSIGN, "|": Kind.PIPE}


def lex(text: str) -> list[Token]:
    """Return the tokens of a template, the last being EOF or ERROR."""
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._pos = 0
        self._line = 1
        self._counted = 0  # up to where newlines are in `_line`
        self._parens = 0
        self._tokens: list[Token] = []

    def run(self) -> list[Token]:
        while self._outside():
            while self._inside():
                pass
            if self._tokens[-1].kind is Kind.ERROR:
                break
        return self._tokens

    def _emit(self, kind: Kind, start: int, end: int) -> None:
        self._line += self._text.count("\n", self._counted, start)
        self._tokens.append(Token(kind, self._text[start:end], start, self._line))
        self._counted = start
        self._pos = end

    def _fail(self, message: str) -> bool:
        self._line += self._text.count("\n", self._counted, self._pos)
        self._tokens.append(Token(Kind.ERROR, message, self._pos, self._line))
        return False

    def _outside(self) -> bool:
        """Take text up to and with the next `{{`; False at the end or an error."""
        start = self._pos
        found = self._text.find("{{", start)
        end = len(self._text) if found < 0 else found
        trimmed = found >= 0 and _TRIM_LEFT.match(self._text, found + 2) is not None
        kept = len(self._text[start:end].rstrip(_SPACES)) + start if trimmed else end
        if kept > start:
            self._emit(Kind.TEXT, start, kept)
        if found < 0:
            self._emit(Kind.EOF, end, end)
            return False
        after = found + (4 if trimmed else 2)
        if self._text.startswith("/*", after):
            return self._comment(after)
        self._emit(Kind.LEFT, found, found + 2)
        self._pos = after
        self._parens = 0
        return True

    def _comment(self, start: int) -> bool:
        self._pos = start
        end = self._text.find("*/", start + 2)
        if end < 0:
            return self._fail("unclosed comment")
        closing = _COMMENT_END.match(self._text, end)
        if closing is None:
            return self._fail("comment ends before closing delimiter")
        self._skip_after(closing.end(), trim=closing.group(1) is not None)
        return self._outside()

    def _skip_after(self, end: int, *, trim: bool) -> None:
        spaces = _RUN_OF_SPACE.match(self._text, end) if trim else None
        self._pos = spaces.end() if spaces else end

    def _inside(self) -> bool:
        """Take one token inside an action; False after `}}` or an error."""
        text, start = self._text, self._pos
        closing = _RIGHT_DELIM.match(text, start)
        if closing is not None:
            return self._right(closing)
        if start >= len(text):
            return self._fail("unclosed action")
        char = text[start]
        if char in _SPACES:
            return self._space(start)
        if char in _QUOTED:
            return self._quoted(char, start)
        if char in ".$":
            return self._dot(start) if char == "." else self._variable(start)
        if char in "+-" or char.isdigit():
            return self._number(start)
        return self._word(start) if _is_word(char) else self._punctuation(char, start)

    def _right(self, closing: re.Match[str]) -> bool:
        if self._parens:
            return self._fail("unclosed left paren")
        trim = len(closing.group()) == 4
        self._emit(Kind.RIGHT, closing.end() - 2, closing.end())
        self._skip_after(closing.end(), trim=trim)
        return False

    def _space(self, start: int) -> bool:
        run = _RUN_OF_SPACE.match(self._text, start)
        end = run.end() if run else start + 1
        # The last space may belong to a ` -}}`.
        if _RIGHT_DELIM.match(self._text, end - 1) and self._text[end : end + 1] == "-":
            end -= 1
        self._emit(Kind.SPACE, start, end)
        return True

    def _quoted(self, quote: str, start: int) -> bool:
        pattern, kind, message = _QUOTED[quote]
        match = pattern.match(self._text, start)
        if match is None:
            return self._fail(message)
        self._emit(kind, start, match.end())
        return True

    def _dot(self, start: int) -> bool:
        following = self._text[start + 1 : start + 2]
        if following.isascii() and following.isdigit():
            return self._number(start)
        if not _is_word(following):
            return self._terminated(Kind.DOT, start, start + 1)
        return self._terminated(Kind.FIELD, start, self._word_end(start + 1))

    def _variable(self, start: int) -> bool:
        return self._terminated(Kind.VARIABLE, start, self._word_end(start + 1))

    def _word(self, start: int) -> bool:
        end = self._word_end(start)
        word = self._text[start:end]
        if word in KEYWORDS:
            return self._terminated(Kind(word), start, end)
        kind = Kind.BOOL if word in ("true", "false") else Kind.IDENTIFIER
        return self._terminated(kind, start, end)

    def _word_end(self, start: int) -> int:
        match = _WORD.match(self._text, start)
        return match.end() if match else start

    def _terminated(self, kind: Kind, start: int, end: int) -> bool:
        if _TERMINATOR.match(self._text, end) is None:
            self._pos = end
            char = self._text[end]
            return self._fail(f"bad character {_code_point(char)}")
        self._emit(kind, start, end)
        return True

    def _number(self, start: int) -> bool:
        match = _NUMBER.match(self._text, start)
        end = match.end() if match else start + 1
        following = self._text[end : end + 1]
        if _is_word(following) or following in ("+", "-"):
            return self._fail(f'bad number syntax: "{self._text[start : end + 1]}"')
        self._emit(Kind.NUMBER, start, end)
        return True

    def _punctuation(self, char: str, start: int) -> bool:
        if char == ":":
            if not self._text.startswith(":=", start):
                return self._fail("expected :=")
            self._emit(Kind.DECLARE, start, start + 2)
        elif char == "(":
            self._parens += 1
            self._emit(Kind.LEFT_PAREN, start, start + 1)
        elif char == ")":
            if not self._parens:
                return self._fail("unexpected right paren")
            self._parens -= 1
            self._emit(Kind.RIGHT_PAREN, start, start + 1)
        elif char in _SINGLE:
            self._emit(_SINGLE[char], start, start + 1)
        elif char.isascii() and char.isprintable():
            self._emit(Kind.CHAR, start, start + 1)
        else:
            return self._fail(f"unrecognized character in action: {_code_point(char)}")
        return True


def _is_word(char: str) -> bool:
    return char == "_" or char.isalnum()


def _code_point(char: str) -> str:
    """Return a character as Go's `%#U`."""
    return f"U+{ord(char):04X}" + (f" '{char}'" if char.isprintable() else "")
