"""Go's fmt: how values print, and printf with its verbs and its complaints."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controlplane.templating.errors import Excess, FunctionError
from controlplane.templating.values import Struct, entries, go_type, is_list

MAX_TEXT: Final = 1 << 20
_MAX_NUMBER: Final = 1_000_000
_MAX_DEPTH: Final = 50
# From here on the shortest form of a float is written with an exponent.
_MAX_EXPONENT: Final = 6

_DIRECTIVE: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)"
    r"(?:\[(?P<width_at>\d+)\](?=\*))?(?P<width>\*|\d+)?"
    r"(?P<dot>\.(?:\[(?P<prec_at>\d+)\](?=\*))?(?P<prec>\*|\d+)?)?"
    r"(?:\[(?P<at>[^\]]*)\])?(?P<verb>.)?",
    re.DOTALL,
)
_INT_BASES: Final = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES: Final = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}
_SHORT_ESCAPES: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}


@dataclass(frozen=True, slots=True)
class Directive:
    """What stands between `%` and the verb."""

    verb: str = "v"
    minus: bool = False
    plus: bool = False
    sharp: bool = False
    plus_v: bool = False  # of `%+v`: with the names of fields
    sharp_v: bool = False  # of `%#v`: as Go source
    space: bool = False
    zero: bool = False
    width: int | None = None
    precision: int | None = None

    def pad(self, text: str, *, numeric: bool = False) -> str:
        """Return the text padded to the width, counted in characters."""
        if self.width is None or len(text) >= self.width:
            return text
        if self.minus:
            return text.ljust(self.width)
        if not self.zero:
            return text.rjust(self.width)
        sign = text[:1] if numeric and text[:1] in ("+", "-", " ") else ""
        return sign + text[len(sign) :].rjust(self.width - len(sign), "0")


_PLAIN: Final = Directive()


def sprint(args: Sequence[object]) -> str:
    """Return the arguments as Go's fmt.Sprint: spaces only between two that are no texts."""
    out: list[str] = []
    for i, arg in enumerate(args):
        if i and not isinstance(arg, str) and not isinstance(args[i - 1], str):
            out.append(" ")
        out.append(show(arg))
    return bounded("".join(out))


def sprintln(args: Sequence[object]) -> str:
    """Return the arguments as Go's fmt.Sprintln: with spaces, and a newline."""
    return bounded(" ".join(show(arg) for arg in args) + "\n")


def sprintf(template: str, args: Sequence[object]) -> str:
    """Return what Go's fmt.Sprintf does; mistakes show in the text, as there."""
    return bounded(_Formatter(args).run(template))


def show(value: object) -> str:
    """Return a value as `%v` prints it."""
    return value if isinstance(value, str) else _format(value, _PLAIN, 0)


def bounded(text: str) -> str:
    """Return the text. Raises FunctionError when it is longer than a template may make it."""
    check_size(len(text))
    return text


def check_size(size: int) -> None:
    """Raise FunctionError for more characters than a template may make."""
    if size > MAX_TEXT:
        raise Excess(f"text longer than {MAX_TEXT} characters")


