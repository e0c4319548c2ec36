"""What the active alerts need of others."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from controlplane.alerts.decision import Decision
from controlplane.clock import Timestamp
from controlplane.model.alert import Alert
from controlplane.model.fence import OPEN, Fence

# Called with the alerts that changed, merged, once they are durable. Must not block.
Subscriber = Callable[[Sequence[Alert], Timestamp], None]

# Is entered before the parts of one large change are told, and left after them.
Gathering = Callable[[], AbstractContextManager[None]]


# Those of some alerts that are kept, by fingerprint; None where nobody else writes them, so
# that what the caller remembers is what is kept.
Kept = Mapping[str, Alert] | None

# Decides what alerts become by what is kept of them. It may be asked again.
Decide = Callable[[Kept], Sequence[Alert]]


class AlertRepository(Protocol):
    """Keeps alerts over a restart. Each call is one transaction with its own time-out.

    Raises Unavailable.
    """

    async def load(self) -> Sequence[Alert]:
        """Return every alert that is kept."""
        ...

    async def find(self, fingerprints: Collection[str]) -> Sequence[Alert]:
        """Return those of some alerts that are kept."""
        ...

    async def change(
        self, fingerprints: Collection[str], decide: Decide, fence: Fence = OPEN
    ) -> Sequence[Alert]:
        """Insert or replace alerts by what is decided on them; return these.

        Until they are written nobody else changes those with the fingerprints
        named, which are all that may be decided on. Raises Fenced.
        """
        ...

    async def delete(self, fingerprints: Collection[str], *, ended_by: Timestamp) -> None:
        """Remove alerts, but for those that end later: they were spoken of again."""
        ...


class LedgerRepository(Protocol):
    """Keeps decisions, and the alerts that they are about. Each call is one transaction.

    Raises Unavailable.
    """

    async def add(self, decisions: Sequence[Decision], alerts: Sequence[Alert]) -> None:
        """Append decisions, and keep alerts as they are now, one for each fingerprint."""
        ...

    async def latest(self, fingerprints: Collection[str]) -> Sequence[Decision]:
        """Return the newest decision of each aspect and place of some alerts."""
        ...

    async def story(self, fingerprint: str, limit: int) -> Sequence[Decision]:
        """Return the newest decisions on an alert, oldest first."""
        ...

    async def alert(self, fingerprint: str) -> Alert | None:
        """Return an alert as it was when it was last heard of."""
        ...

    async def resolved(self, *, after: str, limit: int) -> Sequence[Alert]:
        """Return alerts that have ended, by fingerprints above `after`."""
        ...

    async def recent(self, limit: int) -> Sequence[Alert]:
        """Return alerts that have ended, those that ended last first."""
        ...
