"""Tells receivers that ask for it of changes: what a page an hour later may come from."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Final, Protocol, runtime_checkable

from controlplane.clock import Clock, Timestamp
from controlplane.model.share import WHOLE, Share
from controlplane.notify.channels import Channel, Channels
from controlplane.notify.errors import DeliveryError
from controlplane.notify.metrics import NotifyMetrics
from controlplane.telemetry.logs import get_logger
from controlplane.transport.backoff import backoff

log = get_logger(__name__)

# A change is news: one that could not be told after so many attempts is told no more.
_ATTEMPTS: Final = 5
_SECONDS: Final = 10.0
_FIRST, _LONGEST = 1_000, 60_000
# Changes that wait to be told; an older one gives way.
_WAITING: Final = 100


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed: in one line, when, and what one may want to know of it.

    `id` is the same at every replica that makes the change.
    """

    summary: str
    at: Timestamp
    details: Mapping[str, str] = field(default_factory=dict)
    id: str = ""


@runtime_checkable
class HearsOfChanges(Protocol):
    """An integration that can be told of changes."""

    @property
    def takes_changes(self) -> bool:
        """Whether its configuration asks for them."""
        ...

    async def change(self, change: Change, *, seconds: float) -> None:
        """Tell of one. Raises DeliveryError."""
        ...


class Changes:
    """Tells of changes, each receiver in its own time, beside the outbox.

    They open nothing and close nothing, so they are kept in memory alone: a
    change that was not told when the process ends is lost. What each of several
    replicas makes is told by one of them.
    """

    def __init__(
        self,
        channels: Channels,
        clock: Clock,
        *,
        metrics: NotifyMetrics,
        chance: Random | None = None,
        share: Share = WHOLE,
    ) -> None:
        self._share = share
        self._channels = channels
        self._clock = clock
        self._metrics = metrics
        self._chance = chance or SystemRandom()
        self._waiting: deque[Change] = deque(maxlen=_WAITING)
        self._woken = asyncio.Event()

    def announce(self, change: Change) -> None:
        """Have a change told soon, unless another replica tells it."""
        if self._share.owns(f"change/{change.id}"):
            self._waiting.append(change)
            self._woken.set()

    async def run(self) -> None:
        """Tell of changes as they come, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                await self.tell(self._waiting.popleft())

    async def tell(self, change: Change) -> None:
        """Tell all that ask for it of one change; none waits for another."""
        asked = [
            channel
            for channel, integration in self._channels.all()
            if isinstance(integration, HearsOfChanges) and integration.takes_changes
        ]
        async with asyncio.TaskGroup() as group:
            for channel in asked:
                group.create_task(self._insist(channel, change))

    async def _insist(self, channel: Channel, change: Change) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            error = await self._attempt(channel, change)
            outcome = "delivered" if error is None else "failed"
            self._metrics.changes.labels(*channel, outcome).inc()
            if error is None:
                return
            log.warning(
                "change not told",
                receiver=channel[0],
                integration=channel[1],
                attempt=attempt,
                reason=error.reason.value,
                detail=error.detail,
            )
            if not error.temporary:
                return
            wait = backoff(attempt, first=_FIRST, longest=_LONGEST, chance=self._chance) / 1000
            await self._clock.sleep(max(wait, min(error.retry_after or 0.0, _LONGEST / 1000)))

    async def _attempt(self, channel: Channel, change: Change) -> DeliveryError | None:
        async with self._channels.use(channel) as integration:
            if not isinstance(integration, HearsOfChanges):
                return DeliveryError("the receiver is no longer configured")
            try:
                async with asyncio.timeout(_SECONDS + 1):
                    await integration.change(change, seconds=_SECONDS)
            except DeliveryError as error:
                return error
            except TimeoutError:
                return DeliveryError(f"no answer within {_SECONDS:g}s", temporary=True)
        return None
