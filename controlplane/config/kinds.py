"""The kinds of scalars in the files, read as their own programs read them.

Prometheus and Alertmanager read YAML into Go types: where a string is wanted,
any scalar is its own text; where a number or a boolean is wanted, a quoted
text is an error. Durations come in two dialects: Prometheus' (`1d`, no
fractions) and Go's (`1.5h`, no days).
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from controlplane.clock import Duration
from controlplane.config.findings import Findings
from controlplane.config.schema import Kind, Leaf, ListOf, Made, MapOf
from controlplane.errors import InvalidInput
from controlplane.model.duration import format_duration, parse_duration
from controlplane.model.labels import Labels, is_utf8
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence, describe
from controlplane.model.matchers import compile_regex

E = TypeVar("E", bound=StrEnum)

_TRUE: Final = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE: Final = frozenset(
    {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
)
_INTEGER: Final = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+|0|[1-9][0-9_]*)\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?\Z")
_GO_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_GO_UNITS: Final = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "µs": Decimal("0.001"),
    "μs": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1_000),
    "m": Decimal(60_000),
    "h": Decimal(3_600_000),
}
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([KMGTPE]i?B|B)\Z")
_SIZE_UNITS: Final = "BKMGTPE"
_LARGEST: Final = (1 << 63) - 1
_LONGEST: Final = 80  # characters of a number; no sensible one has more


def text(node: Scalar) -> str:
    """Return a scalar as the text it was written as; null is the empty one."""
    if not is_utf8(node.text):
        raise InvalidInput("not valid UTF-8")
    return "" if node.null else node.text


def _nonempty(node: Scalar) -> str:
    if not node.text:
        raise InvalidInput("must not be empty")
    return text(node)


def _boolean(node: Scalar) -> bool:
    if not node.quoted and node.text in _TRUE | _FALSE:
        return node.text in _TRUE
    raise InvalidInput(f"expected true or false, not {describe(node)}")


def _integer(node: Scalar) -> int:
    if node.quoted or _INTEGER.match(node.text) is None:
        raise InvalidInput(f"expected a whole number, not {describe(node)}")
    number = _whole(node.text)
    if abs(number) > _LARGEST:
        raise InvalidInput(f"out of range: {describe(node)}")
    return number


def _whole(written: str) -> int:
    if len(written) > _LONGEST:
        raise InvalidInput(f"out of range: {written[:_LONGEST]}...")
    return int(written.replace("_", ""), 0)


def _natural(node: Scalar) -> int:
    number = _integer(node)
    if number < 0:
        raise InvalidInput(f"must not be negative: {node.text}")
    return number


def _duration(node: Scalar) -> Duration:
    return parse_duration(node.text)


def _positive_duration(node: Scalar) -> Duration:
    length = parse_duration(node.text)
    if length == 0:
        raise InvalidInput("must be above 0")
    return length


def _go_duration(node: Scalar) -> Duration:
    """Return milliseconds, rounded up, for Go's `time.ParseDuration` without a sign."""
    written = node.text.removeprefix("+")
    if written == "0":
        return 0
    parts = _GO_DURATION.findall(written) if len(written) <= _LONGEST else []
    if not parts or "".join(number + unit for number, unit in parts) != written:
        raise InvalidInput(f"not a valid duration: {written!r} (write it like 500ms, 10s or 1m30s)")
    total = sum((Decimal(number) * _GO_UNITS[unit] for number, unit in parts), Decimal(0))
    if total > _LARGEST // 1_000_000:
        raise InvalidInput(f"duration out of range: {written!r}")
    return int(total.to_integral_value(rounding="ROUND_CEILING"))


def _show_go_duration(length: Duration) -> str:
    """Return what `_go_duration` reads: Go knows no days."""
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        number, length = divmod(length, size)
        parts.append(f"{number}{unit}" if number else "")
    return "".join(parts) or "0s"


def _fraction(node: Scalar) -> float:
    if node.quoted or len(node.text) > _LONGEST or _FLOAT.match(node.text) is None:
        raise InvalidInput(f"expected a number that is not negative, not {describe(node)}")
    number = float(node.text.replace("_", ""))
    if number < 0:
        raise InvalidInput(f"must not be negative: {node.text}")
    return number


