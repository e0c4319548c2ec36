"""String literals of PromQL: Go's escapes, in single, double or back quotes."""

import re
from typing import Final

_ESCAPE: Final = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\'\"])|(?P<octal>[0-7]{3})|x(?P<hex>[0-9a-fA-F]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<bad>.?))",
    re.DOTALL,
)
_SIMPLE: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_PRINTED: Final = {value: f"\\{key}" for key, value in _SIMPLE.items() if key != "'"}


def unquote(literal: str) -> str:
    """Return the text of a literal with its quotes. Raises ValueError."""
    quote, body = literal[0], literal[1:-1]
    if quote == "`":
        return body.replace("\r", "")
    if "\\" not in body:
        return body
    # Octal and hexadecimal escapes name bytes, the others characters.
    raw = b"".join(_unescaped(body, quote))
    return raw.decode("utf-8", errors="surrogateescape")


def _unescaped(body: str, quote: str) -> list[bytes]:
    parts: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(body):
        parts += [body[at : match.start()].encode(), _escape(match, quote)]
        at = match.end()
    return [*parts, body[at:].encode()]


def _escape(match: re.Match[str], quote: str) -> bytes:
    if simple := match["simple"]:
        if simple in "'\"" and simple != quote:
            raise ValueError(f"unknown escape sequence {match.group()}")
        return _SIMPLE[simple].encode()
    if match["octal"] or match["hex"]:
        byte = int(match["octal"], 8) if match["octal"] else int(match["hex"], 16)
        if byte > 255:
            raise ValueError(f"escape sequence is out of range: {match.group()}")
        return bytes((byte,))
    if code := match["short"] or match["long"]:
        point = int(code, 16)
        if point > 0x10FFFF or 0xD800 <= point < 0xE000:
            raise ValueError("escape sequence is an invalid Unicode code point")
        return chr(point).encode()
    raise ValueError(f"unknown escape sequence {match.group()}")


def quote(text: str) -> str:
    """Return the text as a literal in double quotes."""
    return '"' + "".join(_PRINTED.get(char) or _printable(char) for char in text) + '"'


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    point = ord(char)
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"  # a byte that is no UTF-8
    if point < 0x80:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def shown(text: str) -> str:
    """Return a text for a message: bytes that are no UTF-8 as escapes."""
    raw = text.encode("utf-8", errors="surrogateescape")
    return raw.decode("utf-8", errors="backslashreplace")
