"""Is anything lost that was acknowledged, when the process is killed at any moment?

    python -m benchmarks kill_runs [--kills 100] [--serve-kills 10] [--seed 1]

A process writes into a store whose blocks are so short that one is cut, or
several are made one, some times a second; it prints each tick once the store
has it. It is killed with SIGKILL after a random time, again and again. After
each kill the store is opened: every acknowledged sample must be there, once,
with its value, and whatever was sent late too. Then the same is done to a real
`controlplane serve`, by remote write: acknowledged is what was answered 2xx.

Prints what was found, and how long the store took to open. Exits 1 when
anything was missing.
"""

import argparse
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cramjam
import numpy as np
from prometheus_client import CollectorRegistry

from benchmarks.peers import free_port, wait_for_http
from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.telemetry.logs import configure_logs
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store

SERIES = 50
TICK = 15_000
START = 1_700_000_000_000 // TICK * TICK
# How far behind the others the late series are: beyond what the head takes.
LAG = 150
RANGE = 40 * TICK
EVER = 2**46
SERVE = (sys.executable, "-m", "controlplane", "serve")


class TickClock(SystemClock):
    """The time of the newest sample, so that a day passes in some seconds."""

    def __init__(self, now: int) -> None:
        super().__init__()
        self.time = now

    def now(self) -> int:
        return self.time


def opened(directory: Path, now: int) -> tuple[Store, TickClock]:
    options = StoreOptions(
        retention=0,
        head_window=RANGE,
        block_range=RANGE,
        wal_segment_bytes=200_000,
        maintenance_interval=100,
        commit_interval=1,
    )
    clock = TickClock(now)
    return Store.open(directory, options, clock, CollectorRegistry()), clock


def label_sets(kind: str) -> list[Labels]:
    return [Labels({"__name__": kind, "n": str(n)}) for n in range(SERIES)]


def write_until_killed(directory: Path, tick: int) -> None:
    """Write tick after tick; print each once it is in the store."""
    configure_logs()
    store, clock = opened(directory, START + tick * TICK)
    print("ready", flush=True)
    while True:
        tick += 1
        clock.time = START + tick * TICK
        values = np.full(SERIES, float(tick))
        writes = [Write("on time", clock.time, store.refs(label_sets("on_time")), values)]
        if tick % 5 == 0 and tick > LAG:
            late = store.refs(label_sets("late"))
            writes.append(Write("late", clock.time - LAG * TICK, late, values - LAG))
        store.append(writes)
        if not store.flush():
            raise TimeoutError("the store does not take samples")
        print(tick, flush=True)


@dataclass(slots=True)
class Found:
    """What was seen over all kills."""

    kills: int = 0
    acknowledged: int = 0
    missing: int = 0
    wrong: int = 0
    errors: int = 0
    amid_block: int = 0
    opened_in: list[float] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.missing or self.wrong or self.errors)

    def report(self, what: str) -> None:
        took = sorted(self.opened_in) or [0.0]
        print(
            f"{what}: {self.kills} kills, {self.amid_block} of them while a block was written; "
            f"{self.acknowledged} samples acknowledged, {self.missing} missing, "
            f"{self.wrong} wrong or twice, {self.errors} errors of queries; "
            f"opened in {np.median(took):.2f} s (median), {took[-1]:.2f} s (longest)",
            flush=True,
        )


