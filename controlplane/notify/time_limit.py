"""How long an attempt may take: what the receiver takes counts, not what we need to write to it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class TimeLimit:
    """Ends a block after some seconds, which do not pass while it is stopped.

    `at_most` bounds the whole block in seconds, however long it was stopped.
    """

    def __init__(self, seconds: float, *, at_most: float) -> None:
        self._seconds = seconds
        self._at_most = at_most
        self._last = 0.0
        self._timeout: asyncio.Timeout | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Bound a block. Raises TimeoutError from it."""
        self._last = asyncio.get_running_loop().time() + self._at_most
        async with asyncio.timeout(min(self._seconds, self._at_most)) as self._timeout:
            yield

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let no time pass in a block within the bounded one."""
        timeout, loop = self._timeout, asyncio.get_running_loop()
        when = None if timeout is None else timeout.when()
        if timeout is None or when is None or timeout.expired():
            yield
            return
        left = when - loop.time()
        timeout.reschedule(self._last)
        yield
        timeout.reschedule(min(loop.time() + left, self._last))
