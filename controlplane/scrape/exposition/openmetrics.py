"""OpenMetrics 1.0, as Prometheus reads it: one blank between parts, `# EOF` at the end.

Timestamps are seconds with a fraction. Exemplars are checked and dropped;
`_created` series are series like others. (prometheus/prometheus,
model/textparse/openmetricslex.l.)
"""

import math
import re
from typing import Final

from controlplane.clock import Timestamp
from controlplane.scrape.exposition.grammar import (
    LABEL,
    NAME,
    STRING,
    Directive,
    Malformed,
    decode,
    parse_float,
    read_directive,
    shown,
    unexpected,
)

_PAIR: Final = rf"(?:{LABEL}|{STRING})={STRING}(?:,|(?=\}}))"
_QUOTED_NAME: Final = rf"{STRING}(?:,|(?=\}}))"
_BLOCK: Final = rf"\{{(?:{_PAIR}|{_QUOTED_NAME})*+\}}"

_HEAD: Final = re.compile(rf"(?:{NAME}(?:{_BLOCK})?+|{_BLOCK}) ".encode(), re.DOTALL)
_TAIL: Final = re.compile(
    rf"([^ ]+)(?: ([^ #][^ ]*))?(?: # (\{{(?:{_PAIR})*+\}}) ([^ ]+)(?: ([^ ]+))?)?".encode(),
    re.DOTALL,
)
_DIRECTIVE: Final = re.compile(rf"# (HELP|TYPE|UNIT) ({NAME}|{STRING}) (.*)".encode(), re.DOTALL)

_EXEMPLAR: Final = b" # {"
_LARGEST: Final = 1 << 52  # seconds; beyond it milliseconds leave 64 bits


class OpenMetricsGrammar:
    """The grammar `application/openmetrics-text; version=1.0.0`."""

    __slots__ = ()

    types = frozenset(
        {
            "counter",
            "gauge",
            "histogram",
            "gaugehistogram",
            "summary",
            "info",
            "stateset",
            "unknown",
        }
    )
    trailer = b"# EOF"

    def head(self, line: bytes) -> bytes:
        match = _HEAD.match(line)
        if match is None:
            raise unexpected(line)
        return match[0]

    def tail(self, tail: bytes) -> tuple[float, Timestamp | None]:
        match = _TAIL.fullmatch(tail)
        if match is None:
            raise Malformed(f"expected a value, got {shown(tail)}")
        value, instant, exemplar, exemplar_value, exemplar_instant = match.groups()
        if exemplar is not None:
            decode(exemplar)
            parse_float(exemplar_value)
            _instant(exemplar_instant)
        return parse_float(value), _instant(instant)

    def exemplars(self, body: bytes) -> int:
        # Quoted texts may hold these bytes too; nobody writes such a one.
        return body.count(_EXEMPLAR)

    def directive(self, line: bytes) -> Directive | None:
        if line == self.trailer:
            return None
        match = _DIRECTIVE.fullmatch(line)
        if match is None:
            raise unexpected(line)
        directive = read_directive(match, self.types)
        unit = directive.text if directive.keyword == "UNIT" else ""
        if unit and not directive.name.endswith(f"_{unit}"):
            raise Malformed(f"unit {unit!r} not a suffix of {directive.name!r}")
        return directive


def _instant(text: bytes | None) -> Timestamp | None:
    if text is None:
        return None
    seconds = parse_float(text)
    if not math.isfinite(seconds) or abs(seconds) > _LARGEST:
        raise Malformed(f"invalid timestamp {shown(text)}")
    return int(seconds * 1000)


OPENMETRICS: Final = OpenMetricsGrammar()
