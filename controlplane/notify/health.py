"""How a receiver fares: what waits for it, what was given up, how it answered lately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from controlplane.clock import Timestamp
from controlplane.notify.channels import Channel, Channels
from controlplane.notify.message import Attempt, MessageState, Outcome
from controlplane.notify.ports import Integration
from controlplane.transport.breaker import BreakerState

_ATTEMPTS_SHOWN: Final = 10


class Fare(StrEnum):
    """How the last attempt at an integration went; idle when there was none."""

    IDLE = "idle"
    OK = "ok"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Health:
    """One integration. `held` is for how many seconds nothing is sent to it.

    `attempts` are the last ones, the newest first.
    """

    integration: str
    send_resolved: bool
    breaker: BreakerState
    held: float
    pending: int
    dead: int
    last_delivered_at: Timestamp | None
    attempts: Sequence[Attempt]

    @property
    def fare(self) -> Fare:
        if not self.attempts:
            return Fare.IDLE
        return Fare.OK if self.attempts[0].outcome is Outcome.DELIVERED else Fare.FAILING


class Deliveries(Protocol):
    """What is known of messages by the channel that they are for. All raise Unavailable."""

    async def depths(self) -> Mapping[Channel, Mapping[MessageState, int]]:
        """Return how many messages are queued, sending and dead; channels without any are not."""
        ...

    async def attempts(self, channel: Channel, limit: int) -> Sequence[Attempt]:
        """Return the last attempts, the newest first."""
        ...

    async def last_delivered(self, channel: Channel) -> Timestamp | None:
        """Return when a message last arrived, as far back as messages are kept."""
        ...


class Holding(Protocol):
    """Who sends, and holds back: the worker."""

    def breaker(self, channel: Channel) -> BreakerState: ...

    def held(self, channel: Channel) -> float: ...


class ReceiverHealth:
    """Looks at the integrations of receivers."""

    def __init__(self, deliveries: Deliveries, channels: Channels, holding: Holding) -> None:
        self._deliveries = deliveries
        self._channels = channels
        self._holding = holding

    async def of(self, receivers: Sequence[str]) -> Mapping[str, Sequence[Health]]:
        """Return how the integrations of some receivers fare. Raises Unavailable."""
        depths = await self._deliveries.depths()
        return {
            receiver: [
                await self._look(channel, integration, depths.get(channel, {}))
                for channel, integration in self._channels.of(receiver)
            ]
            for receiver in receivers
        }

    async def _look(
        self, channel: Channel, integration: Integration, depth: Mapping[MessageState, int]
    ) -> Health:
        return Health(
            integration=integration.name,
            send_resolved=integration.send_resolved,
            breaker=self._holding.breaker(channel),
            held=self._holding.held(channel),
            pending=depth.get(MessageState.QUEUED, 0) + depth.get(MessageState.SENDING, 0),
            dead=depth.get(MessageState.DEAD, 0),
            last_delivered_at=await self._deliveries.last_delivered(channel),
            attempts=await self._deliveries.attempts(channel, _ATTEMPTS_SHOWN),
        )
