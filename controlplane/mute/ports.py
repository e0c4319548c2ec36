"""What muting needs of others, and the question that is put to it."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.member import Network
from controlplane.mute.silence import Silence, SilenceChange

# Returns the alerts that fire now.
FiringAlerts = Callable[[], Iterable[Alert]]

# Takes alerts; returns once they are durably accepted. Raises ControlPlaneError.
AcceptAlerts = Callable[[Sequence[Alert]], Awaitable[None]]

# The alert with a fingerprint as it is kept now, or None.
FindAlert = Callable[[str], Alert | None]

# Tells whether a canary, `host:port` or a URL, answered within so many seconds.
AskCanary = Callable[[str, float], Awaitable[bool]]

# Tells whether the last probe of a target, by id, was a success; None before the first.
LastOutcome = Callable[[str], bool | None]

# Has alerts that were held looked at again, now.
Release = Callable[[Collection[Labels], Timestamp], None]


class Word(Protocol):
    """What a replica said of a target: how its probe went, by what it failed, and since when."""

    @property
    def success(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def since(self) -> Timestamp: ...
    @property
    def replica(self) -> str: ...


# The last word on a target, by id, whichever replica said it; None when none has.
LastWord = Callable[[str], Word | None]


class Replicas(Protocol):
    """All replicas, this one too, and what each says of the network that it is in."""

    def networks(self) -> Mapping[str, Network]:
        """Return what is said, by the names of those that are alive."""
        ...

    def say(self, network: Network) -> None:
        """Have all know how our own network is. Must return at once."""
        ...

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have `changed` called, on the event loop, when another is there or says otherwise."""
        ...


class Moment(Protocol):
    """When a group is due, and the names of the intervals that its route keeps."""

    @property
    def at(self) -> Timestamp: ...
    @property
    def mute_time_intervals(self) -> tuple[str, ...]: ...
    @property
    def active_time_intervals(self) -> tuple[str, ...]: ...


class Past(Protocol):
    """Knows which alerts there were, and what was told of them. Raises Unavailable."""

    async def alerts(
        self, since: Timestamp, *, after: str, limit: int
    ) -> Sequence[tuple[str, Labels]]:
        """Return fingerprints above `after`, and labels, of alerts that fired since an instant."""
        ...

    async def began(self, fingerprints: Collection[str], since: Timestamp) -> Sequence[Timestamp]:
        """Return when alerts among these began, each time since an instant."""
        ...

    async def told(self, fingerprints: Collection[str], since: Timestamp) -> Sequence[Timestamp]:
        """Return when the notifications arrived that were about none but these alerts."""
        ...


class SilenceRepository(Protocol):
    """Keeps silences and what was ever done to them. Each call is one transaction.

    Raises Unavailable.
    """

    async def load(self) -> Sequence[Silence]:
        """Return every silence that is kept."""
        ...

    async def find(self, ids: Collection[str]) -> Sequence[Silence]:
        """Return those of some silences that are kept."""
        ...

    async def save(
        self, changes: Sequence[SilenceChange], known: Mapping[str, Silence | None] | None = None
    ) -> None:
        """Insert silences, or replace those with the same ids, and note each change.

        Raises Outdated when what is kept is not what is `known`, by id; without
        it nothing is compared.
        """
        ...

    async def delete(self, ids: Collection[str]) -> None:
        """Remove silences with their history."""
        ...

    async def history(self, silence_id: str) -> Sequence[SilenceChange]:
        """Return what was done to a silence, oldest first."""
        ...
