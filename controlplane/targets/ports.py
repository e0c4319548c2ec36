"""What the registry needs of others."""

from collections.abc import Callable, Collection, Mapping, Sequence
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

    async def find(self, ids: Collection[str]) -> Sequence[Target]:
        """Return those of some targets that are kept, by name."""
        ...

    async def renewed(self, ids: Collection[str]) -> Mapping[str, Timestamp]:
        """Return when some targets were renewed, by id; those that are gone are left out."""
        ...

    async def save(
        self, targets: Sequence[Target], known: Mapping[str, Target] | None = None
    ) -> None:
        """Insert or replace targets by id, all or none; what was renewed later stays so.

        Raises Outdated when what is kept is not what is `known`, by id (without
        it nothing is compared; renewals are no difference), and Conflict when
        another id holds one of the names.
        """
        ...

    async def renew(self, renewals: Mapping[str, Timestamp]) -> Collection[str]:
        """Set when each target, by id, was renewed, unless it was later.

        Return the ids that are gone, where others may have removed them.
        """
        ...

    async def delete(self, targets: Sequence[Target]) -> None:
        """Remove targets, with all that is kept of them; those that are gone are passed over.

        Raises Outdated, with none removed, when one is kept otherwise: it was
        changed, or renewed, meanwhile.
        """
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


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """How a target stands by its last probe, and since when.

    `reason` is empty on success. `at` is when `replica`, who probes it, said
    so: of two words on a target the later one counts.
    """

    target_id: str
    success: bool
    reason: str
    since: Timestamp
    at: Timestamp
    replica: str


class Told(Protocol):
    """Hears that a target's state, or the reason of it, is another now. Must return at once."""

    def __call__(self, target_id: str, up: bool, reason: str) -> None: ...  # noqa: FBT001 - a state


class OutcomeRepository(Protocol):
    """Where the last word on each target is kept. All raise Unavailable."""

    async def load(self) -> Sequence[TargetOutcome]:
        """Return the last word on every target."""
        ...

    async def find(self, ids: Collection[str]) -> Sequence[TargetOutcome]:
        """Return the last word on some targets; those of which there is none are left out."""
        ...

    async def save(self, outcomes: Sequence[TargetOutcome]) -> None:
        """Keep each where nothing later is kept. Targets that are gone are passed over."""
        ...
