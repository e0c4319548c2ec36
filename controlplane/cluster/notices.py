"""Hearing that something has changed, from a channel of Redis.

Only a nudge: who misses one looks a second later anyway.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from controlplane.clock import Clock
from controlplane.cluster.connection import Connection
from controlplane.cluster.ending import end_if_cancelled

# Seconds until a channel that broke is listened to again.
_PAUSE: Final = 1.0
# A channel may be silent for as long as it likes; so often we make sure that it is still there.
_SILENCE: Final = 5.0


async def listen(
    connection: Connection, channel: str, heard: Callable[[], None], clock: Clock
) -> None:
    """Call `heard` for every message on a channel, and when it is there again; until cancelled."""
    while True:
        try:
            await _listen(connection, channel, heard)
        except (RedisError, OSError, TimeoutError):
            end_if_cancelled()
            await clock.sleep(_PAUSE)  # that Redis is away others say


async def _listen(connection: Connection, channel: str, heard: Callable[[], None]) -> None:
    async with connection.client.pubsub(ignore_subscribe_messages=True) as messages:
        await messages.subscribe(channel)
        heard()
        asked = False
        while True:
            message = await messages.get_message(timeout=_SILENCE)
            end_if_cancelled()
            if message is None and asked:
                raise TimeoutError
            asked = message is None
            if message is None:
                async with asyncio.timeout(_SILENCE):
                    await messages.ping()
            elif message["type"] == "message":
                heard()
