"""What the text formats have in common, and what a reader needs of each.

A line that holds a sample is cut in two: its *head* is the series and the one
blank after it, its *tail* the value with what may follow. Heads repeat from
scrape to scrape; tails mostly are a bare number.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, Protocol

from controlplane.clock import Timestamp
from controlplane.errors import ParseError
from controlplane.model.labels import METRIC_NAME

NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
LABEL: Final = r"[a-zA-Z_][a-zA-Z0-9_]*+"
# Quoted text: a backslash takes the next character along, whatever it is.
STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'

_INNER: Final = STRING.removeprefix('"').removesuffix('"')
# Groups: a bare label name, a quoted name, `=` when there is one, its value.
_ITEM: Final = re.compile(
    rf'(?:({LABEL})|"({_INNER})")[ \t]*+(?:(=)[ \t]*+"({_INNER})")?', re.DOTALL
)
_ESCAPE: Final = re.compile(r'\\([\\"n])')
_ESCAPED: Final = {"\\": "\\", '"': '"', "n": "\n"}
_FLOAT: Final = re.compile(
    rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf|infinity)|(?i:nan)"
)

# The label whose value is a number, by type of metric: it is written one way,
# so that `le="5"` and `le="5.0"` are one series.
NUMERIC_LABEL: Final = {"histogram": "le", "summary": "quantile"}


class Malformed(ValueError):
    """A line breaks its format; whoever knows the line number makes it an ExpositionError."""


class ExpositionError(ParseError):
    """A body that cannot be read; `samples` is how many stood before the error."""

    def __init__(self, reason: str, *, line: int, samples: int) -> None:
        super().__init__(reason, line=line, column=1)
        self.samples = samples


@dataclass(frozen=True, slots=True)
class Directive:
    """A `# HELP`, `# TYPE` or `# UNIT` line: of which metric family, and what it says."""

    keyword: str
    name: str
    text: str


class Grammar(Protocol):
    """One text format. Methods raise Malformed."""

    @property
    def trailer(self) -> bytes:
        """The last line that a whole body must have, or nothing."""
        ...

    def head(self, line: bytes) -> bytes:
        """Return the head of a line; empty when the line is to be skipped."""
        ...

    def tail(self, tail: bytes) -> tuple[float, Timestamp | None]:
        """Return the value, and the instant if one is given, of a tail."""
        ...

    def exemplars(self, body: bytes) -> int:
        """Return how many exemplars a good body holds."""
        ...

    def directive(self, line: bytes) -> Directive | None:
        """Read a line that begins with `#`; None for a comment."""
        ...


def parse_float(text: bytes) -> float:
    """Return a number as Go's ParseFloat reads it (no hexadecimals). Raises Malformed."""
    if not _FLOAT.fullmatch(text):
        raise Malformed(f"not a number: {shown(text)}")
    value = float(text)
    if math.isinf(value) and text.lstrip(b"+-")[:1].isdigit():
        raise Malformed(f"number out of range: {shown(text)}")
    return value


def parse_labels(head: bytes, kind: str) -> dict[str, str]:
    """Return the labels of a head, the metric name among them.

    `kind` is the type of metric in force, which decides whether `le` or
    `quantile` is written anew. Raises Malformed.
    """
    head_text = decode(head)
    name, brace, block = head_text.strip(" \t").partition("{")
    labels = {METRIC_NAME: name.rstrip(" \t")} if name else {}
    if brace:
        for bare, quoted, equals, value in _ITEM.findall(block):
            label, content = bare or quoted, value
            if not equals:
                label, content = METRIC_NAME, quoted
            if "\\" in head_text:
                label, content = unescape(label), unescape(content)
            if label in labels:
                raise Malformed(f"label {label!r} is given twice: {shown(head)}")
            labels[label] = content
    if not labels.get(METRIC_NAME):
        raise Malformed(f"metric name not set: {shown(head)}")
    return _normalised(labels, NUMERIC_LABEL.get(kind, ""))


def series_head(name: str, labels: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of a series, all of it in quotes, as `parse_labels` reads it."""
    inside = [f"{_quoted(label)}={_quoted(value)}" for label, value in labels]
    return f"{{{','.join([_quoted(name), *inside])}}} ".encode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


def decode(text: bytes) -> str:
    """Return the text of UTF-8. Raises Malformed."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Malformed(f"invalid UTF-8: {shown(text)}") from None


def read_directive(match: re.Match[bytes], types: frozenset[str]) -> Directive:
    """Return what a matched directive says (groups: keyword, name, text).

    Raises Malformed for a type that is not among `types`, or invalid UTF-8.
    """
    keyword = match[1].decode()
    name = unescape(decode(match[2]).removeprefix('"').removesuffix('"'))
    text = decode(match[3] or b"")
    if keyword == "TYPE" and text not in types:
        raise Malformed(f"invalid metric type {text!r}")
    return Directive(keyword, name, unescape(text))


def unexpected(line: bytes) -> Malformed:
    """Return the error of a line that begins like none that there is."""
    return Malformed(f"expected a metric name, labels and a value, got {shown(line)}")


def unescape(text: str) -> str:
    """Return a text with `\\\\`, `\\"` and `\\n` replaced; other backslashes stay."""
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], text)


def _normalised(labels: dict[str, str], label: str) -> dict[str, str]:
    value = labels.get(label)
    if value:
        labels[label] = normalised_number(value)
    return labels


@lru_cache(maxsize=4096)
def normalised_number(text: str) -> str:
    """Return a number as it is written in `le` and `quantile`; other texts as they are."""
    try:
        return format_bound(parse_float(text.encode()))
    except Malformed:
        return text


def format_bound(value: float) -> str:
    """Return a number as OpenMetrics writes a bucket's bound: `5.0`, `1e+06`, `+Inf`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "0.0"
    exact = Decimal(repr(value)).normalize()
    sign, digits, exponent = exact.as_tuple()
    power = len(digits) + int(exponent) - 1
    if -4 <= power < 6:  # where Go's shortest form does without an exponent
        text = f"{exact:f}"
        return text if "." in text else f"{text}.0"
    fraction = "".join(map(str, digits[1:]))
    point = "." if fraction else ""
    return f"{'-' * sign}{digits[0]}{point}{fraction}e{power:+03d}"


def shown(text: bytes, longest: int = 120) -> str:
    """Return the start of a text for an error message."""
    return repr(text[:longest].decode(errors="replace"))
