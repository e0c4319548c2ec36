"""Reads a second of two replicas behind nginx and of one alone, quiet and while things change."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.cluster.world import Cluster, cluster, paced
from benchmarks.table import print_table
from tests.support.nginx import nginx

_TARGETS: Final = 200
_ALERTS: Final = 100
_CHANGES: Final = 20  # a second
_CONNECTIONS: Final = 16
_PUBLIC: Final = "status page"
_PATHS: Final = {
    "targets": "/api/v1/targets?limit=50",
    "overview": "/",
    _PUBLIC: "/status/bench",
    "alert groups": "/alertmanager/api/v2/alerts/groups",
}
_SAID: Final = re.compile(
    r"50% +(?P<p50>\S+).*99% +(?P<p99>\S+).*Requests/sec: +(?P<rate>[0-9.]+)", re.DOTALL
)


async def run(directory: Path, seconds: int) -> None:
    """Print a row for each path and way to it."""
    page = {"name": "bench", "groups": [{"name": "All", "match": ['{job=~"t.*"}']}]}
    rows = []
    async with cluster(paced(60, directory, status_pages=[page]), 2) as made:
        ids = await made.register({f"t{n}": "http://127.0.0.1:1/" for n in range(_TARGETS)})
        await _post_alerts(made)
        # Targets are probed once, so that there is something to show, and pages are made.
        await asyncio.sleep(5)
        (asking := directory / "asking").mkdir()
        async with (
            nginx(directory, made.listens) as front,
            nginx(asking, made.listens, keeps=False) as asked,
        ):
            direct = {"one replica, directly": made.listens[0]}
            plain = {**direct, "two, by nginx": front}
            kept = {**direct, "two, by nginx that keeps nothing": asked, "two, by nginx": front}
            # Who comes first to what nginx keeps waits, once a day; that is not what is measured.
            await _read_as_wrk(made, f"http://{front}{_PATHS[_PUBLIC]}")
            for name, path in _PATHS.items():
                for way, address in (kept if name == _PUBLIC else plain).items():
                    quiet = await _wrk(f"http://{address}{path}", seconds)
                    async with _changing(made, ids["t0"]):
                        busy = await _wrk(f"http://{address}{path}", seconds)
                    rows.append((name, way, *quiet, *busy))
        page_bytes = len((await made.running[0].request("GET", _PATHS[_PUBLIC])).content)
    head = ("quiet: reads/s", "p50", "p99", f"{_CHANGES} changes a second: reads/s", "p50", "p99")
    print_table(("what", "where", *head), rows)
    print(f"\nThe status page has {page_bytes:,} bytes, asked for without compression")


async def _read_as_wrk(made: Cluster, url: str) -> None:
    # It takes no compression, so that this is another page to nginx than what browsers get.
    answer = await made.running[0].client.get(url, headers={"accept-encoding": "identity"})
    answer.raise_for_status()


async def _post_alerts(made: Cluster) -> None:
    alerts = [{"labels": {"alertname": "Bench", "number": str(n)}} for n in range(_ALERTS)]
    path = "/alertmanager/api/v2/alerts"
    (await made.running[0].request("POST", path, json=alerts)).raise_for_status()


@asynccontextmanager
async def _changing(made: Cluster, target_id: str) -> AsyncIterator[None]:
    """Have a target change all the time at one replica: what was made of targets is void."""

    async def change() -> None:
        paused, path = False, f"/api/v1/targets/{target_id}"
        headers = {"Content-Type": "application/merge-patch+json"}
        while True:
            paused = not paused
            body = {"paused": paused}
            await made.running[0].request("PATCH", path, json=body, headers=headers)
            await asyncio.sleep(1 / _CHANGES)

    task = asyncio.create_task(change())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _wrk(url: str, seconds: int) -> tuple[str, str, str]:
    """Return reads a second and two percentiles of their time; says so where some failed."""
    words = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--latency", url]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    said = (await process.communicate())[0].decode()
    found = _SAID.search(said)
    if found is None:
        raise RuntimeError(said)
    failed = " (some failed)" if "Non-2xx" in said or "Socket errors" in said else ""
    return f"{float(found['rate']):.0f}{failed}", found["p50"], found["p99"]
