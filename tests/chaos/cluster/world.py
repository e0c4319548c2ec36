"""What is watched: a few thousand services in one process, some of which fail for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from aiohttp import web

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.probes.wheel import phase, slot_at

# So much of a period is left to each target before it may change again, in milliseconds.
_LEAST: Final = 45_000


@dataclass(slots=True)
class Watched:
    """One service: whether it is well, since when, and when it was asked."""

    name: str
    well: bool = True
    since: Timestamp = 0
    breakdowns: int = 0
    # When it broke down or recovered.
    changes: list[tuple[Timestamp, str]] = field(default_factory=list)
    asked: list[Timestamp] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ticks:
    """How the slots of a time went: how many there were, were probed, and more than once."""

    wanted: int
    probed: int
    twice: int
    # Of each target how many slots it had and how many of these were not probed.
    missed: tuple[tuple[int, int], ...]

    def least(self) -> float:
        """Return the least share of a target's slots that were probed."""
        return min((1 - gone / count for count, gone in self.missed), default=1.0)

    def short_of(self, share: float) -> int:
        """Return how many targets were probed in less than this share of their slots.

        One slot may be missed: of a short run it is more than a few per cent.
        """
        return sum(gone > max(1, (1 - share) * count) for count, gone in self.missed)


class World:
    """The services. `failing` of them are down at any time once `change` was called."""

    def __init__(self, count: int, *, failing: int, clock: Clock, dice: Random) -> None:
        self.services = {f"s{number:04}": Watched(f"s{number:04}") for number in range(count)}
        self.url = ""
        self._failing = failing
        self._clock = clock
        self._dice = dice

    def down(self) -> list[str]:
        """Return who is down now, by name."""
        return sorted(each.name for each in self.services.values() if not each.well)

    def change(self, many: int) -> None:
        """Have up to so many recover, and others break down in their place."""
        now = self._clock.now()
        settled = [s for s in self.services.values() if now - s.since >= _LEAST or not s.since]
        ill = [each for each in settled if not each.well]
        well = [each for each in settled if each.well]
        for each in self._dice.sample(ill, min(many, len(ill))):
            each.well, each.since = True, now
            each.changes.append((now, "recovered"))
        wanted = self._failing - len(self.down())
        for each in self._dice.sample(well, max(0, min(wanted, len(well)))):
            each.well, each.since = False, now
            each.breakdowns += 1
            each.changes.append((now, "broke down"))

    def ticks(
        self, ids: dict[str, str], interval: Duration, start: Timestamp, end: Timestamp
    ) -> Ticks:
        """Look at all slots that lie between two instants; `ids` are the targets' by name."""
        wanted = probed = twice = 0
        missed: list[tuple[int, int]] = []
        for name, target_id in ids.items():
            offset = phase(target_id, interval)
            first = slot_at(start, interval, offset) + interval
            count = max(0, (end - first) // interval)
            seen = [0] * count
            for at in self.services[name].asked:
                if 0 <= (place := (at - first) // interval) < count:
                    seen[place] += 1
            hit = sum(1 for each in seen if each)
            wanted, probed = wanted + count, probed + hit
            twice += sum(1 for each in seen if each > 1)
            if count:
                missed.append((count, count - hit))
        return Ticks(wanted, probed, twice, tuple(missed))

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a probe."""
        service = self.services[request.match_info["name"]]
        service.asked.append(self._clock.now())
        return web.Response(status=200 if service.well else 500)

    @asynccontextmanager
    async def running(self, host: str) -> AsyncIterator["World"]:
        """Serve at an address of this machine for the length of the block."""
        application = web.Application()
        application.router.add_get("/{name}", self.answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, 0, backlog=4096).start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await asyncio.shield(runner.cleanup())
