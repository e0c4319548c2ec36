"""Label matchers: `=`, `!=`, `=~`, `!~`, with Prometheus' own regex dialect."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, cast

import re2

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels


class MatchOp(StrEnum):
    """The four ways to match."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


class Pattern(Protocol):
    """The part of a compiled RE2 pattern that we use."""

    def fullmatch(self, text: str) -> object | None: ...


@lru_cache(maxsize=4096)
def compile_regex(pattern: str) -> Pattern:
    """Compile a fully anchored RE2 pattern in which `.` matches newlines too.

    Raises InvalidInput with RE2's own words.
    """
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return cast(Pattern, re2.compile(pattern, options))
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidInput(f"invalid regular expression {pattern!r}: {text}") from None


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. A label that is not set has the value ''."""

    name: str
    op: MatchOp
    value: str
    _pattern: Pattern | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op in (MatchOp.REGEX, MatchOp.NOT_REGEX):
            object.__setattr__(self, "_pattern", compile_regex(self.value))

    def matches(self, value: str) -> bool:
        """Tell whether a label value fulfils the condition."""
        if self._pattern is not None:
            return (self._pattern.fullmatch(value) is not None) == (self.op is MatchOp.REGEX)
        return (value == self.value) == (self.op is MatchOp.EQUAL)

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{self.op}"{escaped}"'


def matches_all(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Tell whether a label set fulfils every matcher."""
    return all(matcher.matches(labels.value(matcher.name)) for matcher in matchers)
