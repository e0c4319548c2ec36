"""Every background task has someone who notices when it dies."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.clock import Clock
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0
# A task that ran this long is taken for well again: its next delay is short.
_WELL_AFTER: Final = 60.0


# Hands over what a loop has begun; awaited when the loop itself has ended.
Drain = Callable[[], Awaitable[None]]


class Supervisor:
    """Runs loops, starts one that ended anew after a growing delay, counts and logs it."""

    def __init__(self, clock: Clock, registry: CollectorRegistry) -> None:
        self._clock = clock
        self._tasks: dict[str, tuple[asyncio.Task[None], Drain | None]] = {}
        self._down: set[str] = set()
        self._restarts = Counter(
            "controlplane_task_restarts_total",
            "Background tasks that ended by themselves and were started anew.",
            ["task"],
            registry=registry,
        )
        self._up = Gauge(
            "controlplane_task_up",
            "1 while a background task runs, 0 while it waits to be started anew.",
            ["task"],
            registry=registry,
        )

    def start(
        self, name: str, run: Callable[[], Awaitable[None]], *, drain: Drain | None = None
    ) -> None:
        """Run `run()` under the name until `stop`, which awaits `drain()` when it has ended."""
        self._tasks[name] = (asyncio.create_task(self._keep(name, run), name=name), drain)

    def down(self) -> list[str]:
        """Return the names of the tasks that are not running now."""
        return sorted(self._down)

    async def stop(self) -> None:
        """End all tasks, the last one first: what it hands on, those before it still take."""
        while self._tasks:
            name, (task, drain) = self._tasks.popitem()
            task.cancel()
            try:
                async with asyncio.timeout(_LONGEST_DELAY):
                    await asyncio.gather(task, return_exceptions=True)
                    if drain is not None:
                        await drain()
            except TimeoutError:
                log.error("task did not stop", task=name)
            except Exception:
                log.exception("task did not end well", task=name)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._restarts.labels(name)
        delay = _FIRST_DELAY
        while True:
            begin = self._clock.monotonic()
            self._up.labels(name).set(1)
            self._down.discard(name)
            try:
                await run()
                log.error("task ended", task=name)
            except Exception:
                log.exception("task failed", task=name)
            self._up.labels(name).set(0)
            self._down.add(name)
            self._restarts.labels(name).inc()
            if self._clock.monotonic() - begin > _WELL_AFTER:
                delay = _FIRST_DELAY
            await self._clock.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
