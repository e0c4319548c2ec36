"""Counting for all replicas together, in Redis, by the sliding windows of the library `limits`.

A replica tells Redis of somebody's requests a sixty-fourth of the limit at a
time: the many who ask little cost no round trip, and the others few. Who
spreads over replicas may so get a sixty-fourth more at each.
"""

import asyncio
from hashlib import blake2b
from typing import Any, Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from controlplane.auth.limits import Verdict
from controlplane.auth.windows import Windows
from controlplane.clock import Clock
from controlplane.cluster.metrics import LimitMetrics
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# No request waits longer for Redis (seconds), and none asks it so soon after it did not answer.
_PATIENCE: Final = 0.05
_PAUSE: Final = 1.0
_PARTS: Final = 64
# Keys of which something is remembered between two requests.
_KEYS: Final = 100_000


class SharedWindows:
    """The Counter of several replicas. While Redis is away each counts for itself."""

    def __init__(self, redis: Redis, prefix: str, clock: Clock, metrics: LimitMetrics) -> None:
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
        # Requests that Redis has not been told of, and until when it has refused more of them.
        self._untold: dict[str, int] = {}
        self._refused: dict[str, float] = {}
        self._shared = True
        self._again_at = 0.0
        self._metrics = metrics

    async def hit(self, key: str, limit: int) -> Verdict:
        verdict = await self._here.hit(key, limit)
        if not verdict.allowed:
            return verdict
        now = self._clock.monotonic()
        if (left := self._refused.get(key, 0.0) - now) > 0:
            return Verdict(allowed=False, remaining=0, reset=left)
        self._refused.pop(key, None)
        untold = self._untold.get(key, 0) + 1
        if untold <= limit // _PARTS or now < self._again_at:
            self._note_untold(key, untold)
            return verdict
        self._untold.pop(key, None)
        try:
            async with asyncio.timeout(_PATIENCE):
                verdict = await self._tell(key, limit, untold)
        except (RedisError, OSError, TimeoutError) as error:
            self._again_at = now + _PAUSE
            self._note(shared=False, reason=type(error).__name__)
            return verdict
        self._note(shared=True)
        if not verdict.allowed:
            # Those before it were answered; they count when there is room again.
            self._note_untold(key, untold - 1)
            self._refused[key] = now + min(verdict.reset, _PAUSE)
        return verdict

    async def _tell(self, key: str, limit: int, count: int) -> Verdict:
        item = RateLimitItemPerMinute(limit)
        name = blake2b(key.encode(), digest_size=16).hexdigest()
        allowed = await self._limiter.hit(item, name, cost=min(count, limit))
        stats = await self._limiter.get_window_stats(item, name)
        reset = max(0.0, stats.reset_time - self._clock.now() / 1000)
        return Verdict(allowed, stats.remaining if allowed else 0, reset)

    def _note_untold(self, key: str, count: int) -> None:
        if len(self._untold) >= _KEYS:
            self._untold.clear()
            self._refused.clear()
        self._untold[key] = count

    def _note(self, *, shared: bool, reason: str = "") -> None:
        if shared == self._shared:
            return
        self._shared = shared
        self._metrics.shared.set(shared)
        if shared:
            log.info("limits shared again")
        else:
            log.warning("limits counted alone", reason=reason)
