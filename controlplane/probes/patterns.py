"""Regular expressions of modules: RE2, searched for anywhere, as Go's regexp does."""

from functools import lru_cache
from typing import Protocol, cast

import re2

from controlplane.errors import InvalidInput


class SearchPattern(Protocol):
    """The part of a compiled pattern that probers use."""

    def search(self, text: str) -> "Match | None": ...


class Match(Protocol):
    """A match and its groups."""

    def expand(self, template: str) -> str: ...

    def group(self, group: int | str = 0) -> str | None: ...

    def groupdict(self) -> dict[str, str | None]: ...


@lru_cache(maxsize=4096)
def compile_search(pattern: str) -> SearchPattern:
    """Compile a pattern that matches anywhere. Raises InvalidInput with RE2's own words."""
    options = re2.Options()
    options.log_errors = False
    try:
        return cast(SearchPattern, re2.compile(pattern, options))
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidInput(f"invalid regular expression {pattern!r}: {text}") from None
