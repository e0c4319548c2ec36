"""What was decided about an alert: one entry of the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controlplane.clock import Timestamp


class Kind(StrEnum):
    """What was decided. Attempts to deliver are the outbox's, and are read from there."""

    RECEIVED = "received"
    RESOLVED = "resolved"
    GROUPED = "grouped"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"
    DEPENDENT = "dependent"
    HELD = "held"
    DEDUPLICATED = "deduplicated"
    QUEUED = "queued"
    UNKNOWN = "unknown"
    KNOWN = "known"
    CLICKED = "clicked"


class Aspect(StrEnum):
    """What a decision is about: of each, only changes are kept."""

    STATE = "state"
    GROUP = "group"
    TELLING = "telling"
    KNOWLEDGE = "knowledge"
    HAND = "hand"


ASPECTS: Final[Mapping[Kind, Aspect]] = {
    Kind.RECEIVED: Aspect.STATE,
    Kind.RESOLVED: Aspect.STATE,
    Kind.GROUPED: Aspect.GROUP,
    Kind.SILENCED: Aspect.TELLING,
    Kind.INHIBITED: Aspect.TELLING,
    Kind.MUTED: Aspect.TELLING,
    Kind.DEPENDENT: Aspect.TELLING,
    Kind.HELD: Aspect.TELLING,
    Kind.DEDUPLICATED: Aspect.TELLING,
    Kind.QUEUED: Aspect.TELLING,
    Kind.UNKNOWN: Aspect.KNOWLEDGE,
    Kind.KNOWN: Aspect.KNOWLEDGE,
    Kind.CLICKED: Aspect.HAND,
}


# What of a detail makes no decision new.
PASSING: Final = frozenset({"repeat_at"})


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision on one alert.

    `place` is where it was taken: empty for the alert itself, a receiver, or
    `receiver/integration`. `detail` is what it rests on: ids of silences,
    names of intervals, the group key. Two with the same detail are the same,
    whatever is PASSING in it.
    """

    fingerprint: str
    at: Timestamp
    kind: Kind
    place: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)
    correlation_id: str = ""

    @property
    def aspect(self) -> Aspect:
        return ASPECTS[self.kind]

    def says(self, kind: Kind, detail: Mapping[str, object]) -> bool:
        """Tell whether another one of its alert and place, with these, would say nothing new."""
        if self.kind is not kind:
            return False
        return self.detail == detail or _lasting(self.detail) == _lasting(detail)


def _lasting(detail: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in detail.items() if name not in PASSING}
