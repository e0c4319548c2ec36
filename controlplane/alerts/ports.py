"""What the active alerts need of others."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from controlplane.alerts.decision import Decision
from controlplane.clock import Timestamp
from controlplane.model.alert import Alert

# Called with the alerts that changed, merged, once they are durable. Must not block.
Subscriber = Callable[[Sequence[Alert], Timestamp], None]

# Is entered before the parts of one large change are told, and left after them.
Gathering = Callable[[], AbstractContextManager[None]]


class AlertRepository(Protocol):
    """Keeps alerts over a restart. Each call is one transaction with its own time-out.

    Raises Unavailable.
    """

    async def load(self) -> Sequence[Alert]: ...

    async def save(self, alerts: Sequence[Alert]) -> None:
        """Insert alerts, or replace those with the same fingerprints."""
        ...

    async def delete(self, fingerprints: Collection[str]) -> None: ...


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
