"""A cache that all replicas share: values in Redis, made by one replica at a time."""

import asyncio
from collections.abc import Awaitable
from hashlib import blake2b
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from controlplane.clock import Clock, Duration

# Nobody waits longer for Redis (seconds): then the value is made here.
_PATIENCE: Final = 0.1
# Who claimed a key has so long to make its value, and others wait so long for it.
_CLAIM: Final[Duration] = 2_000
_LOOKS: Final = 20
_PAUSE: Final = 0.1
# Larger values would only be moved around.
_LARGEST: Final = 1 << 20


class RedisStore:
    """Keeps bytes for a time, under `prefix`. While Redis is away nothing is there."""

    def __init__(self, redis: Redis, prefix: str, clock: Clock) -> None:
        self._redis = redis
        self._prefix = f"{prefix}:cache"
        self._clock = clock

    async def get(self, key: str) -> bytes | None:
        found = await _patient(self._redis.get(self._name(key)))
        return found if isinstance(found, bytes) else None

    async def put(self, key: str, value: bytes, ttl: Duration) -> None:
        name = self._name(key)
        if len(value) <= _LARGEST:
            await _patient(self._redis.set(name, value, px=ttl))
        await _patient(self._redis.delete(f"{name}:claim"))

    async def claim(self, key: str) -> bool:
        """Take the key, unless somebody has it. Without Redis everybody has it."""
        claimed = self._redis.set(f"{self._name(key)}:claim", b"", px=_CLAIM, nx=True)
        return await _patient(claimed, away=True) is True

    async def awaited(self, key: str) -> bytes | None:
        for _ in range(_LOOKS):
            await self._clock.sleep(_PAUSE)
            found = await self.get(key)
            if found is not None:
                return found
            if await self.claim(key):
                return None
        return None

    def _name(self, key: str) -> str:
        return f"{self._prefix}:{blake2b(key.encode(), digest_size=16).hexdigest()}"


async def _patient(asked: Awaitable[Any], away: object = None) -> Any:
    """Return what Redis answers, or `away` when it does not."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await asked
    except (RedisError, OSError, TimeoutError):
        return away
