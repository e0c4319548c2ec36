"""A few threads for calls that block and cannot be ended."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from controlplane.errors import Unavailable

_Result = TypeVar("_Result")


class Threads(Generic[_Result]):
    """Runs at most `most` calls at once, each in a thread that does not outlive the process.

    A call whose caller gave up keeps its place until it ends by itself.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._free = threading.Semaphore(most)

    async def run(self, call: Callable[[], _Result], *, seconds: float) -> _Result:
        """Return what a call returns. Raises Unavailable when all threads are busy.

        TimeoutError, after so many seconds, leaves open what becomes of it.
        """
        if not self._free.acquire(blocking=False):
            raise Unavailable(f"{self._name}: all earlier calls still wait for an answer")
        future: Future[_Result] = Future()
        thread = threading.Thread(
            target=self._work, args=(call, future), name=self._name, daemon=True
        )
        thread.start()
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(future)

    def _work(self, call: Callable[[], _Result], future: "Future[_Result]") -> None:
        future.set_running_or_notify_cancel()
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is the caller's to meet
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            self._free.release()
