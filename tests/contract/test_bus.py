"""The port of the event bus, kept by the bus of one process and by that of several."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from controlplane.clock import SystemClock
from controlplane.cluster.bus import RedisBus
from controlplane.cluster.stream import Entry, EventStream
from controlplane.events.event import Event, Kind
from controlplane.events.local import LocalBus
from controlplane.events.metrics import BusMetrics
from controlplane.events.ports import Bus
from tests.support import valkey

_PATIENCE = 20.0


class Listener:
    """Reads a bus on and on; `told` are kinds and subjects in the order in which they came."""

    def __init__(self, bus: Bus, after: str = "") -> None:
        self.told: list[str] = []
        self.ids: list[str] = []
        self._task = asyncio.create_task(self._read(bus, after))

    async def saw(self, *told: str) -> None:
        """Return when exactly this has been told; fail when something else is, or nothing."""
        with suppress(TimeoutError):
            await eventually(lambda: len(self.told) >= len(told))
        assert self.told == list(told)

    async def ended(self) -> None:
        """Return when the listening has ended."""
        async with asyncio.timeout(_PATIENCE):
            await self._task

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self, bus: Bus, after: str) -> None:
        async for events in bus.listen(after):
            self.told += [each.subject or each.kind.value for each in events]
            self.ids += [each.id for each in events]


@asynccontextmanager
async def listening(bus: Bus, after: str = "") -> AsyncIterator[Listener]:
    """Give a listener that is there."""
    listener = Listener(bus, after)
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    try:
        yield listener
    finally:
        await listener.close()


@asynccontextmanager
async def replica(
    url: str, key: str, kept: int = 4_096, foreign: Callable[[Event], None] = lambda _: None
) -> AsyncIterator[RedisBus]:
    """Give the bus of one replica, once it has read the stream."""
    redis = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
    metrics = BusMetrics(CollectorRegistry())
    bus = RedisBus(redis, key, SystemClock(), metrics, foreign=foreign, kept=kept)
    running = asyncio.create_task(bus.run())
    try:
        await eventually(lambda: bus.shared)
        yield bus
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.drain()
        bus.close()
        await redis.aclose()


class Pair(NamedTuple):
    """Two replicas, and a listener at each."""

    one: RedisBus
    other: RedisBus
    here: Listener
    there: Listener


@asynccontextmanager
async def pair(url: str) -> AsyncIterator[Pair]:
    """Give two replicas of one service."""
    key = a_key()
    async with (
        replica(url, key) as one,
        replica(url, key) as other,
        listening(one) as here,
        listening(other) as there,
    ):
        yield Pair(one, other, here, there)


@asynccontextmanager
async def _local(kept: int) -> AsyncIterator[Bus]:
    yield LocalBus(SystemClock(), BusMetrics(CollectorRegistry()), kept)


@asynccontextmanager
async def _redis(kept: int) -> AsyncIterator[Bus]:
    async with replica(valkey.server().url, a_key(), kept) as bus:
        yield bus


def a_key() -> str:
    return f"test:{uuid.uuid4().hex}:events"


def event(subject: str, kind: Kind = Kind.TARGET) -> Event:
    """Return an event about something."""
    return Event(kind, subject, 1_000, {"state": "up", "count": 2, "none": None})


async def settled(bus: Bus, *subjects: str) -> None:
    """Return when the bus keeps exactly these events, the oldest first."""
    await eventually(lambda: [each.subject for each in reversed(bus.recent())] == list(subjects))


async def eventually(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not look():  # noqa: ASYNC110 - what is looked at is in another process
            await asyncio.sleep(0.01)  # noqa: TID251 - as above


Making = Callable[..., Awaitable[Bus]]


@pytest.fixture(params=["local", "redis"])
async def making(request: pytest.FixtureRequest) -> AsyncIterator[Making]:
    """Give what makes a bus that keeps so many events."""
    async with AsyncExitStack() as stack:

        async def make(kept: int = 4_096) -> Bus:
            kind = _local if request.param == "local" else _redis
            return await stack.enter_async_context(kind(kept))

        yield make


async def test_events_come_in_order_with_all_they_hold(making: Making) -> None:
    """Who listens gets what happens from now on, as it was published, each under an id."""
    bus = await making()
    async with listening(bus) as reader:
        for subject in "abc":
            bus.publish(event(subject))
        await reader.saw("a", "b", "c")
        assert len(set(reader.ids)) == 3
    newest = bus.recent()[0]
    assert (newest.data, newest.time, newest.id) == (event("c").data, 1_000, bus.position)


async def test_resuming_misses_nothing(making: Making) -> None:
    """After the last id that was seen come those published since."""
    bus = await making()
    for subject in "abc":
        bus.publish(event(subject))
    await settled(bus, "a", "b", "c")
    async with listening(bus, bus.recent()[-1].id) as reader:
        bus.publish(event("d"))
        await reader.saw("b", "c", "d")


@pytest.mark.parametrize("after", ["other-1", "0-1", "9999999999999-0", "nonsense"])
async def test_an_unknown_position_starts_over(making: Making, after: str) -> None:
    """An id of another run, of the future or of nobody: read everything anew, then go on."""
    bus = await making()
    bus.publish(event("a"))
    await settled(bus, "a")
    async with listening(bus, after) as reader:
        await reader.saw("reset")
        bus.publish(event("b"))
        await reader.saw("reset", "b")


async def test_only_so_many_are_kept(making: Making) -> None:
    """Who falls behind what is kept starts over; the id before the oldest one is still good."""
    bus = await making(kept=2)
    for subject in "ab":
        bus.publish(event(subject))
    await settled(bus, "a", "b")
    lost, last = bus.recent()[1].id, bus.recent()[0].id
    for subject in "cd":
        bus.publish(event(subject))
    await settled(bus, "c", "d")
    async with listening(bus, lost) as late, listening(bus, last) as reader:
        await late.saw("reset")
        await reader.saw("c", "d")


async def test_a_version_grows_with_what_is_known(making: Making) -> None:
    """At once with what is published here, and only for the kinds that it is about."""
    bus = await making()
    alerts, targets = bus.version({Kind.ALERT}), bus.version({Kind.TARGET, Kind.SILENCE})
    bus.publish(event("a"))
    assert bus.version({Kind.ALERT}) == alerts
    assert bus.version({Kind.TARGET, Kind.SILENCE}) > targets


async def test_a_version_grows_with_what_others_tell() -> None:
    """Before those who listen are told."""
    async with pair(valkey.server().url) as (one, other, _, there):
        before = other.version({Kind.TARGET})
        one.publish(event("a"))
        await there.saw("a")
        assert other.version({Kind.TARGET}) > before


async def test_closing_ends_all_listening(making: Making) -> None:
    """Nobody waits for a bus that is closed."""
    bus = await making()
    async with listening(bus) as reader:
        bus.close()
        await reader.ended()


async def test_replicas_see_each_other() -> None:
    """Two replicas tell the same events in the same order, under the same ids."""
    heard: list[str] = []
    key, url = a_key(), valkey.server().url

    def foreign(happened: Event) -> None:
        heard.append(happened.subject)

    async with (
        replica(url, key) as one,
        replica(url, key, foreign=foreign) as other,
        listening(one) as here,
        listening(other) as there,
    ):
        one.publish(event("a"))
        await there.saw("a")
        other.publish(event("b"))
        await here.saw("a", "b")
        await there.saw("a", "b")
        assert here.ids == there.ids
    assert heard == ["a"]


async def test_a_reader_goes_on_at_another_replica() -> None:
    """Also at one that was not there yet when its last event was told."""
    key, url = a_key(), valkey.server().url
    async with replica(url, key) as one:
        for subject in "ab":
            one.publish(event(subject))
        await settled(one, "a", "b")
        seen = one.recent()[1].id
        async with replica(url, key) as other:
            await settled(other, "a", "b")
            async with listening(other, seen) as reader:
                one.publish(event("c"))
                await reader.saw("b", "c")


async def test_what_is_left_is_written_at_the_end() -> None:
    """What a replica published last reaches the others though it ends."""
    key, url = a_key(), valkey.server().url
    async with replica(url, key) as other, listening(other) as reader:
        async with Redis.from_url(url) as redis:
            ending = RedisBus(redis, key, SystemClock(), BusMetrics(CollectorRegistry()))
            ending.publish(event("last words"))
            await ending.drain()
        await reader.saw("last words")


async def test_redis_goes_away_and_returns_empty() -> None:
    """Events are told here meanwhile; then all readers start over, and go on together."""
    with valkey.started() as server:
        async with pair(server.url) as (one, other, here, there):
            one.publish(event("before"))
            await there.saw("before")
            server.stop()
            one.publish(event("during"))
            await here.saw("before", "during")
            await eventually(lambda: not one.shared and not other.shared)
            server.start()
            await eventually(lambda: one.shared and other.shared)
            one.publish(event("after"))
            await eventually(lambda: here.told[-1] == there.told[-1] == "after")
            assert "reset" in here.told
            assert "reset" in there.told
            assert "during" not in there.told


async def test_a_redis_that_hangs_loses_nothing_of_ours() -> None:
    """Nothing is told twice here, whether or not Redis took it in the end; others start over."""
    with valkey.started() as server:
        async with pair(server.url) as (one, _, here, there):
            one.publish(event("before"))
            await there.saw("before")
            server.pause()
            one.publish(event("during"))
            await here.saw("before", "during")
            server.resume()
            await eventually(lambda: "reset" in there.told)
            one.publish(event("after"))
            await eventually(lambda: here.told[-1] == there.told[-1] == "after")
            assert here.told.count("during") == 1


async def test_a_short_absence_without_events_is_not_noticed() -> None:
    """Where the stream has all that came meanwhile nobody has to start over."""
    with valkey.started() as server:
        async with pair(server.url) as (one, other, here, there):
            one.publish(event("a"))
            await there.saw("a")
            async with Redis.from_url(server.url) as redis:
                await redis.client_kill_filter(_type="normal", skipme=True)
            await eventually(lambda: not one.shared and not other.shared)
            await eventually(lambda: one.shared and other.shared)
            other.publish(event("b"))
            await here.saw("a", "b")
            await there.saw("a", "b")


async def test_a_burst_beyond_what_is_kept_is_bounded() -> None:
    """Nothing piles up for Redis: others start over, and all go on together."""
    key, url = a_key(), valkey.server().url
    async with (
        replica(url, key, kept=8) as one,
        replica(url, key) as other,
        listening(one) as here,
        listening(other) as there,
    ):
        for number in range(100):
            one.publish(event(f"t{number}"))
        await eventually(lambda: "reset" in here.told and "reset" in there.told)
        await eventually(lambda: one.shared)
        one.publish(event("after"))
        await eventually(lambda: here.told[-1] == there.told[-1] == "after")


async def test_entries_cut_before_they_were_read_are_noticed() -> None:
    """A replica whose number jumps has told more than the stream still had."""
    key, url = a_key(), valkey.server().url
    async with replica(url, key) as bus, listening(bus) as reader:
        async with Redis.from_url(url) as redis:
            stream = EventStream(redis, key, 100)
            told = [
                Entry(event(subject), "elsewhere", number) for number, subject in enumerate("ab")
            ]
            await stream.append(told)
            await reader.saw("a", "b")
            await stream.append([Entry(event("e"), "elsewhere", 4)])
        await reader.saw("a", "b", "reset", "e")


async def test_entries_of_another_version_are_passed_over() -> None:
    """A kind that is not known here, or a field that is missing, stops nobody."""
    key, url = a_key(), valkey.server().url
    async with replica(url, key) as bus, listening(bus) as reader:
        async with Redis.from_url(url) as redis:
            await redis.xadd(key, {"kind": "unheard-of", "subject": "x"})
        bus.publish(event("known"))
        await reader.saw("known")
