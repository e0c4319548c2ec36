"""From a target that fails to the page at the receiver: two replicas with an engine, and one alone.

Both sides watch the same target at their tightest settings and tell the same receiver.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from benchmarks.cluster.world import cluster, paced
from benchmarks.table import percentile, print_table
from tests.support.service import running

_MANY, _ALONE = "two replicas, engine by remote write", "one replica, SQLite"
_SEED: Final = 7
_LONGEST: Final = 30.0


class _Scene:
    """The target, the receiver, and when which side was told what."""

    def __init__(self) -> None:
        self.failing = False
        self.url = ""
        self._told: dict[tuple[str, str], float] = {}
        self._news = asyncio.Condition()

    async def probed(self, _request: web.Request) -> web.Response:
        """Answer a probe."""
        return web.Response(status=500 if self.failing else 200)

    async def hook(self, request: web.Request) -> web.Response:
        """Take a message."""
        now, body = time.monotonic(), await request.json()
        async with self._news:
            self._told.setdefault((request.match_info["side"], body["status"]), now)
            self._news.notify_all()
        return web.Response()

    async def turn(self, *, failing: bool) -> dict[str, float]:
        """Break or mend the target; return how many seconds each side took to tell."""
        status = "firing" if failing else "resolved"
        keys = [(side, status) for side in ("many", "alone")]
        self._told.clear()
        begin, self.failing = time.monotonic(), failing
        async with asyncio.timeout(_LONGEST), self._news:
            await self._news.wait_for(lambda: all(key in self._told for key in keys))
        return {side: self._told[side, status] - begin for side, _ in keys}

    def configuration(self, directory: Path, side: str) -> dict[str, Any]:
        """Return one side's configuration."""
        hook = {"url": f"{self.url}/hook/{side}", "send_resolved": True}
        times = {"group_wait": "0s", "group_interval": "1s"}
        return paced(
            1,
            directory,
            route={"receiver": "hook", "group_by": ["alertname"], **times},
            receivers=[{"name": "hook", "webhook_configs": [hook]}],
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_get("/", self.probed)
        application.router.add_post("/hook/{side}", self.hook)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


async def run(directory: Path, rounds: int) -> None:
    """Print how long both sides took, to tell of breakdowns and of their ends."""
    scene, chance = _Scene(), random.Random(_SEED)
    took: dict[str, list[dict[str, float]]] = {"firing": [], "resolved": []}
    alone = directory / "alone"
    alone.mkdir()
    async with (
        scene.running(),
        cluster(scene.configuration(directory, "many"), 2) as made,
        running(alone, scene.configuration(alone, "alone")) as single,
    ):
        await made.register({"target": f"{scene.url}/"})
        await single.register("target", f"{scene.url}/")
        await asyncio.sleep(5)
        for _ in range(rounds):
            for status, failing in (("firing", True), ("resolved", False)):
                await asyncio.sleep(0.5 + chance.random())
                took[status].append(await scene.turn(failing=failing))
    rows = []
    for name, side in ((_MANY, "many"), (_ALONE, "alone")):
        for status, each in took.items():
            seconds = [one[side] for one in each]
            found = (f"{percentile(seconds, p):.2f}" for p in (0, 50, 99, 100))
            rows.append((name, status, *found))
    print_table(("seconds", "of", "min", "median", "p99", "max"), rows)
    print(f"\n{rounds} rounds; probes, rules and groups each second, both at once on this machine")
