"""`status_pages` of the configuration."""

import re
from dataclasses import dataclass
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, matches_all

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z"
)


@dataclass(frozen=True, slots=True)
class PageGroup:
    """Targets that one selector of `match` finds; those of one value of `by` are a service."""

    name: str
    match: tuple[tuple[Matcher, ...], ...]
    by: str = "job"

    def __post_init__(self) -> None:
        if not self.match:
            raise InvalidInput("say which targets: match is missing", pointer="/match")

    def selects(self, labels: Labels) -> bool:
        """Tell whether a target with these labels is in the group."""
        return any(matches_all(matchers, labels) for matchers in self.match)


@dataclass(frozen=True, slots=True)
class StatusPage:
    """A page for the public at `/status/{name}`, and at `/` of `host` where that is given.

    Raises InvalidInput for a name or host that no address can hold, and for
    two groups of one name.
    """

    name: str
    title: str = "Status"
    text: str = ""
    host: str = ""
    groups: tuple[PageGroup, ...] = ()

    def __post_init__(self) -> None:
        if _NAME.match(self.name) is None:
            raise InvalidInput("a name has a-z, 0-9 and -, at most 63", pointer="/name")
        if self.host and _HOST.match(self.host) is None:
            raise InvalidInput("a host name in lower case, without a port", pointer="/host")
        names = [group.name for group in self.groups]
        if len(names) != len(set(names)):
            raise InvalidInput("two groups have the same name", pointer="/groups")
