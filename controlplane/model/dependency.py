"""What something stands on: another thing by its name, or those that matchers find.

In a file and in the API a dependency is one text: `orders-db`, or matchers such
as `{job="gateway", zone="a"}`. A name is that of a target where a target says
it, and that of an alert where a rule does.
"""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import format_matchers, parse_matchers
from controlplane.model.matchers import Matcher, matches_all

N = TypeVar("N", bound=Hashable)

_MATCHERS: Final = re.compile(r"[{}=!~,\"]")
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True)
class Dependency:
    """One of the two: a name, or matchers."""

    name: str = ""
    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        return self.name or format_matchers(self.matchers)

    def finds(self, name: str, labels: Labels) -> bool:
        """Tell whether a thing of that name, with these labels, is meant."""
        return name == self.name if self.name else matches_all(self.matchers, labels)


def parse_dependency(text: str) -> Dependency:
    """Return what a text means. Raises InvalidInput, also for what would find everything."""
    written = text.strip()
    if not written or len(written) > _LONGEST:
        raise InvalidInput(f"a name, or matchers in braces, of at most {_LONGEST} characters")
    if _MATCHERS.search(written) is None:
        return Dependency(name=written)
    matchers = parse_matchers(written)
    if all(matcher.matches("") for matcher in matchers):
        raise InvalidInput("at least one matcher must not match the empty string")
    return Dependency(matchers=tuple(matchers))


def parse_dependencies(texts: Iterable[str]) -> tuple[Dependency, ...]:
    """Return what a list of texts means. Raises InvalidInput, with the place of a bad one."""
    found: list[Dependency] = []
    for place, text in enumerate(texts):
        try:
            found.append(parse_dependency(text))
        except InvalidInput as error:
            raise InvalidInput(error.reason, pointer=f"/{place}") from None
    return tuple(found)


def find_cycle(start: N, below: Callable[[N], Iterable[N]]) -> tuple[N, ...]:
    """Return the shortest way from a node back to itself, both ends named, or nothing."""
    ways: dict[N, tuple[N, ...]] = {start: (start,)}
    waiting = [start]
    for node in waiting:
        for other in below(node):
            if other == start:
                return (*ways[node], start)
            if other not in ways:
                ways[other] = (*ways[node], other)
                waiting.append(other)
    return ()


def reach(start: N, below: Callable[[N], Iterable[N]]) -> tuple[N, ...]:
    """Return all that stands below a node, the nearest first, never the node itself."""
    found: dict[N, None] = {}
    waiting = [start]
    for node in waiting:
        for other in below(node):
            if other != start and other not in found:
                found[other] = None
                waiting.append(other)
    return tuple(found)
