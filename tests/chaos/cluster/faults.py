"""What is done to the replicas and to what stands behind them, each for a while."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

from controlplane.clock import Clock
from tests.support.fleet import Fleet, Replica

# How long servers are away, in seconds.
_AWAY: Final = 10.0
# How long whoever looks after processes waits before the next start.
_RESTART: Final = 1.0
# Longer than a lease: others have taken over when it comes back.
_BEYOND_A_LEASE: Final = 15.0


class Faults:
    """Does one thing at a time to each replica; `done` counts what was done."""

    def __init__(self, fleet: Fleet, clock: Clock, dice: Random) -> None:
        self.done: Counter[str] = Counter()
        self._fleet = fleet
        self._clock = clock
        self._dice = dice
        self._busy: set[str] = set()
        self._redis = asyncio.Lock()  # it is away in one way at a time

    async def kill(self) -> None:
        """Kill a replica with -9; whoever looks after processes starts it again."""
        await self._on_a_replica("killed with -9", self._killed)

    async def pause(self) -> None:
        """Stop a replica's process for longer than its lease, and let it go on."""
        await self._on_a_replica("paused beyond its lease", self._paused)

    async def cut_off(self) -> None:
        """Cut a replica off for longer than its lease: one in a network of its own, if any is."""
        apart = [each for each in self._fleet.replicas if each.network is not None]
        what = "its network cut" if apart else "what is behind it cut off"
        await self._on_a_replica(f"{what} beyond its lease", self._cut_off, apart)

    async def redis_away(self) -> None:
        """Have Redis gone, with all that it held, and back."""
        async with self._redis:
            self.done["Redis stopped"] += 1
            self._fleet.valkey.stop()
            await self._clock.sleep(_AWAY)
            await asyncio.to_thread(self._fleet.valkey.start)

    async def redis_hangs(self) -> None:
        """Have Redis answer nobody for a while."""
        async with self._redis:
            self.done["Redis paused"] += 1
            self._fleet.valkey.pause()
            await self._clock.sleep(_AWAY)
            self._fleet.valkey.resume()

    async def postgres_away(self) -> None:
        """Have PostgreSQL gone and back."""
        self.done["PostgreSQL stopped"] += 1
        await asyncio.to_thread(self._fleet.postgres.stop)
        await self._clock.sleep(_AWAY)
        await asyncio.to_thread(self._fleet.postgres.start)

    async def _on_a_replica(
        self,
        what: str,
        act: Callable[[Replica], Awaitable[None]],
        among: Sequence[Replica] = (),
    ) -> None:
        free = [each for each in self._fleet.replicas if each.name not in self._busy]
        fit = [each for each in free if not among or each in among]
        if len(free) < 2 or not fit:
            return  # somebody has to be left
        replica = self._dice.choice(fit)
        self._busy.add(replica.name)
        self.done[what] += 1
        try:
            await act(replica)
        finally:
            self._busy.discard(replica.name)

    async def _killed(self, replica: Replica) -> None:
        await replica.service.kill()
        while not await self._started(replica):
            await self._clock.sleep(_RESTART)

    async def _started(self, replica: Replica) -> bool:
        """Start a replica; one that finds no database ends at once, and is started again."""
        try:
            await replica.service.start()
        except AssertionError:
            if replica.service.process.returncode is None:
                raise
            self.done["restarts for want of a database"] += 1
            return False
        return True

    async def _paused(self, replica: Replica) -> None:
        replica.service.process.send_signal(signal.SIGSTOP)
        await self._clock.sleep(_BEYOND_A_LEASE)
        replica.service.process.send_signal(signal.SIGCONT)

    async def _cut_off(self, replica: Replica) -> None:
        replica.cut()
        await self._clock.sleep(_BEYOND_A_LEASE)
        replica.mend()
