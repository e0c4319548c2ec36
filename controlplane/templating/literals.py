"""Go literals as Python values: quoted strings, character constants, numbers."""

import re
from typing import Final

_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_UNDERSCORED: Final = re.compile(r"[+-]?(?:0[xXoObB]_?)?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|[^_]*")
_HEX_FLOAT: Final = re.compile(r"[+-]?0[xX].*[pP].*")
_INTEGER: Final = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*)")


def unquote(text: str) -> str:
    """Return the value of a Go string or character literal.

    Raises ValueError for one that is not valid.
    """
    body, quote = text[1:-1], text[0]
    if quote == "`":
        return body.replace("\r", "")
    out = bytearray()
    pos = 0
    for match in _ESCAPE.finditer(body):
        out += body[pos : match.start()].encode()
        out += _unescape(match, quote)
        pos = match.end()
    out += body[pos:].encode()
    return out.decode(errors="replace")


def _unescape(match: re.Match[str], quote: str) -> bytes:
    byte, short, long, octal, single = match.groups()
    if byte is not None:
        return bytes([int(byte, 16)])
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    code = short or long
    if code is not None:
        return chr(int(code, 16)).encode()
    if single not in _ESCAPES or (single in "\"'" and single != quote):
        raise ValueError("invalid syntax")
    return _ESCAPES[single].encode()


def number(text: str) -> tuple[int | float, int | None]:
    """Return a constant's value by its syntax, and as an integer if it is whole.

    Raises ValueError with Go's words. `1e3` is a float that can serve as an
    integer.
    """
    plain = text.replace("_", "")
    if _UNDERSCORED.fullmatch(text) is None or not plain.strip("+-."):
        raise ValueError("illegal number syntax")
    if _INTEGER.fullmatch(plain):
        value = _integer(plain)
        if not -(1 << 63) <= value < 1 << 64:
            raise ValueError("integer overflow")
        return value, value
    if plain.lstrip("+-").isdecimal():
        raise ValueError("integer overflow")  # 08 is no octal number; Go says it like this
    try:
        decimal = float.fromhex(plain) if _HEX_FLOAT.fullmatch(plain) else float(plain)
    except (ValueError, OverflowError):
        raise ValueError("illegal number syntax") from None
    whole = int(decimal) if decimal.is_integer() and abs(decimal) < 1 << 63 else None
    return decimal, whole


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)  # Go's old octal: 0755
    return sign * int(digits, 0)