class _Formatter:
    def __init__(self, args: Sequence[object]) -> None:
        self._args = args
        self._next = 0
        self._reordered = False

    def run(self, template: str) -> str:
        out: list[str] = []
        size = pos = 0
        while (start := template.find("%", pos)) >= 0:
            match = _DIRECTIVE.match(template, start)
            if match is None:
                break
            part = self._directive(match)
            out += (template[pos:start], part)
            size += len(part)
            check_size(size)
            pos = match.end()
        out.append(template[pos:])
        if not self._reordered and self._next < len(self._args):
            extra = ", ".join(_typed(arg) for arg in self._args[self._next :])
            out.append(f"%!(EXTRA {extra})")
        return "".join(out)

    def _directive(self, match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb is None:
            return "%!(NOVERB)"
        bad: list[str] = []
        width = self._number(match["width_at"], match["width"], "WIDTH", bad)
        precision = self._number(match["prec_at"], match["prec"], "PREC", bad)
        if match["dot"] and match["prec"] is None:
            precision = 0
        if verb == "%":
            return "".join(bad) + "%"
        if match["at"] is not None and not self._seek(match["at"]):
            return f"%!{verb}(BADINDEX)"
        if self._next >= len(self._args):
            missing = "BADINDEX" if self._reordered else "MISSING"
            return "".join(bad) + f"%!{verb}({missing})"
        arg = self._args[self._next]
        self._next += 1
        flags = match["flags"]
        minus = "-" in flags or (width is not None and width < 0)
        directive = Directive(
            verb=verb,
            minus=minus,
            plus="+" in flags and verb != "v",
            sharp="#" in flags and verb != "v",
            plus_v="+" in flags and verb == "v",
            sharp_v="#" in flags and verb == "v",
            space=" " in flags,
            zero="0" in flags and not minus,
            width=None if width is None else abs(width),
            precision=precision,
        )
        return "".join(bad) + _format(arg, directive, 0)

    def _number(self, at: str | None, text: str | None, what: str, bad: list[str]) -> int | None:
        if text is None:
            return None
        value: object = text
        if text == "*":
            if at is not None:
                self._seek(at)
            value = self._args[self._next] if self._next < len(self._args) else None
            self._next += 1
        elif len(text) <= 7:
            value = int(text)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_NUMBER:
            bad.append(f"%!(BAD{what})")
            return None
        return None if what == "PREC" and value < 0 else value

    def _seek(self, text: str) -> bool:
        self._reordered = True
        if not text.isdecimal() or not 0 < int(text[:9]) <= len(self._args):
            return False
        self._next = int(text) - 1
        return True


def _format(value: object, directive: Directive, depth: int) -> str:
    """Return one value under one directive, with `%!v(...)` where they do not fit."""
    if depth > _MAX_DEPTH:
        raise FunctionError(f"value nested deeper than {_MAX_DEPTH} levels")
    if directive.verb == "T":
        return directive.pad(go_type(value)[: directive.precision])
    if isinstance(value, Struct) and not directive.sharp_v and directive.verb in "vsxXq":
        text = value.go_string()
        if text is not None:
            return _string(text, directive)
    if value is None:
        plain = directive.verb == "v" or depth > 0
        return directive.pad("<nil>") if plain else f"%!{directive.verb}(<nil>)"
    if isinstance(value, bool):
        return directive.pad(show_bool(value)) if directive.verb in "tv" else _bad(value, directive)
    if isinstance(value, int):
        return _int(value, directive)
    if isinstance(value, float):
        return _float(value, directive)
    if isinstance(value, str):
        return _string(value, directive)
    return _composite(value, directive, depth)


def show_bool(value: bool) -> str:  # noqa: FBT001 - it is the value itself
    return "true" if value else "false"


def _composite(value: object, directive: Directive, depth: int) -> str:
    def inner(item: object) -> str:
        return _format(item, directive, depth + 1)

    name = go_type(value) if directive.sharp_v else ""
    comma = ", " if name else " "
    if isinstance(value, Mapping):
        parts = [f"{inner(key)}:{inner(item)}" for key, item in entries(value)]
        opening, closing = (f"{name}{{", "}") if name else ("map[", "]")
    elif is_list(value):
        parts = [inner(item) for item in value]
        opening, closing = (f"{name}{{", "}") if name else ("[", "]")
    elif isinstance(value, Struct):
        named = directive.plus_v or directive.sharp_v
        parts = [
            f"{field}:{inner(getattr(value, attribute))}"
            if named
            else inner(getattr(value, attribute))
            for field, attribute in value.FIELDS.items()
        ]
        opening, closing = f"{name}{{", "}"
    else:
        return _bad(value, directive)
    return bounded(opening + comma.join(parts) + closing)


def _bad(value: object, directive: Directive) -> str:
    return f"%!{directive.verb}({_typed(value, replace(directive, verb='v'))})"


def _typed(value: object, directive: Directive = _PLAIN) -> str:
    return "<nil>" if value is None else f"{go_type(value)}={_format(value, directive, 0)}"


def _int(value: int, directive: Directive) -> str:
    verb = directive.verb
    if verb in ("c", "q", "U"):
        return directive.pad(_rune(value, directive))
    if verb not in _INT_BASES:
        return _bad(value, directive)
    digits = format(abs(value), _INT_BASES[verb])
    if directive.precision is not None:
        digits = "" if directive.precision == 0 == value else digits.zfill(directive.precision)
    if verb == "O":
        digits = "0o" + digits
    elif directive.sharp:
        digits = _PREFIXES.get(verb, "") + digits
    text = _sign(value < 0, directive) + digits
    padding = directive if directive.precision is None else _without_zero(directive)
    return padding.pad(text, numeric=True)


def _rune(value: int, directive: Directive) -> str:
    if directive.verb == "U":
        return f"U+{value:04X}"
    char = chr(value) if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000 else "\ufffd"
    if directive.verb == "c":
        return char
    escaped = quote(char)[1:-1].replace('\\"', '"')
    return "'" + ("\\'" if char == "'" else escaped) + "'"


def _sign(negative: bool, directive: Directive) -> str:  # noqa: FBT001 - the sign itself
    if negative:
        return "-"
    if directive.plus:
        return "+"
    return " " if directive.space else ""


def _float(value: float, directive: Directive) -> str:
    verb = directive.verb
    if verb not in "vgGfFeExX":
        return _bad(value, directive)
    if math.isnan(value) or math.isinf(value):
        return _without_zero(directive).pad(shortest(value))
    text = _digits(abs(value), directive)
    return directive.pad(_sign(math.copysign(1.0, value) < 0, directive) + text, numeric=True)


def _digits(value: float, directive: Directive) -> str:
    verb, precision = directive.verb, directive.precision
    if verb in "xX":
        mantissa, _, exponent = value.hex().partition("p")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}p{int(exponent):+03d}"
        return text.upper() if verb == "X" else text
    if verb in "eEfF":
        return f"{value:.{6 if precision is None else precision}{verb}}"
    if precision is None:
        text = shortest(value)
        return text.upper() if verb == "G" else text
    return f"{value:.{precision}{'G' if verb == 'G' else 'g'}}"


