"""What Prometheus' and Alertmanager's template functions share (prometheus/common)."""

import math
import re
from functools import lru_cache
from typing import Any, Final, cast

import re2

from controlplane.templating.errors import FunctionError
from controlplane.templating.gotime import SECOND, Duration, Time
from controlplane.templating.printf import bounded, quote, shortest
from controlplane.templating.values import go_type

_FLOAT: Final = re.compile(
    r"[+-]?(?:inf(?:inity)?|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|0x[0-9a-f]+(?:\.[0-9a-f]*)?"
    r"p[+-]?\d+)",
    re.IGNORECASE,
)
# `$1`, `${1}`, `$name`, `${name}`; `$$` is a dollar sign.
_REFERENCE: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
_SMALL: Final = ("m", "u", "n", "p", "f", "a", "z", "y")
_LARGE: Final = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY: Final = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
# Between two letters, or two digits, some signs do not end a word.
_WORD: Final = re.compile(
    r"\w+(?:(?:(?<=[^\W\d_])['\u2019.:\u00b7](?=[^\W\d_])|(?<=\d)['\u2019.,;](?=\d))\w+)*"
)
# RE2's words for what is wrong with a pattern, and Go's.
_GO_REASONS: Final = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
}
_MAX_NANOSECONDS: Final = 2.0**63


def to_float(value: object) -> float:
    """Return a number, a text that is one, or a duration in seconds, as a float."""
    if isinstance(value, Duration):
        return value.seconds()
    if isinstance(value, str):
        if _FLOAT.fullmatch(value) is None:
            raise FunctionError(f"strconv.ParseFloat: parsing {quote(value)}: invalid syntax")
        return float.fromhex(value) if "0x" in value.lower() else float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise FunctionError(f"can't convert {go_type(value)} to float")


def four_digits(value: float) -> str:
    """Return a number as Go's `%.4g`."""
    return f"{value:.4g}" if math.isfinite(value) else shortest(value)


def humanize(number: object) -> str:
    """Return a number with a metric prefix: 1234567 is `1.235M`."""
    value = to_float(number)
    if value == 0 or not math.isfinite(value):
        return four_digits(value)
    if abs(value) >= 1:
        return _scaled(value, 1000.0, _LARGE)
    return _magnified(value)


def humanize1024(number: object) -> str:
    """Return a number with a binary prefix: 1048576 is `1Mi`."""
    value = to_float(number)
    if abs(value) <= 1 or not math.isfinite(value):
        return four_digits(value)
    return _scaled(value, 1024.0, _BINARY)


def _scaled(value: float, step: float, prefixes: tuple[str, ...]) -> str:
    prefix = ""
    for following in prefixes:
        if abs(value) < step:
            break
        prefix = following
        value /= step
    return four_digits(value) + prefix


def _magnified(value: float) -> str:
    prefix = ""
    for following in _SMALL:
        if abs(value) >= 1:
            break
        prefix = following
        value *= 1000
    return four_digits(value) + prefix


def humanize_duration(number: object) -> str:
    """Return seconds as a person says them: 90061 is `1d 1h 1m 1s`, 0.0005 is `500us`."""
    value = to_float(number)
    if not math.isfinite(value):
        return four_digits(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        return f"{_magnified(value)}s"
    sign, total = ("-", int(-value)) if value < 0 else ("", int(value))
    days, rest = divmod(total, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{four_digits(value)}s"


def humanize_percentage(number: object) -> str:
    """Return a ratio as a percentage: 0.1234567 is `12.35%`."""
    return f"{four_digits(to_float(number) * 100)}%"


def to_time(number: object) -> Time:
    """Return the instant of seconds since the Unix epoch, to the nanosecond."""
    value = to_float(number)
    if not math.isfinite(value):
        raise FunctionError("value is NaN or Inf")
    nanoseconds = value * SECOND
    if not -_MAX_NANOSECONDS <= nanoseconds <= _MAX_NANOSECONDS:
        raise FunctionError(
            f"{shortest(value)} cannot be represented as a nanoseconds timestamp"
            " since it overflows int64"
        )
    # Prometheus' model.Time holds milliseconds.
    return Time(int(nanoseconds) // 1_000_000 * 1_000_000)


def humanize_timestamp(number: object) -> str:
    """Return seconds since the Unix epoch as `2015-06-23 13:19:44.128 +0000 UTC`."""
    value = to_float(number)
    return four_digits(value) if not math.isfinite(value) else to_time(value).go_string()


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise FunctionError(_go_words(error)) from None


def _go_words(error: Exception) -> str:
    """Return why a pattern cannot be compiled as Go's regexp says it."""
    reason = error.args[0] if error.args else "internal error"
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    what, _, where = text.partition(": ")
    return f"error parsing regexp: {_GO_REASONS.get(what, what)}: `{where}`"


def match(pattern: str, text: str) -> bool:
    """Tell whether the pattern is found anywhere in the text."""
    return _regex(pattern).search(text) is not None


def re_replace_all(pattern: str, replacement: str, text: str) -> str:
    """Return the text with every match replaced; `$1` and `${name}` stand for groups."""
    try:
        found = _regex(pattern).finditer(text)
    except FunctionError as error:
        # Go's MustCompile, which names the pattern before it panics.
        shown = quote(pattern) if "`" in pattern else f"`{pattern}`"
        raise FunctionError(f"regexp: Compile({shown}): {error.reason}") from None
    out: list[str] = []
    end = -1  # of the match before: an empty one there is none of its own
    for each in found:
        if each.end() > end:
            out += (text[max(end, 0) : each.start()], _expand(replacement, each))
            end = each.end()
    return bounded("".join([*out, text[max(end, 0) :]]))


def _expand(replacement: str, found: Any) -> str:
    def group(reference: re.Match[str]) -> str:
        dollar, braced, bare = reference.groups()
        if dollar:
            return "$"
        name = braced or bare
        key = int(name) if name.isdecimal() else name
        try:
            return cast(str, found.group(key) or "")
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(group, replacement)


def title(text: str) -> str:
    """Return the text with each word's first letter in upper case (Go's strings.Title).

    Words end at spaces and at ASCII characters that are no letter, digit or underscore.
    """
    before = f" {text}"
    return "".join(
        char.title() if _separates(last) else char for last, char in zip(before, text, strict=False)
    )


def _separates(char: str) -> bool:
    if char.isascii():
        return not char.isalnum() and char != "_"
    return char.isspace()


def title_words(text: str) -> str:
    """Return the text with each word's first letter in upper case, the others in lower case.

    Words are Unicode's (golang.org/x/text/cases): `o'neill` and `x.y` are one each.
    """
    return _WORD.sub(lambda word: _titled(word[0]), text)


def _titled(word: str) -> str:
    for place, char in enumerate(word):
        if char.upper() != char.lower():
            return word[:place] + char.title() + word[place + 1 :].lower()
    return word