def _size(node: Scalar) -> int:
    """Return bytes for `10MB`, `1.5GiB` or `512B`: every unit a power of 1024."""
    if node.text == "0":
        return 0
    match = _SIZE.match(node.text) if len(node.text) <= _LONGEST else None
    if match is None:
        raise InvalidInput(f"not a size: {describe(node)} (write it like 512KB or 10MB)")
    size = int(Decimal(match[1]) * 1024 ** _SIZE_UNITS.index(match[2][0]))
    if size > _LARGEST:
        raise InvalidInput(f"size out of range: {node.text}")
    return size


def _regex(node: Scalar) -> str:
    pattern = text(node)
    compile_regex(pattern)
    return pattern


def _label_name(node: Scalar) -> str:
    return check_label_name(text(node))


def check_label_name(name: str) -> str:
    """Return a label's name: any UTF-8 text but the empty one. Raises InvalidInput."""
    if not name or not is_utf8(name):
        raise InvalidInput(f"not a valid label name: {name!r}")
    return name


TEXT: Final = Leaf("a text", text, null=True)
NAME: Final = Leaf("a name", _nonempty)
BOOLEAN: Final = Leaf("true or false", _boolean)
INTEGER: Final = Leaf("a whole number", _integer)
NATURAL: Final = Leaf("a whole number", _natural)
FRACTION: Final = Leaf("a number", _fraction)
DURATION: Final = Leaf("a duration", _duration, format_duration)
POSITIVE_DURATION: Final = Leaf("a duration", _positive_duration, format_duration)
GO_DURATION: Final = Leaf("a duration", _go_duration, _show_go_duration)
SIZE: Final = Leaf("a size", _size, lambda size: f"{size}B" if size else None)
REGEX: Final = Leaf("a regular expression", _regex)
LABEL_NAME: Final = Leaf("a label name", _label_name)

TEXTS: Final = ListOf("a list of texts", TEXT)
REGEXES: Final = ListOf("a list of regular expressions", REGEX)
TEXT_MAP: Final = MapOf("a mapping of texts", TEXT)
LABELS: Final = Made(MapOf("a mapping of labels", TEXT, check_label_name), Labels, dict)


def choice(*names: str) -> Leaf[str]:
    """Return the kind that takes one of some texts."""
    title = " or ".join(names) if len(names) < 3 else "one of " + ", ".join(names)

    def parse(node: Scalar) -> str:
        if node.text not in names:
            raise InvalidInput(f"expected {title}, not {describe(node)}")
        return node.text

    return Leaf(title, parse)


def member(options: type[E], *, fold: bool = False) -> Leaf[E]:
    """Return the kind that takes a member of `options`, in any case of letters with `fold`."""
    title = "one of " + ", ".join(options)

    def parse(node: Scalar) -> E:
        try:
            return options(node.text.lower() if fold else node.text)
        except ValueError:
            raise InvalidInput(f"expected {title}, not {describe(node)}") from None

    return Leaf(title, parse, str)


class Anything(Kind[Any]):
    """Any YAML, as JSON values; lists become tuples. Scalars are typed as YAML 1.1 types them."""

    __slots__ = ()

    def read(self, node: Node, found: Findings, /) -> Any:
        if isinstance(node, Mapping):
            return {name: self.read(child, found) for name, child in node.entries.items()}
        if isinstance(node, Sequence):
            return tuple(self.read(child, found) for child in node.items)
        return _plain(node)

    def show(self, value: Any) -> object:
        if isinstance(value, dict):
            return {name: self.show(item) for name, item in value.items()}
        return [self.show(item) for item in value] if isinstance(value, tuple) else value


def _plain(node: Scalar) -> str | int | float | bool | None:
    if node.null:
        return None
    if node.quoted:
        return text(node)
    if node.text in _TRUE | _FALSE:
        return node.text in _TRUE
    if _INTEGER.match(node.text):
        return _whole(node.text)
    return float(node.text.replace("_", "")) if _FLOAT.match(node.text) else text(node)
