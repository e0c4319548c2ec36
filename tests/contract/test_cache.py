"""The cache, of one process and with a place that replicas share: the same behaviour."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Hashable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from controlplane.api.cache import Cache, CacheMetrics, Shelf, Store
from controlplane.clock import SystemClock
from controlplane.cluster.cache import RedisStore
from controlplane.events.event import Kind
from controlplane.model.duration import MINUTE
from tests.support import valkey
from tests.support.clock import ManualClock

SHELF = Shelf("shelf", MINUTE, frozenset({Kind.ALERT}), most=3)
_PATIENCE = 20.0


class Maker:
    """Makes values, numbered; each waits until it may be finished."""

    def __init__(self, *, waits: bool = False) -> None:
        self.made = 0
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        if not waits:
            self.may_end.set()

    async def __call__(self) -> bytes:
        self.made += 1
        self.begun.set()
        number = self.made
        await self.may_end.wait()
        return b"value %d" % number


class House:
    """A cache, its clock, and the version of all that there is."""

    def __init__(self, store: Store | None = None) -> None:
        self.clock = ManualClock()
        self.version = 0
        self.registry = CollectorRegistry()

        def version(kinds: frozenset[Kind]) -> Hashable:
            return self.version if kinds else 0

        metrics = CacheMetrics(self.registry)
        self.cache = Cache(self.clock, version, metrics, chance=lambda: 0.5, store=store)

    def count(self, outcome: str) -> float:
        labels = {"cache": "shelf", "outcome": outcome}
        return self.registry.get_sample_value("controlplane_cache_requests_total", labels) or 0


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """Give a client of the shared server."""
    async with Redis.from_url(valkey.server().url) as client:
        yield client


@pytest.fixture
def store(redis: Redis) -> RedisStore:
    """Give a place in Redis that is nobody else's."""
    return RedisStore(redis, f"test:{uuid.uuid4().hex}", SystemClock())


@pytest.fixture(params=["here", "redis"])
def house(request: pytest.FixtureRequest, store: RedisStore) -> House:
    """Give a cache with and without a shared place."""
    return House(store if request.param == "redis" else None)


async def test_what_is_there_is_not_made_again(house: House) -> None:
    """A second reader gets the value of the first; another key has its own."""
    make = Maker()
    assert await house.cache.shared(SHELF, "a", make) == b"value 1"
    assert await house.cache.shared(SHELF, "a", make) == b"value 1"
    assert await house.cache.shared(SHELF, "b", make) == b"value 2"
    assert (house.count("hit"), house.count("miss")) == (1, 2)


async def test_a_change_is_seen_by_the_next_reader(house: House) -> None:
    """Whoever changed something and asks is never shown what was before."""
    make = Maker()
    await house.cache.get(SHELF, "a", make)
    house.version += 1
    assert await house.cache.get(SHELF, "a", make) == b"value 2"
    labels = {"cache": "shelf"}
    sample = house.registry.get_sample_value("controlplane_cache_invalidations_total", labels)
    assert sample == 1


async def test_what_was_begun_before_a_change_is_for_nobody_after_it(house: House) -> None:
    """Neither may who asks after the change wait for it, nor is it kept."""
    make = Maker(waits=True)
    early = asyncio.create_task(house.cache.get(SHELF, "a", make))
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    house.version += 1
    late = asyncio.create_task(house.cache.get(SHELF, "a", make))
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    make.may_end.set()
    assert await early == b"value 1"
    assert await late == b"value 2"
    assert await house.cache.get(SHELF, "a", make) in (b"value 2", b"value 3")


async def test_values_end_with_their_time(house: House) -> None:
    """At an age of their own, that not all may end at once."""
    make = Maker()
    await house.cache.get(SHELF, "a", make)
    await house.clock.advance(53.9)
    assert await house.cache.get(SHELF, "a", make) == b"value 1"
    await house.clock.advance(0.2)
    assert await house.cache.get(SHELF, "a", make) == b"value 2"