def shortest(value: float) -> str:
    """Return the fewest digits that name a float, as Go's `%v`: 1234567.0 is 1.234567e+06."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0")
    if not digits:
        return f"{sign}0"
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    point = int(exponent or 0) + len(whole) - leading
    if not -4 <= point - 1 < _MAX_EXPONENT:
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        power = point - 1
        return f"{sign}{digits[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if len(digits) <= point:
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _without_zero(directive: Directive) -> Directive:
    return Directive(width=directive.width, minus=directive.minus)


def _string(text: str, directive: Directive) -> str:
    verb = directive.verb
    if verb not in "vsqxX":
        return _bad(text, directive)
    if directive.precision is not None:
        text = text[: directive.precision]
    if verb in "xX":
        return directive.pad(_hexadecimal(text.encode(), directive))
    if verb == "q" or directive.sharp_v:
        raw = verb == "q" and directive.sharp and "`" not in text and text.isprintable()
        return directive.pad(f"`{text}`" if raw else quote(text, ascii_only=directive.plus))
    return directive.pad(text)


def _hexadecimal(raw: bytes, directive: Directive) -> str:
    """Return bytes in hexadecimal: each apart (`% x`), with 0x before each or all (`%#x`)."""
    prefix = "0x" if directive.sharp and raw else ""
    text = raw.hex(" ").replace(" ", f" {prefix}") if directive.space else raw.hex()
    text = prefix + text
    return text.upper() if directive.verb == "X" else text


def quote(text: str, *, ascii_only: bool = False) -> str:
    """Return a text as a Go string literal (strconv.Quote)."""
    return '"' + "".join(_escape(char, ascii_only=ascii_only) for char in text) + '"'


def _escape(char: str, *, ascii_only: bool) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if char == '"':
        return '\\"'
    if char == " " or (char.isprintable() and (char.isascii() or not ascii_only)):
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
