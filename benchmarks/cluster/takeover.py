"""How long targets go without a probe when their replica is killed, and when it ends well."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

from aiohttp import web

from benchmarks.cluster.world import Cluster, cluster, paced
from benchmarks.table import percentile, print_table
from tests.support.service import Service

_REPLICAS: Final = 3
_TARGETS: Final = 90
_INTERVAL: Final = 1.0
_ENDS: Final = 2
# Longer than anybody is away: a lease of 10 s, and a second to see it.
_KILLED: Final = 13.5
_ENDED: Final = 5.0


class _Probed:
    """Targets, and when each was probed."""

    def __init__(self) -> None:
        self.url = ""
        self.at: defaultdict[str, list[float]] = defaultdict(list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a probe."""
        self.at[request.match_info["name"]].append(time.monotonic())
        return web.Response()

    def longest(self, name: str, begin: float) -> float:
        """Return the longest time between two probes since an instant, beyond the interval."""
        before = [at for at in self.at[name] if at < begin][-1:]
        seen = [*before, *(at for at in self.at[name] if at >= begin), time.monotonic()]
        gaps = [later - earlier for earlier, later in pairwise(seen)]
        return max(0.0, max(gaps) - _INTERVAL)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_get("/{name}", self.answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


async def run(directory: Path, kills: int) -> None:
    """Print how long the targets of replicas that went were not probed."""
    probed = _Probed()
    rows = []
    async with probed.running(), cluster(paced(_INTERVAL, directory), _REPLICAS) as made:
        ids = await made.register({f"t{n}": f"{probed.url}/t{n}" for n in range(_TARGETS)})
        await asyncio.sleep(5)
        for what, count, wait in (("kill -9", kills, _KILLED), ("SIGTERM", _ENDS, _ENDED)):
            gone: list[float] = []
            others: list[float] = []
            for number in range(count):
                replica = made.replicas[number % _REPLICAS]
                his = await made.owned_by(f"r{number % _REPLICAS}", ids)
                begin = time.monotonic()
                await (replica.kill() if what == "kill -9" else replica.terminate())
                await asyncio.sleep(max(0.0, begin + wait - time.monotonic()))
                gone += [probed.longest(name, begin) for name in his]
                others += [probed.longest(name, begin) for name in ids.keys() - his]
                await _again(replica, made)
            found = (f"{percentile(gone, p):.2f} s" for p in (50, 99, 100))
            rows.append((what, count, len(gone), *found, f"{percentile(others, 100):.2f} s"))
    print_table(
        ("replica of three goes by", "times", "targets of its", "p50", "p99", "max", "others, max"),
        rows,
    )
    print(f"\nSeconds without a probe beyond the interval of {_INTERVAL:g} s; lease 10 s")


async def _again(replica: Service, made: Cluster) -> None:
    await replica.start()
    await made.settled()
    await asyncio.sleep(2)
