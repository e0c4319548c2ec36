"""Prometheus' own text format, version 0.0.4, with quoted UTF-8 names.

Blanks and tabs may stand between any two parts, other comments are skipped,
timestamps are milliseconds. (prometheus/prometheus, model/textparse/promlex.l;
unlike there, a label value may not hold a raw line feed, and a bare name needs
a blank after it.)
"""

import re
from typing import Final

from controlplane.clock import Timestamp
from controlplane.scrape.exposition.grammar import (
    LABEL,
    NAME,
    STRING,
    Directive,
    Malformed,
    parse_float,
    read_directive,
    shown,
    unexpected,
)

_B: Final = r"[ \t]*+"
_PAIR: Final = rf"(?:{LABEL}|{STRING}){_B}={_B}{STRING}{_B}(?:,{_B})?+"
_QUOTED_NAME: Final = rf"{STRING}{_B}(?:,{_B}|(?=\}}))"
_BLOCK: Final = rf"\{{{_B}(?:{_PAIR}|{_QUOTED_NAME})*+\}}"

_HEAD: Final = re.compile(
    rf"{_B}(?:{NAME}(?:{_B}{_BLOCK}[ \t]?+|[ \t])|{_BLOCK}[ \t]?+)".encode(), re.DOTALL
)
_SKIPPED: Final = re.compile(rb"[ \t]*+(?:#.*)?", re.DOTALL)
_DIRECTIVE: Final = re.compile(
    rf"{_B}#[ \t]+(HELP|TYPE)[ \t]+({NAME}|{STRING})(?:.(.*))?".encode(), re.DOTALL
)
_ATTEMPT: Final = re.compile(rb"[ \t]*#[ \t]+(?:HELP|TYPE)[ \t]")
_LARGEST: Final = (1 << 63) - 1


class TextGrammar:
    """The grammar `text/plain; version=0.0.4`."""

    __slots__ = ()

    types = frozenset({"counter", "gauge", "histogram", "summary", "untyped"})
    trailer = b""

    def head(self, line: bytes) -> bytes:
        match = _HEAD.match(line)
        if match is not None:
            return match[0]
        if _SKIPPED.fullmatch(line):
            return b""
        raise unexpected(line)

    def tail(self, tail: bytes) -> tuple[float, Timestamp | None]:
        parts = tail.replace(b"\t", b" ").split(b" ")
        match [part for part in parts if part]:
            case [value]:
                return parse_float(value), None
            case [value, instant] if instant.isdigit() and int(instant) <= _LARGEST:
                return parse_float(value), int(instant)
        raise Malformed(f"expected a value and perhaps a timestamp, got {shown(tail)}")

    def exemplars(self, body: bytes) -> int:  # noqa: ARG002 - the format has none
        return 0

    def directive(self, line: bytes) -> Directive | None:
        match = _DIRECTIVE.fullmatch(line)
        if match is not None:
            return read_directive(match, self.types)
        if _ATTEMPT.match(line):
            raise Malformed(f"expected a metric name and text, got {shown(line)}")
        return None


TEXT: Final = TextGrammar()
