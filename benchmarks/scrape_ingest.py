"""Samples a CPU second of whole programs that scrape, beside a real Prometheus.

    python -m benchmarks scrape_ingest [--targets 20] [--series 5000] [--interval 5] [--rounds 8]

Both run whole, one after the other, pinned to one core, and scrape the same
pages from a server on the other one, to disk with their logs. CPU time is that
of the process with all its threads (/proc). "First" is the interval in which
each target is scraped for the first time and all series are new; "then" begins
three intervals later. Of the values on a page all change from scrape to scrape,
or a third.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import cpu_seconds, free_port, pinned, resident_megabytes, wait_for_http
from benchmarks.scrape_parse import bodies
from benchmarks.table import print_table

_SETTLING = 3  # intervals between the first scrape and what is measured as steady
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n\r\n"


@dataclass(frozen=True)
class Work:
    """What is scraped: `targets` pages of `series` each, every `interval` seconds."""

    targets: int
    series: int
    interval: int
    rounds: int
    share: float


@dataclass(frozen=True)
class Program:
    """How one of the two is started."""

    name: str
    command: Sequence[str]
    ready: str
    configuration: Path


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["serve"]:
        asyncio.run(serve(int(arguments[1]), int(arguments[2]), float(arguments[3])))
        return 0
    parser = argparse.ArgumentParser(prog="benchmarks scrape_ingest", description=__doc__)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--series", type=int, default=5000)
    parser.add_argument("--interval", type=int, default=5, help="seconds")
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args(arguments)
    binary = shutil.which("prometheus")
    if binary is None:
        print("prometheus is not installed: nothing to compare with")
        return 1
    rows = []
    for share in (1.0, 0.33):
        work = Work(given.targets, given.series, given.interval, given.rounds, share)
        rows += compared(work, binary)
    print(f"{given.targets} targets of {given.series} series, every {given.interval} s\n")
    columns = ("first scrape", "ratio", "then", "ratio", "of a core", "RSS")
    print_table(("samples a CPU second", *columns), rows)
    return 0


def compared(work: Work, binary: str) -> list[Sequence[object]]:
    """Return a row for each program."""
    found = []
    for start in (ours, lambda directory: prometheus(directory, binary)):
        with tempfile.TemporaryDirectory() as directory, pages(work, Path(directory)) as port:
            found.append(measured(start(Path(directory)), work, port, Path(directory)))
    (_, first_of_theirs, then_of_theirs, _, _) = found[1]
    return [
        (
            f"{name}, {work.share:.0%} changed",
            f"{first / 1e6:.3f} M",
            f"{first / first_of_theirs:.2f}",
            f"{then / 1e6:.2f} M",
            f"{then / then_of_theirs:.2f}",
            f"{core:.0%}",
            f"{resident:.0f} MB",
        )
        for name, first, then, core, resident in found
    ]


def ours(directory: Path) -> Program:
    listen, file = f"127.0.0.1:{free_port()}", directory / "controlplane.yml"
    command = [sys.executable, "-m", "controlplane", "serve", "--config", str(file)]
    command += ["--listen", listen, "--data-dir", str(directory / "data")]
    return Program("controlplane", command, f"http://{listen}/ready", file)


def prometheus(directory: Path, binary: str) -> Program:
    listen, file = f"127.0.0.1:{free_port()}", directory / "prometheus.yml"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address={listen}",
    ]
    return Program("Prometheus", command, f"http://{listen}/-/ready", file)


def measured(
    program: Program, work: Work, port: int, directory: Path
) -> tuple[str, float, float, float, float]:
    """Return name, samples a CPU second at first and then, share of a core, megabytes."""
    program.configuration.write_text("{}")
    process = pinned(program.command, {_cores()[-1]}, directory / "program.log")
    try:
        wait_for_http(program.ready)
        time.sleep(1)
        program.configuration.write_text(json.dumps(_configuration(work, port)))
        spent, counted = cpu_seconds(process.pid), 0
        process.send_signal(signal.SIGHUP)
        while not _served(port):
            time.sleep(0.01)
        time.sleep(work.interval)
        spent, counted, first = _since(process.pid, port, spent, counted)
        time.sleep(work.interval * (_SETTLING - 1))
        spent, counted, _ = _since(process.pid, port, spent, counted)
        before, began = spent, time.monotonic()
        time.sleep(work.interval * work.rounds)
        spent, counted, then = _since(process.pid, port, spent, counted)
        core = (spent - before) / (time.monotonic() - began)
        series = work.series
        megabytes = resident_megabytes(process.pid)
        return program.name, first * series, then * series, core, megabytes
    finally:
        process.kill()
        process.wait()


def _since(pid: int, port: int, spent: float, counted: int) -> tuple[float, int, float]:
    """Return CPU time and pages served by now, and pages a CPU second since."""
    pages_now, seconds_now = _served(port), cpu_seconds(pid)
    return seconds_now, pages_now, (pages_now - counted) / (seconds_now - spent)


def _served(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=5) as answer:
        return int(answer.read())


def _configuration(work: Work, port: int) -> dict[str, object]:
    # The target's number is in its path: pages differ in their values' age alone.
    jobs = [
        {
            "job_name": f"job{number}",
            "metrics_path": f"/{number}",
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        for number in range(work.targets)
    ]
    every = f"{work.interval}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": jobs,
    }


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@contextmanager
def pages(work: Work, directory: Path) -> Iterator[int]:
    """Serve the pages from the other core; yield the port."""
    port = free_port()
    words = ["serve", str(port), str(work.series), str(work.share)]
    command = [sys.executable, "-m", "benchmarks", "scrape_ingest", *words]
    server = pinned(command, {_cores()[0]}, directory / "server.log")
    try:
        wait_for_http(f"http://127.0.0.1:{port}/count")
        yield port
    finally:
        server.kill()
        server.wait()


async def serve(port: int, series: int, share: float) -> None:
    """Answer `/N` with the next page of target N, `/count` with how many were served."""
    made = bodies(share, series)
    served: Counter[str] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                if path == "/count":
                    body = str(served.total()).encode()
                else:
                    body = made[served[path] % len(made)]
                    served[path] += 1
                writer.write(_HEAD % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()
