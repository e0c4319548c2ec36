"""Counting for all replicas together, in Redis, by the sliding windows of the library `limits`.

Most requests are counted here alone: a replica asks Redis about somebody only
when it has itself seen a sixteenth of what is allowed, so that the many who
ask little cost no round trip. Who spreads over replicas may so get a
sixteenth more at each.
"""

import asyncio
from hashlib import blake2b
from typing import Any, Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import CollectorRegistry, Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from controlplane.auth.limits import Verdict
from controlplane.auth.windows import Windows
from controlplane.clock import Clock
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# No request waits longer for Redis (seconds), and none asks it so soon after it did not answer.
_PATIENCE: Final = 0.05
_PAUSE: Final = 1.0
_SHARE: Final = 16


class SharedWindows:
    """The Counter of several replicas. While Redis is away each counts for itself."""

    def __init__(
        self, redis: Redis, prefix: str, clock: Clock, registry: CollectorRegistry
    ) -> None:
        self._clock = clock
        self._here = Windows(clock)
        # The library's words for its options know no pool, though it takes one.
        pool: Any = redis.connection_pool
        storage = RedisStorage(
            "redis://",
            implementation="redispy",
            key_prefix=f"{prefix}:limits",
            connection_pool=pool,
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._shared = True
        self._again_at = 0.0
        self._gauge = Gauge(
            "controlplane_limits_shared",
            "1 while limits count the requests to all replicas, 0 while only those to this one.",
            registry=registry,
        )
        self._gauge.set(1)

    async def hit(self, key: str, limit: int) -> Verdict:
        verdict = await self._here.hit(key, limit)
        seen = limit - verdict.remaining
        if not verdict.allowed or seen <= limit // _SHARE:
            return verdict
        if self._clock.monotonic() < self._again_at:
            return verdict
        try:
            async with asyncio.timeout(_PATIENCE):
                verdict = await self._ask(key, limit)
        except (RedisError, OSError, TimeoutError) as error:
            self._again_at = self._clock.monotonic() + _PAUSE
            self._note(shared=False, reason=type(error).__name__)
            return verdict
        self._note(shared=True)
        return verdict

    async def _ask(self, key: str, limit: int) -> Verdict:
        item = RateLimitItemPerMinute(limit)
        name = blake2b(key.encode(), digest_size=16).hexdigest()
        allowed = await self._limiter.hit(item, name)
        stats = await self._limiter.get_window_stats(item, name)
        reset = max(0.0, stats.reset_time - self._clock.now() / 1000)
        return Verdict(allowed, stats.remaining if allowed else 0, reset)

    def _note(self, *, shared: bool, reason: str = "") -> None:
        if shared == self._shared:
            return
        self._shared = shared
        self._gauge.set(shared)
        if shared:
            log.info("limits shared again")
        else:
            log.warning("limits counted alone", reason=reason)
