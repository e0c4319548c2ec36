"""The event bus of several replicas: one Redis stream, read by each into a ring of its own.

A thousand listeners cost Redis one reader a replica. What is published goes
through the stream, also to those who listen here: so all see the same order,
and who was told an id by one replica may go on at another.

While Redis does not answer, what happens here is told here alone, at once.
When it answers again the replica says in the stream that others have missed
something (a RESET), and tells those who listen here the same if the stream no
longer has what came after the last entry that was read.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from controlplane.clock import Clock
from controlplane.cluster.ending import end_if_cancelled
from controlplane.cluster.stream import Entry, EventStream
from controlplane.events.event import Event, Kind
from controlplane.events.metrics import BusMetrics
from controlplane.events.ring import KEPT, Ring
from controlplane.events.versions import Versions
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_BATCH: Final = 256
_PAUSE: Final = 0.5
# Replicas whose last number is remembered; each restart is another.
_ORIGINS: Final = 256
_AWAY: Final = (RedisError, OSError, TimeoutError)


class RedisBus:
    """The Bus of several replicas, over the stream at `key`.

    Runs from `run`; before it events wait to be written. `foreign` is told each
    event of another replica, and each RESET, when those who listen are.
    """

    def __init__(
        self,
        redis: Redis,
        key: str,
        clock: Clock,
        metrics: BusMetrics,
        *,
        foreign: Callable[[Event], None] = lambda _: None,
        kept: int = KEPT,
    ) -> None:
        self._stream = EventStream(redis, key, kept)
        self._clock = clock
        self._metrics = metrics
        self._foreign = foreign
        self._kept = kept
        self._ring = Ring(clock, metrics, kept)
        # One for each run of the process: its numbers, and ids of its own, begin anew.
        self._origin = secrets.token_hex(6)
        self._number = 0
        self._own_ids = 0
        self._ring.begin(self._own_id())
        self._versions = Versions()
        # Published and not seen in the stream yet, in order; up to `_written` they are sent.
        self._outstanding: deque[Entry] = deque()
        self._written = 0
        self._work = asyncio.Event()
        # While Redis is away: the last number that was told here without the stream, and
        # whether the others have yet to be told that they missed something.
        self._alone = False
        self._told = 0
        self._owing = False
        # The id of the last entry read, and the last number heard of each origin.
        self._cursor = ""
        self._heard: dict[str, int] = {}

    @property
    def position(self) -> str:
        return self._ring.position

    @property
    def shared(self) -> bool:
        """Whether what is published reaches the other replicas, as far as is known."""
        return bool(self._cursor) and not self._alone

    def publish(self, event: Event) -> None:
        self._metrics.published.labels(event.kind.value).inc()
        self._versions.note(event.kind)
        self._number += 1
        entry = Entry(event, self._origin, self._number)
        if self._alone:
            self._tell_here(entry)
            return
        self._outstanding.append(entry)
        self._work.set()
        if len(self._outstanding) > self._kept:
            self._go_alone("more is published than Redis takes")

    def recent(self) -> Sequence[Event]:
        return self._ring.recent()

    def version(self, kinds: Collection[Kind]) -> int:
        return self._versions.of(kinds)

    def listen(self, after: str = "") -> AsyncIterator[Sequence[Event]]:
        return self._ring.listen(after)

    def close(self) -> None:
        self._ring.close()

    async def run(self) -> None:
        """Write and read until cancelled; go on alone while Redis is away."""
        while True:
            try:
                await self._share()
            except _AWAY as error:
                self._go_alone(type(error).__name__)
            end_if_cancelled()
            await self._clock.sleep(_PAUSE)

    async def drain(self) -> None:
        """Write what is not written yet, for the other replicas, if Redis takes it."""
        try:
            await self._write()
        except _AWAY as error:
            log.warning("events not shared", reason=type(error).__name__)

    async def _share(self) -> None:
        """Write and read; raises when Redis does not answer."""
        await self._catch_up()
        both = [
            asyncio.create_task(self._keep_writing()),
            asyncio.create_task(self._keep_reading()),
        ]
        try:
            await asyncio.gather(*both)
        finally:
            for each in both:
                each.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _catch_up(self) -> None:
        """Find the place in the stream to read on from, and go on together with the others."""
        if not self._cursor and not self._told:
            await self._begin()
        elif not self._cursor or not await self._stream.goes_on_after(self._cursor):
            await self._start_over()
        if self._alone:
            self._alone = False
            log.info("event bus shared again")
        if self._owing:
            self._owing = False
            self.publish(Event(Kind.RESET, "", self._clock.now()))

    async def _begin(self) -> None:
        """Read what the stream still has, so that others' listeners may go on here."""
        self._cursor, entries = await self._stream.newest(self._kept + 1)
        if not entries:
            self._ring.begin(self._cursor)
        for entry in entries:
            self._ring.append(entry.event)

    async def _start_over(self) -> None:
        """Go on with what comes; what came before may have been missed."""
        self._cursor, _ = await self._stream.newest(1)
        self._heard.clear()
        self._reset()

    async def _keep_writing(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if self._alone:
                raise TimeoutError
            await self._write()

    async def _write(self) -> None:
        while batch := [each for each in self._outstanding if each.number > self._written][:_BATCH]:
            await self._stream.append(batch)
            self._written = batch[-1].number
            end_if_cancelled()

    async def _keep_reading(self) -> None:
        while True:
            self._cursor, entries = await self._stream.read(self._cursor)
            end_if_cancelled()
            for entry in entries:
                if entry.origin == self._origin:
                    self._hear_own(entry)
                else:
                    self._hear_foreign(entry)

    def _hear_own(self, entry: Entry) -> None:
        while self._outstanding and self._outstanding[0].number <= entry.number:
            self._outstanding.popleft()
        # What was told here alone may have reached Redis all the same. A RESET is for all.
        if entry.number > self._told or entry.event.kind is Kind.RESET:
            self._ring.append(entry.event)

    def _hear_foreign(self, entry: Entry) -> None:
        before = self._heard.pop(entry.origin, entry.number - 1)
        self._heard[entry.origin] = entry.number
        if len(self._heard) > _ORIGINS:
            del self._heard[next(iter(self._heard))]
        if entry.number > before + 1 and entry.event.kind is not Kind.RESET:
            # The stream was cut before it was read to here.
            self._reset()
        self._tell_foreign(entry.event)

    def _go_alone(self, reason: str) -> None:
        """Tell here at once what Redis does not take."""
        if not self._alone:
            self._alone = True
            log.warning("event bus alone", reason=reason, untold=len(self._outstanding))
        while self._outstanding:
            self._tell_here(self._outstanding.popleft())

    def _tell_here(self, entry: Entry) -> None:
        self._told = entry.number
        self._owing = True
        self._metrics.unshared.inc()
        self._ring.append(replace(entry.event, id=self._own_id()))

    def _reset(self) -> None:
        self._tell_foreign(Event(Kind.RESET, "", self._clock.now(), id=self._own_id()))

    def _tell_foreign(self, event: Event) -> None:
        self._versions.note(event.kind)
        self._ring.append(event)
        self._foreign(event)

    def _own_id(self) -> str:
        """Return an id that means nothing to other replicas: there its reader starts over."""
        self._own_ids += 1
        return f"{self._origin}-{self._own_ids}"
