"""Regular expression templates as Go expands them: `$1`, `${1}`, `${name}`, `$$`."""

import re
from collections.abc import Mapping
from typing import Final, Protocol

# Longest name first, so `$1x` names the group "1x" and not group 1. What is
# no reference at all, such as a lone `$`, stays as it is written.
_REFERENCE: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,7}")


class Match(Protocol):
    """The part of an RE2 match that we use."""

    def group(self, group: int, /) -> str | bytes | None: ...


def expand(template: str, match: Match, groups: int, names: Mapping[str, int]) -> str:
    """Return `template` with the groups of `match` put in, as Go's `Regexp.Expand` does.

    `groups` is how many the pattern has, `names` their names. A group that
    took no part, or does not exist, is empty. A match in bytes is read as UTF-8;
    bytes that are none come out as lone surrogates (`surrogateescape`).
    """

    def value(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        number = int(name) if _NUMBER.fullmatch(name) else names.get(name, -1)
        return _text(match.group(number)) if 0 <= number <= groups else ""

    return _REFERENCE.sub(value, template)


def _text(group: str | bytes | None) -> str:
    if isinstance(group, bytes):
        return group.decode(errors="surrogateescape")
    return group or ""
