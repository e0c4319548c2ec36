"""The newest events of a bus, and listeners that have a place among them.

A listener holds no queue, only the place of the last event it has seen, so a
thousand of them cost no more memory than one. Who falls behind the ring is
told to start over.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Final

from controlplane.clock import Clock
from controlplane.events.event import Event, Kind
from controlplane.events.metrics import BusMetrics

KEPT: Final = 4_096
# Events within this many seconds wake listeners once: a thousand wake-ups are not free.
_TOGETHER: Final = 0.02


class Ring:
    """Keeps the last `kept` events, each with the id that its bus gave it."""

    def __init__(self, clock: Clock, metrics: BusMetrics, kept: int = KEPT) -> None:
        self._clock = clock
        self._metrics = metrics
        self._events: deque[Event] = deque(maxlen=kept)
        # The place of the newest event: as many came before it, kept or not.
        self._last = 0
        self._position = ""
        self._places: dict[str, int] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._waking: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def position(self) -> str:
        """The id of the newest event."""
        return self._position

    def begin(self, position: str) -> None:
        """Say what id stands for the place where the ring is now."""
        self._position = position
        self._places[position] = self._last

    def append(self, event: Event) -> None:
        """Add the newest event, and wake all who listen."""
        self._last += 1
        self._events.append(event)
        self._position = event.id
        self._places[event.id] = self._last
        # One id more than there are events: what came after the oldest id is all there.
        while len(self._places) > len(self._events) + 1:
            del self._places[next(iter(self._places))]
        if self._waking is None and self._waiting:
            self._waking = asyncio.get_running_loop().call_later(_TOGETHER, self._wake)

    def recent(self) -> Sequence[Event]:
        """Return the events that are kept, the newest first."""
        return tuple(event for event in reversed(self._events) if event.kind is not Kind.RESET)

    async def listen(self, after: str = "") -> AsyncIterator[Sequence[Event]]:
        """Yield what comes, several events at a time, from the one after `after` on."""
        seen = self._places.get(after) if after else self._last
        self._metrics.listeners.inc()
        try:
            while not self._closed:
                if seen is None or seen < self._last - len(self._events):
                    seen = self._last
                    self._metrics.resets.inc()
                    yield (Event(Kind.RESET, "", self._clock.now(), id=self._position),)
                elif seen < self._last:
                    fresh = self._since(seen)
                    seen = self._last
                    yield fresh
                else:
                    await self._change()
        finally:
            self._metrics.listeners.dec()

    def close(self) -> None:
        """End all listening."""
        self._closed = True
        self._wake()

    def _since(self, seen: int) -> Sequence[Event]:
        fresh = list(islice(reversed(self._events), self._last - seen))
        fresh.reverse()
        return fresh

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
