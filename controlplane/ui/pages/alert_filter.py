"""Which alerts a reader wants to see: read from the address of the page, and written into it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from controlplane.errors import InvalidInput
from controlplane.model import links
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.matchers import Matcher, matches_all

SEVERITY: Final = "severity"
# What is no matcher is a word to look for in the values of labels.
_MATCHER: Final = re.compile(r"[=~!{}]")


class Standing(StrEnum):
    """How an alert stands: told of, or for what reason not."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """A filter. Empty parts let everything pass; `states` without any means all that fires."""

    match: str = ""
    receiver: str = ""
    severity: str = ""
    states: frozenset[Standing] = frozenset()
    group: str = ""
    matchers: tuple[Matcher, ...] = ()
    word: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "AlertFilter":
        """Return the filter of an address. Raises InvalidInput for matchers and states."""
        match = given.get("match", "").strip()
        is_word = bool(match) and _MATCHER.search(match) is None
        return cls(
            match=match,
            receiver=given.get("receiver", ""),
            severity=given.get("severity", ""),
            states=frozenset(_states(given.get("state", ""))),
            group=given.get("group", ""),
            matchers=() if is_word or not match else parse_matchers(match),
            word=match.lower() if is_word else "",
        )

    @property
    def narrows(self) -> bool:
        """Tell whether it leaves anything out that fires."""
        return any((self.match, self.receiver, self.severity, self.states, self.group))

    def takes(self, labels: Labels) -> bool:
        """Tell whether an alert with these labels is wanted, however it stands."""
        if self.severity and labels.value(SEVERITY) != self.severity:
            return False
        if self.word and not any(self.word in value.lower() for _, value in labels.pairs):
            return False
        return matches_all(self.matchers, labels)

    def shows(self, standing: Standing) -> bool:
        """Tell whether an alert that stands so is wanted."""
        return standing in self.states if self.states else standing is not Standing.RESOLVED

    def only(self, *states: Standing) -> "AlertFilter":
        """Return the filter for other states."""
        return replace(self, states=frozenset(states))

    def of_group(self, group: str) -> "AlertFilter":
        """Return the filter for one group alone, or with an empty text for all of them."""
        return replace(self, group=group)

    @property
    def fields(self) -> dict[str, str]:
        """What stands in the address; what is empty does not."""
        state = ",".join(sorted(self.states))
        parts = {
            "match": self.match,
            "receiver": self.receiver,
            "severity": self.severity,
            "state": state,
            "group": self.group,
        }
        return {name: value for name, value in parts.items() if value}

    @property
    def address(self) -> str:
        """The page that shows this, to be handed on."""
        return f"{links.ALERTS}?{urlencode(self.fields)}" if self.fields else links.ALERTS


def _states(text: str) -> Iterator[Standing]:
    for name in filter(None, text.split(",")):
        try:
            yield Standing(name)
        except ValueError:
            known = ", ".join(Standing)
            raise InvalidInput(f"{name!r} is no state: it is one of {known}") from None
