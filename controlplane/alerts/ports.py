"""What the active alerts need of others."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert

# Called with the alerts that changed, merged, once they are durable. Must not block.
Subscriber = Callable[[Sequence[Alert], Timestamp], None]


class AlertRepository(Protocol):
    """Keeps alerts over a restart. Each call is one transaction with its own time-out.

    Raises Unavailable.
    """

    async def load(self) -> Sequence[Alert]: ...

    async def save(self, alerts: Sequence[Alert]) -> None:
        """Insert alerts, or replace those with the same fingerprints."""
        ...

    async def delete(self, fingerprints: Collection[str]) -> None: ...
