"""What the registry needs of others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from controlplane.clock import Timestamp
from controlplane.model.target import Target


class TargetRepository(Protocol):
    """Where targets are kept. A method returns when its change is durable.

    All raise Unavailable when the store does not answer.
    """

    async def load(self) -> Sequence[Target]:
        """Return every target."""
        ...

    async def save(self, targets: Sequence[Target]) -> None:
        """Insert or replace targets by id, all or none.

        Raises Conflict when another id holds one of the names.
        """
        ...

    async def renew(self, renewals: Mapping[str, Timestamp]) -> None:
        """Set when each target, by id, was renewed. Ids that are gone are passed over."""
        ...

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove targets, with all that is kept of them."""
        ...


class Change(StrEnum):
    """What happened to a target."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class TargetChange:
    """One change, told after it is durable. `target` is as it is now, or last was."""

    kind: Change
    target: Target


# Is told of changes in their order, on the event loop. Must return at once.
TargetListener = Callable[[TargetChange], None]

# Returns the prober (`http`, `tcp`, ...) of the module of that name, or None when there is none.
ProberOf = Callable[[str], str | None]

# Returns whether the last probe of a target, by id, was a success; None before the first.
LastOutcome = Callable[[str], bool | None]


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed probe: when, the reason of the closed set, and what was seen."""

    target_id: str
    at: Timestamp
    reason: str
    evidence: Mapping[str, Any]


class FailureRepository(Protocol):
    """Where the evidence of failed probes is kept."""

    async def add(self, failures: Sequence[Failure], keep: int) -> None:
        """Store failures and drop all but the newest `keep` of each target they name."""
        ...

    async def list(self, target_id: str, limit: int) -> Sequence[Failure]:
        """Return the newest failures of a target, the newest first."""
        ...
