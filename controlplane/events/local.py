"""The bus of one process: a ring of events, and listeners that have a place in it.

A listener holds no queue, only the number of the last event it has seen, so a
thousand of them cost no more memory than one. Who falls behind the ring is
told to start over.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.clock import Clock
from controlplane.events.event import Event, Kind

_KEPT: Final = 4_096
# Events within this many seconds wake listeners once: a thousand wake-ups are not free.
_TOGETHER: Final = 0.02


class BusMetrics:
    """What the bus counts of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter(
            "controlplane_events_published_total",
            "Events told to whoever listens, by kind.",
            ["kind"],
            registry=registry,
        )
        self.resets = Counter(
            "controlplane_event_resets_total",
            "Listeners that had missed events and were told to start over.",
            registry=registry,
        )
        self.listeners = Gauge(
            "controlplane_event_listeners", "Listeners on the event bus.", registry=registry
        )


class LocalBus:
    """The Bus of a single replica."""

    def __init__(self, clock: Clock, metrics: BusMetrics, kept: int = _KEPT) -> None:
        self._clock = clock
        self._metrics = metrics
        # A restart begins another run of numbers: what was seen before it is not known here.
        self._run = f"{clock.now():x}"
        self._ring: deque[Event] = deque(maxlen=kept)
        self._last = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._waking: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def position(self) -> str:
        return self._id(self._last)

    def publish(self, event: Event) -> None:
        self._last += 1
        self._ring.append(replace(event, id=self._id(self._last)))
        self._metrics.published.labels(event.kind.value).inc()
        if self._waking is None and self._waiting:
            self._waking = asyncio.get_running_loop().call_later(_TOGETHER, self._wake)

    def recent(self) -> Sequence[Event]:
        return tuple(reversed(self._ring))

    async def listen(self, after: str = "") -> AsyncIterator[Sequence[Event]]:
        seen = self._last if not after else self._number(after)
        self._metrics.listeners.inc()
        try:
            while not self._closed:
                if seen is None or seen < self._last - len(self._ring):
                    seen = self._last
                    self._metrics.resets.inc()
                    yield (Event(Kind.RESET, "", self._clock.now(), id=self.position),)
                elif seen < self._last:
                    fresh = self._since(seen)
                    seen = self._last
                    yield fresh
                else:
                    await self._change()
        finally:
            self._metrics.listeners.dec()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _since(self, seen: int) -> Sequence[Event]:
        skip = len(self._ring) - (self._last - seen)
        return [event for place, event in enumerate(self._ring) if place >= skip]

    async def _change(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def _wake(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"

    def _number(self, identifier: str) -> int | None:
        """Return the number in an id of this run, None for any other."""
        run, _, number = identifier.rpartition("-")
        if run != self._run or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        return int(number) if int(number) <= self._last else None
