"""A loop ends when it is told to."""

import asyncio
from contextlib import suppress

import pytest

from controlplane.cluster.ending import end_if_cancelled


async def test_a_word_that_was_swallowed_is_heard() -> None:
    """A task whose cancellation was lost on the way ends at the next place where it looks."""

    async def swallow() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def loop() -> None:
        while True:
            await swallow()
            end_if_cancelled()

    task = asyncio.create_task(loop())
    await asyncio.wait({task}, timeout=0.01)
    task.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_time_out_is_no_end() -> None:
    """What a time-out inside has cancelled is over, and the loop goes on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    end_if_cancelled()
