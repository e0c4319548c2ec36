"""The port of counting, kept in one process and over several replicas."""

import uuid
from collections.abc import AsyncIterator
from itertools import count

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from controlplane.auth.limits import Counter
from controlplane.auth.windows import Windows
from controlplane.clock import SystemClock
from controlplane.cluster.limits import SharedWindows
from controlplane.cluster.metrics import LimitMetrics
from tests.support import valkey


def shared(redis: Redis, prefix: str, registry: CollectorRegistry | None = None) -> SharedWindows:
    """Return what one replica counts with."""
    return SharedWindows(
        redis, prefix, SystemClock(), LimitMetrics(registry or CollectorRegistry())
    )


def a_prefix() -> str:
    return f"test:{uuid.uuid4().hex}"


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """Give a client of the shared server."""
    async with Redis.from_url(valkey.server().url) as client:
        yield client


@pytest.fixture(params=["here", "redis"])
def counter(request: pytest.FixtureRequest, redis: Redis) -> Counter:
    """Give a counter of either kind."""
    return Windows(SystemClock()) if request.param == "here" else shared(redis, a_prefix())


async def allowed(counter: Counter, count: int, key: str = "somebody", limit: int = 20) -> int:
    """Send so many requests; return how many were allowed."""
    return sum([(await counter.hit(key, limit)).allowed for _ in range(count)])


async def test_so_many_are_allowed_and_no_more(counter: Counter) -> None:
    """Each key has its own count; what is left goes down to nothing."""
    assert await allowed(counter, 25) == 20
    refused = await counter.hit("somebody", 20)
    assert not refused.allowed
    assert refused.remaining == 0
    assert 0 <= refused.reset <= 60
    assert await allowed(counter, 1, "another") == 1


async def test_what_is_left_goes_down(counter: Counter) -> None:
    """By one with each request."""
    told = [await counter.hit("somebody", 20) for _ in range(5)]
    assert [each.remaining for each in told] == sorted(each.remaining for each in told)[::-1]
    assert told[0].remaining == 19


async def test_replicas_count_together(redis: Redis) -> None:
    """Who goes to three replicas gets little more than at one: a sixty-fourth at each."""
    prefix, limit = a_prefix(), 128
    replicas = [shared(redis, prefix) for _ in range(3)]
    got = 0
    for _ in range(limit):
        for each in replicas:
            got += (await each.hit("somebody", limit)).allowed
    assert limit <= got <= limit + len(replicas) * limit // 64


async def test_redis_away_means_counting_alone() -> None:
    """At once and within bounds, said by a metric; and together again when it is back."""
    with valkey.started() as server:
        async with Redis.from_url(server.url, socket_timeout=1) as client:
            registry = CollectorRegistry()
            counting = shared(client, a_prefix(), registry)

            def is_shared() -> float | None:
                return registry.get_sample_value("controlplane_limits_shared")

            assert await allowed(counting, 10) == 10
            assert is_shared() == 1
            server.pause()
            assert await allowed(counting, 25) == 10
            assert is_shared() == 0
            server.resume()
            clock, others = SystemClock(), count()
            while is_shared() == 0:
                await clock.sleep(0.1)
                # One who has been refused is not asked about again for a while.
                await allowed(counting, 2, f"another {next(others)}", 2)
            assert is_shared() == 1
