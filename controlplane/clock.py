"""The only place that reads the time of the machine.

Decisions take the time as an argument; loops own a `Clock`. Instants are
integers, milliseconds since 1970-01-01T00:00:00Z; durations are milliseconds
too. `monotonic` and `sleep` speak seconds, as the standard library does.
"""

import asyncio
import time
from typing import Protocol

# An instant: milliseconds since the Unix epoch, UTC.
Timestamp = int
# A span of time in milliseconds.
Duration = int


class Clock(Protocol):
    """What a loop needs of time. Tests pass one that they move by hand."""

    def now(self) -> Timestamp:
        """Return the wall-clock instant. It may jump, also backwards."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or at once when they are not positive."""
        ...


class SystemClock:
    """The machine's own clock."""

    __slots__ = ()

    def now(self) -> Timestamp:
        return time.time_ns() // 1_000_000

    # No frame of its own: it is asked some thousand times a second.
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


async def sleep_unless(clock: Clock, woken: asyncio.Event, seconds: float) -> None:
    """Return after `seconds`, or as soon as `woken` is set; it is left as it is."""
    if seconds <= 0 or woken.is_set():
        return
    waiting = asyncio.ensure_future(woken.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        sleeping.cancel()
