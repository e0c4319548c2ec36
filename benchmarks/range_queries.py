"""How fast range queries are answered over HTTP, beside a real Prometheus.

    python -m benchmarks range_queries [--series 25000] [--rounds 3]

Both programs run whole, each on one core, and get the same hour of samples, one
of each series every 15 s, by remote write. Two fifths of the series are what
most queries select: 10,000 of 25,000. Each query asks for an hour at 15 s
steps; the time runs from the request to the last byte of the answer, the client
being on the core of the program that has nothing to do. CPU is the server's.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import cpu_seconds, resident_megabytes
from benchmarks.rules_speed import INTERVAL, Program, bodies, post, start
from benchmarks.table import print_table

HOUR = 3_600_000
# Instants between two samples: 2.42 includes the left edge of a range.
_SHIFT = 7_000
QUERIES = {
    "selector": "http_requests_total",
    "rate": "rate(http_requests_total[5m])",
    "sum by rate": "sum by (job) (rate(http_requests_total[5m]))",
    "sum by rate, 30m": "sum by (job) (rate(http_requests_total[30m]))",
    "histogram_quantile": (
        "histogram_quantile(0.99, "
        "sum by (instance, le) (rate(http_request_duration_seconds_bucket[5m])))"
    ),
    "avg_over_time": "avg_over_time(http_requests_total[5m])",
    "max_over_time": "max by (job) (max_over_time(http_requests_total[5m]))",
    "topk": "topk(10, rate(http_requests_total[5m]))",
    "error ratio": (
        'sum by (job) (rate(http_requests_total{code=~"5.."}[5m]))'
        " / sum by (job) (rate(http_requests_total[5m]))"
    ),
}


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: how long it took, the server's CPU time, and its body."""

    seconds: float
    cpu: float
    body: bytes


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks range_queries", description=__doc__)
    parser.add_argument("--series", type=int, default=25_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    binary = shutil.which("prometheus")
    if binary is None:
        print("prometheus is not installed: nothing to compare with")
        return 1
    with tempfile.TemporaryDirectory() as directory:
        programs = start(binary, Path(directory))
        try:
            compare(programs, given.series, given.rounds)
        finally:
            for program in programs:
                program.process.kill()
                program.process.wait()
    return 0


# They choose series by value.
_CHOOSING = frozenset({"topk"})


def compare(programs: Sequence[Program], series: int, rounds: int) -> None:
    end = int(time.time() * 1000) // INTERVAL * INTERVAL
    # The first windows are whole: where a series begins 2.42 extrapolates in another way than 3.
    times = np.arange(end - HOUR - 40 * 60_000, end + 1, INTERVAL)
    fill(programs, series, times)
    rows = []
    for name, text in QUERIES.items():
        asked = {"query": text, "start": (end - HOUR + _SHIFT) / 1000, "end": (end + _SHIFT) / 1000}
        found = [answers(programs, each, asked, rounds) for each in programs]
        same(name, *(each[0].body for each in found))
        seconds = [statistics.median(answer.seconds for answer in each) for each in found]
        cpu = [statistics.median(answer.cpu for answer in each) for each in found]
        size = len(found[0][0].body) / 1e6
        rows.append([name, f"{size:.1f}", *_compared(seconds), *_compared(cpu)])
        print(*rows[-1], flush=True)
    print(f"\n{series * 2 // 5:,} series, an hour at 15 s steps, milliseconds a query\n")
    columns = [f"{kind}{what}" for kind in ("", "CPU ") for what in ("ours", "theirs", "ratio")]
    print_table(["query", "MB", *columns], rows)
    for each in programs:
        print(f"\n{each.name}: {resident_megabytes(each.process.pid):.0f} MB resident")


def fill(programs: Sequence[Program], series: int, times: "np.ndarray[Any, Any]") -> None:
    """Write the same samples to both, at the same time."""
    for body in bodies(series, times):
        writers = [
            threading.Thread(target=post, args=(f"{each.api}/api/v1/write", body))
            for each in programs
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    # Queued samples and garbage of the filling are nobody's query.
    time.sleep(5)


def answers(
    programs: Sequence[Program], program: Program, asked: dict[str, Any], rounds: int
) -> list[Answered]:
    """Ask a few times, from a core that is idle meanwhile."""
    before = os.sched_getaffinity(0)
    others = [os.sched_getaffinity(each.process.pid) for each in programs if each is not program]
    os.sched_setaffinity(0, others[0])
    try:
        return [answer(program, asked) for _ in range(rounds)]
    finally:
        os.sched_setaffinity(0, before)


def answer(program: Program, asked: dict[str, Any]) -> Answered:
    data = urllib.parse.urlencode({**asked, "step": INTERVAL // 1000}).encode()
    request = urllib.request.Request(f"{program.api}/api/v1/query_range", data)
    busy, begin = cpu_seconds(program.process.pid), time.perf_counter()
    with urllib.request.urlopen(request, timeout=300) as response:
        body: bytes = response.read()
    seconds = time.perf_counter() - begin
    return Answered(seconds, cpu_seconds(program.process.pid) - busy, body)


def same(name: str, *answered: bytes) -> None:
    """Raise ValueError where the two do not say the same."""
    ours, theirs = (_points(body) for body in answered)
    if name in _CHOOSING:
        # Of values that differ in their last digit either may be the larger one.
        ours, theirs = _ranked(ours), _ranked(theirs)
    if ours.keys() != theirs.keys():
        raise ValueError(f"{name}: {len(ours)} series beside {len(theirs)}")
    for labels, points in ours.items():
        others = theirs[labels]
        if [at for at, _ in points] != [at for at, _ in others]:
            raise ValueError(f"{name}: other instants of {labels}")
        values = np.array([[float(v) for _, v in each] for each in (points, others)])
        if not np.allclose(values[0], values[1], rtol=1e-9, equal_nan=True):
            raise ValueError(f"{name}: other values of {labels}")


def _points(body: bytes) -> dict[str, list[tuple[float, str]]]:
    result = json.loads(body)["data"]["result"]
    return {json.dumps(each["metric"], sort_keys=True): each["values"] for each in result}


def _ranked(series: dict[str, list[tuple[float, str]]]) -> dict[str, list[tuple[float, str]]]:
    """Return the values by their rank at each instant, whoever holds them."""
    values: dict[float, list[str]] = {}
    for points in series.values():
        for at, value in points:
            values.setdefault(at, []).append(value)
    ranks: dict[str, list[tuple[float, str]]] = {}
    for at, found in sorted(values.items()):
        for rank, value in enumerate(sorted(found, key=float)):
            ranks.setdefault(str(rank), []).append((at, value))
    return ranks


def _compared(seconds: Sequence[float]) -> list[str]:
    ours, theirs = seconds
    return [f"{ours * 1e3:.0f}", f"{theirs * 1e3:.0f}", f"{theirs / max(ours, 1e-3):.1f}"]
