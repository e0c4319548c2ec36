"""Queries run on threads of their own: few at once, a bounded number waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

from controlplane.errors import Overloaded

T = TypeVar("T")

_THREADS: Final = 4
_WAITING: Final = 100


class QueryPool:
    """Runs what reads many samples away from the event loop."""

    def __init__(self, *, threads: int = _THREADS, waiting: int = _WAITING) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._room = threads + waiting

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work()` returns. Raises Overloaded when too many wait already."""
        if self._room <= 0:
            raise Overloaded("too many queries are waiting")
        self._room -= 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, copy_context().run, work)
        finally:
            self._room += 1

    def close(self) -> None:
        """End the threads; queries that wait are not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)