def kill_store(directory: Path, kills: int, chance: random.Random) -> Found:
    """Kill the writing process again and again; look after each time."""
    found, tick = Found(), 0
    for number in range(kills):
        command = [sys.executable, "-m", "benchmarks.kill_runs", "--write", str(directory)]
        with subprocess.Popen(
            [*command, "--tick", str(tick)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                if process.stdout.readline() != "ready\n":
                    raise RuntimeError("the writing process did not begin")
                time.sleep(chance.uniform(0.0, 1.5))
            finally:
                process.send_signal(signal.SIGKILL)
            said = process.stdout.read().splitlines(keepends=True)
        tick = max([tick, *(int(line) for line in said if line.endswith("\n"))])
        found.kills += 1
        found.amid_block += any(directory.glob("blocks/*.tmp"))
        # All that there is now and then; otherwise what the last runs may have touched.
        since = 0 if number % 10 == 9 or number == kills - 1 else max(0, tick - 1000)
        look(directory, since, tick, found)
    found.acknowledged = tick * SERIES + max(0, tick - LAG) // 5 * SERIES
    return found


def look(directory: Path, since: int, tick: int, found: Found) -> None:
    """Open the store as a restart does, and compare."""
    begin = time.perf_counter()
    store, _ = opened(directory, START + tick * TICK)
    found.opened_in.append(time.perf_counter() - begin)
    try:
        for kind, step, lag in (("on_time", 1, 0), ("late", 5, LAG)):
            ticks = np.arange(since + 1, tick + 1)
            ticks = ticks[(ticks % step == 0) & (ticks > lag)] - lag
            if len(ticks):
                compare(store, kind, ticks[ticks > since], found)
    except Exception as error:  # noqa: BLE001 - whatever a query raises is what is looked for
        print(f"query failed: {type(error).__name__}: {error}", file=sys.stderr)
        found.errors += 1
    finally:
        store.stop()


def compare(store: Store, kind: str, ticks: np.ndarray, found: Found) -> None:
    """Compare the samples of a kind with its ticks, some of which nobody may have seen."""
    if not len(ticks):
        return
    start = START + int(ticks[0]) * TICK - 1
    querier = store.querier().reaching(start)
    refs = querier.select([Matcher("__name__", MatchOp.EQUAL, kind)])
    window = querier.window(refs, start, EVER)
    if len(refs) != SERIES:
        found.missing += (SERIES - len(refs)) * len(ticks)
    for low, high in zip(window.offsets[:-1], window.offsets[1:], strict=True):
        got = (window.times[low:high] - START) // TICK
        found.missing += int(np.count_nonzero(~np.isin(ticks, got)))
        found.wrong += int(np.count_nonzero(window.values[low:high] != got))
        found.wrong += len(got) - len(np.unique(got))


def kill_serve(directory: Path, kills: int, chance: random.Random) -> Found:
    """Kill a real process that is written to by remote write."""
    found, tick = Found(), 0
    start = (SystemClock().now() - 5 * 3_600_000) // TICK * TICK
    for _ in range(kills):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = {**os.environ, "CONTROLPLANE_RETENTION": "1d"}
        begin = time.perf_counter()
        process = subprocess.Popen(
            [*SERVE, "--listen", f"127.0.0.1:{port}", "--data-dir", str(directory)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        try:
            wait_for_http(f"{url}/ready")
            found.opened_in.append(time.perf_counter() - begin)
            ask(url, start, tick, found)
            until = time.monotonic() + chance.uniform(0.2, 3.0)
            while time.monotonic() < until:
                push(url, start + (tick + 1) * TICK, tick + 1)
                tick += 1
        finally:
            process.kill()
            process.wait()
        found.kills += 1
    found.acknowledged = tick * SERIES
    return found


def push(url: str, time_ms: int, tick: int) -> None:
    """Send one tick by remote write 1.0; return when it is acknowledged."""
    body = b"".join(field_of(1, series(n, time_ms, float(tick))) for n in range(SERIES))
    request = urllib.request.Request(
        f"{url}/prometheus/api/v1/write",
        data=bytes(cramjam.snappy.compress_raw(body)),
        headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def ask(url: str, start: int, tick: int, found: Found) -> None:
    """Ask for everything that was acknowledged."""
    if not tick:
        return
    seconds = tick * TICK // 1000
    end = (start + tick * TICK) / 1000
    expression = f"count_over_time(sent[{seconds}s])"
    query = urllib.parse.urlencode({"query": expression, "time": f"{end:.3f}"})
    try:
        with urllib.request.urlopen(f"{url}/prometheus/api/v1/query?{query}", timeout=60) as answer:
            result = json.load(answer)["data"]["result"]
    except (urllib.error.URLError, KeyError, ValueError) as error:
        print(f"query failed: {error}", file=sys.stderr)
        found.errors += 1
        return
    counts = [int(series["value"][1]) for series in result]
    found.missing += sum(max(0, tick - count) for count in counts)
    found.wrong += sum(max(0, count - tick) for count in counts)
    found.missing += (SERIES - len(counts)) * tick


def series(number: int, time_ms: int, value: float) -> bytes:
    """Return a TimeSeries message: two labels and one sample."""
    labels = b"".join(
        field_of(1, field_of(1, name) + field_of(2, text))
        for name, text in ((b"__name__", b"sent"), (b"n", str(number).encode()))
    )
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + varint(time_ms)
    return labels + field_of(2, sample)


def field_of(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks kill_runs", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--serve-kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tick", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.write is not None:
        write_until_killed(given.write, given.tick)
    chance = random.Random(given.seed)
    outcomes = []
    with tempfile.TemporaryDirectory() as directory:
        outcomes.append(kill_store(Path(directory), given.kills, chance))
        outcomes[-1].report("store")
    if given.serve_kills:
        with tempfile.TemporaryDirectory() as directory:
            outcomes.append(kill_serve(Path(directory), given.serve_kills, chance))
            outcomes[-1].report("serve")
    return 0 if all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
