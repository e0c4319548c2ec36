"""How fast the sample store takes samples in, and gives them back.

    python -m benchmarks tsdb_append [--series 100000] [--seconds 5]

Prints, on the machine at hand: whole ticks of many series, many small writes
(a probe each) with the log on disk, reading the log back, and the three
lookups that rules are made of.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store

INTERVAL = 15_000


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks tsdb_append", description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args(arguments)
    ticks_and_lookups(given.series)
    with tempfile.TemporaryDirectory() as directory:
        small_writes(Path(directory), given.seconds)
        replay(Path(directory))
    return 0


def ticks_and_lookups(series: int) -> None:
    """Append 100 ticks of all series, each at its own phase with jitter, then look up."""
    store = Store.in_memory()
    random = np.random.default_rng(1)
    begin = time.perf_counter()
    refs = store.refs(
        [Labels({"__name__": "m_total", "job": "j", "n": str(n)}) for n in range(series)]
    )
    report("series created", series / (time.perf_counter() - begin), "series/s")
    phase = 1_700_000_000_000 + random.integers(0, INTERVAL, series)
    values, spent = np.zeros(series), []
    for tick in range(100):
        values = values + random.integers(0, 100, series)
        values[random.random(series) < 0.001] = 0
        heard = random.random(series) > 0.002
        times = phase + tick * INTERVAL + random.integers(-50, 50, series)
        write = Write("bench", times[heard], refs[heard], values[heard])
        begin = time.perf_counter()
        store.append([write])
        spent.append(time.perf_counter() - begin)
    report("whole ticks, in memory", series / float(np.median(spent[8:])), "samples/s")
    querier, now = store.querier(), np.array([int(times.max())])
    every = querier.select([Matcher("job", MatchOp.EQUAL, "j")])
    lookup("snapshot", store.querier)
    lookup("select", lambda: querier.select([Matcher("job", MatchOp.EQUAL, "j")]))
    lookup("instants, now", lambda: querier.instants(every, now, 300_000))
    lookup("instants, 5 m ago", lambda: querier.instants(every, now - 300_000, 300_000))
    lookup("counters over 5 m", lambda: querier.counters(every, now, 300_000))
    lookup("counters over 20 m", lambda: querier.counters(every, now, 1_200_000))
    lookup("window of 5 m", lambda: querier.window(every, int(now[0]) - 300_000, int(now[0])))


def small_writes(directory: Path, seconds: float) -> None:
    """Append writes of 20 samples as fast as they go in, and at 2,000 a second."""
    clock = SystemClock()
    store = Store.open(directory, StoreOptions(), clock, CollectorRegistry())
    targets = [
        store.refs([Labels({"__name__": f"probe_{n}", "instance": str(t)}) for n in range(20)])
        for t in range(2000)
    ]
    values = np.arange(20.0)
    start = clock.now()
    begin, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < seconds:
        for refs in targets:
            store.append([Write("t", start + count // 2, refs, values)])
            count += 1
        store.flush()
    report("small writes, flat out", count / (time.perf_counter() - begin), "writes/s")
    report("  CPU of each", (time.process_time() - cpu) / count * 1e6, "us")
    shift, cpu, count, begin = count, time.process_time(), 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        while count < elapsed * 2000:
            at = start + (shift + count) // 2
            store.append([Write("t", at, targets[count % 2000], values)])
            count += 1
        time.sleep(0.002)
    report("  CPU of each at 2,000 writes/s", (time.process_time() - cpu) / count * 1e6, "us")
    store.stop()


def replay(directory: Path) -> None:
    """Read back the log that the small writes have left."""
    registry = CollectorRegistry()
    size = sum(path.stat().st_size for path in directory.glob("wal/*"))
    begin = time.perf_counter()
    store = Store.open(directory, StoreOptions(), SystemClock(), registry)
    spent = time.perf_counter() - begin
    samples = registry.get_sample_value("controlplane_tsdb_wal_replayed_samples_total") or 0.0
    report("log read back", samples / spent, "samples/s")
    report("  its size", size / samples, "bytes/sample")
    store.stop()


def lookup(name: str, call: Callable[[], object]) -> None:
    """Print the best of five."""
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    report(name, best * 1000, "ms")


def report(name: str, number: float, unit: str) -> None:
    print(f"{name:34} {number:14,.2f} {unit}")
