"""Hearing that something has changed."""

import asyncio
from contextlib import suppress

from controlplane.clock import SystemClock
from controlplane.cluster.notices import listen
from tests.support import cluster, valkey

_CLOCK = SystemClock()


async def test_a_channel_that_broke_is_heard_again() -> None:
    """Messages are heard, and those after Redis was away too."""
    with valkey.started() as redis:
        connection = cluster.connect(redis.url, _CLOCK)
        heard = asyncio.Event()
        listening = asyncio.create_task(listen(connection, "channel", heard.set, _CLOCK))

        async def hears() -> None:
            heard.clear()
            telling = cluster.connect(redis.url, _CLOCK)
            async with asyncio.timeout(10):
                await telling.ask(lambda client: client.publish("channel", "x"))
                await heard.wait()
            await telling.close()

        async with asyncio.timeout(10):
            await heard.wait()  # it is there
        await hears()
        redis.stop()
        redis.start()
        heard.clear()
        async with asyncio.timeout(10):
            await heard.wait()  # it is there again
        await hears()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await connection.close()
