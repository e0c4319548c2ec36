"""How late a thousand readers of the event stream hear of an event.

    python -m benchmarks stream [--readers 1000] [--events 100] [--every 0.1]

The service on one core, all readers on the other. An event is a target that is
paused or taken up again; its lag is from the instant that it carries to its
arrival at a reader, on the same clock.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.peers import cpu_seconds, free_port, pinned, resident_megabytes, wait_for_http
from benchmarks.table import print_table


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks stream", description=__doc__)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--every", type=float, default=0.1, help="seconds between two events")
    given = parser.parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))
    listen = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as directory:
        words = ["serve", "--listen", listen, "--data-dir", f"{directory}/data"]
        log = Path(directory) / "program.log"
        process = pinned([sys.executable, "-m", "controlplane", *words], {cores[-1]}, log)
        try:
            wait_for_http(f"http://{listen}/ready")
            os.sched_setaffinity(0, {cores[0]})
            spent = cpu_seconds(process.pid)
            lags = asyncio.run(measured([listen], given.readers, given.events, given.every))
            spent = cpu_seconds(process.pid) - spent
            print_table(
                ("readers", "events", "heard", "lag p50", "p99", "worst", "CPU an event", "RSS"),
                [
                    (
                        f"{given.readers:,}",
                        given.events,
                        f"{len(lags) / given.readers / given.events:.1%}",
                        *(f"{at(lags, share) * 1000:.0f} ms" for share in (0.5, 0.99, 1.0)),
                        f"{spent / given.events * 1000:.0f} ms",
                        f"{resident_megabytes(process.pid):.0f} MB",
                    )
                ],
            )
        finally:
            process.kill()
            process.wait()
    return 0


async def measured(listens: Sequence[str], readers: int, events: int, every: float) -> list[float]:
    """Return the lags of all events at all readers, in seconds.

    Readers are spread over the addresses; what happens does so at the first.
    """
    lags: list[float] = []
    ready = asyncio.Semaphore(0)
    listen = listens[0]
    target = _ask(listen, "POST", "/api/v1/targets", {"name": "t", "url": "http://127.0.0.1:1/"})
    tasks, writers = [], []
    for number in range(readers):
        host, port = listens[number % len(listens)].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /api/v1/stream?kind=target HTTP/1.1\r\nHost: localhost\r\n\r\n")
        writers.append(writer)
        tasks.append(asyncio.create_task(_read(reader, lags, ready)))
    async with asyncio.timeout(60):
        for _ in range(readers):
            await ready.acquire()
    for number in range(events):
        path = f"/api/v1/targets/{target['id']}"
        body = {"paused": number % 2 == 0}
        await asyncio.to_thread(_ask, listen, "PATCH", path, body)
        await asyncio.sleep(every)
    await asyncio.sleep(2)
    for task, writer in zip(tasks, writers, strict=True):
        task.cancel()
        writer.close()
    return lags


async def _read(reader: asyncio.StreamReader, lags: list[float], ready: asyncio.Semaphore) -> None:
    await reader.readuntil(b"retry: 1000\n\n")
    ready.release()
    while True:
        line = await reader.readline()
        if not line:
            return
        if line.startswith(b"data: ") and b'"changed"' in line:
            told = datetime.fromisoformat(json.loads(line[6:])["time"])
            lags.append(time.time() - told.timestamp())


def _ask(listen: str, method: str, path: str, body: object) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if method == "PATCH":
        headers = {"Content-Type": "application/merge-patch+json"}
    request = urllib.request.Request(
        f"http://{listen}{path}", json.dumps(body).encode(), headers, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, str] = json.load(answer)
    return found


def at(lags: Sequence[float], share: float) -> float:
    ordered = sorted(lags) or [float("nan")]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
