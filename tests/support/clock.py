"""Clocks that a test moves."""

import asyncio

from controlplane.clock import Duration, SystemClock, Timestamp


class ManualClock:
    """A Clock whose sleepers wake when `advance` has moved the time past them."""

    def __init__(self, now: Timestamp = 1_700_000_000_000) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> Timestamp:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)  # noqa: TID251 - this is a clock
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._monotonic + seconds, future))
        await future

    def set(self, now: Timestamp) -> None:
        """Jump the wall clock, also backwards, and wake nobody."""
        self._now = now

    async def advance(self, seconds: float) -> None:
        """Move both clocks, waking each sleeper in its order and letting it run."""
        end = self._monotonic + seconds
        while due := [entry for entry in self._sleepers if entry[0] <= end]:
            wake_at, future = min(due, key=lambda entry: entry[0])
            self._move_to(max(wake_at, self._monotonic))
            self._sleepers.remove((wake_at, future))
            if not future.done():
                future.set_result(None)
            await self.settle()
        self._move_to(end)
        await self.settle()

    async def settle(self) -> None:
        """Let everything run that can run now."""
        for _ in range(20):
            await asyncio.sleep(0)  # noqa: TID251 - this is a clock

    def _move_to(self, monotonic: float) -> None:
        self._now += round((monotonic - self._monotonic) * 1000)
        self._monotonic = monotonic


class AheadClock(SystemClock):
    """The machine's own clock, whose wall time is `ahead` by as much as a test says."""

    def __init__(self) -> None:
        self.ahead: Duration = 0

    def now(self) -> Timestamp:
        return super().now() + self.ahead
