"""Queries run on threads of their own: few at once, a bounded number waiting."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Event
from typing import Any, Final, TypeVar

import orjson
from fastapi import Request, Response

from controlplane.errors import Overloaded

T = TypeVar("T")

# Is asked while a query is evaluated: true once nobody waits for its answer.
Canceled = Callable[[], bool]

_THREADS: Final = 4
_WAITING: Final = 100


class QueryPool:
    """Runs what reads many samples away from the event loop, the writing of its JSON too."""

    def __init__(self, *, threads: int = _THREADS, waiting: int = _WAITING) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._room = threads + waiting

    async def answer(self, request: Request, work: Callable[[Canceled], Any]) -> Response:
        """Answer with what `work` returns, as JSON where it is no text yet. Raises as `watched`."""
        content = await self.watched(request, lambda canceled: _content(work(canceled)))
        return Response(content, media_type="application/json")

    async def watched(self, request: Request, work: Callable[[Canceled], T]) -> T:
        """Return what `work` returns. Raises Overloaded, and what `work` raises.

        The work is told when the client has gone or the time of the request is up.
        """
        canceled = Event()
        watch = asyncio.create_task(_set_when_gone(request, canceled))
        try:
            return await self.run(lambda: work(canceled.is_set))
        finally:
            canceled.set()
            watch.cancel()

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work()` returns. Raises Overloaded when too many wait already."""
        if self._room <= 0:
            raise Overloaded("too many queries are waiting")
        self._room -= 1
        loop = asyncio.get_running_loop()

        def leave(_done: Future[T]) -> None:
            loop.call_soon_threadsafe(self._leave)

        # One whose caller went away holds its place until its thread is free again.
        future = self._executor.submit(copy_context().run, work)
        future.add_done_callback(leave)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads; queries that wait are not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _leave(self) -> None:
        self._room += 1


async def _set_when_gone(request: Request, canceled: Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    canceled.set()


def as_json(data: object) -> bytes:
    """Return data as JSON; text that is no UTF-8 is replaced."""
    try:
        return orjson.dumps(data)
    except TypeError:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="replace")


def _content(made: object) -> bytes:
    return made if isinstance(made, bytes) else as_json(made)