async def test_many_who_ask_at_once_have_it_made_once(house: House) -> None:
    """One makes it, the others wait for that one."""
    make = Maker(waits=True)
    asking = [asyncio.create_task(house.cache.shared(SHELF, "a", make)) for _ in range(50)]
    async with asyncio.timeout(_PATIENCE):
        await make.begun.wait()
    make.may_end.set()
    assert set(await asyncio.gather(*asking)) == {b"value 1"}
    assert (house.count("miss"), house.count("joined")) == (1, 49)


async def test_who_gives_up_spoils_it_for_nobody(house: House) -> None:
    """When the one who makes it goes away, one of those who wait makes it."""
    make = Maker(waits=True)
    first = asyncio.create_task(house.cache.get(SHELF, "a", make))
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    second = asyncio.create_task(house.cache.get(SHELF, "a", make))
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    first.cancel()
    make.may_end.set()
    assert await second == b"value 2"


async def test_a_failure_is_not_kept(house: House) -> None:
    """Who asks gets the error; the next one tries again."""

    async def fail() -> bytes:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        await house.cache.shared(SHELF, "a", fail)
    assert await house.cache.get(SHELF, "a", Maker()) == b"value 1"


async def test_only_so_many_are_kept(house: House) -> None:
    """What was not asked for the longest goes first."""
    make = Maker()
    for key in "abc":
        await house.cache.get(SHELF, key, make)
    await house.cache.get(SHELF, "a", make)
    await house.cache.get(SHELF, "d", make)
    assert await house.cache.get(SHELF, "a", make) == b"value 1"
    assert await house.cache.get(SHELF, "b", make) == b"value 5"


async def test_replicas_share_what_one_of_them_made(store: RedisStore) -> None:
    """Also while it is being made: the other one waits."""
    one, other = House(store), House(store)
    make = Maker(waits=True)
    first = asyncio.create_task(one.cache.shared(SHELF, "a", make))
    async with asyncio.timeout(_PATIENCE):
        await make.begun.wait()
    second = asyncio.create_task(other.cache.shared(SHELF, "a", make))
    make.may_end.set()
    assert [await first, await second] == [b"value 1", b"value 1"]
    assert (make.made, other.count("shared")) == (1, 1)


async def test_a_replica_that_dies_over_it_is_not_waited_for(store: RedisStore) -> None:
    """Its claim ends, and the next one makes the value."""
    assert await store.claim("shelf:a")
    make = Maker()
    async with asyncio.timeout(_PATIENCE):
        assert await House(store).cache.shared(SHELF, "a", make) == b"value 1"


async def test_shared_values_end_in_redis_too(redis: Redis, store: RedisStore) -> None:
    """Nothing is left of them there."""
    short = replace(SHELF, ttl=50)
    await House(store).cache.shared(short, "a", Maker())
    async with asyncio.timeout(_PATIENCE):
        while await store.get("shelf:a") is not None:  # noqa: ASYNC110 - Redis has no events of it
            await asyncio.sleep(0.01)  # noqa: TID251 - as above


async def test_large_values_stay_here(store: RedisStore) -> None:
    """Moving them costs more than making them."""

    async def make() -> bytes:
        return b"x" * (2 << 20)

    assert len(await House(store).cache.shared(SHELF, "a", make)) == 2 << 20
    assert await store.get("shelf:a") is None


async def test_without_redis_each_replica_makes_its_own() -> None:
    """At once: nobody waits for what does not answer."""
    with valkey.started() as server:
        async with Redis.from_url(server.url, socket_timeout=1) as client:
            store = RedisStore(client, "test", SystemClock())
            server.pause()
            house, make = House(store), Maker()
            async with asyncio.timeout(_PATIENCE):
                assert await house.cache.shared(SHELF, "a", make) == b"value 1"
                assert await house.cache.shared(SHELF, "a", make) == b"value 1"
            server.resume()
