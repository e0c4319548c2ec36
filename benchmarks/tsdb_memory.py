"""How much memory an hour of samples takes, here and in Prometheus, filled in the same way.

    python -m benchmarks tsdb_memory [--series 200000] [--ticks 240]

Both get the same counters by remote write, tick by tick (15 s apart, the last
one now), each on its own core. Prints the resident memory of each after the
last tick, and after a pause in which garbage may be collected.
"""

import argparse
import http.client
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cramjam
import numpy as np
import numpy.typing as npt

from benchmarks.kill_runs import field_of, varint
from benchmarks.peers import cpu_seconds, free_port, pinned, resident_megabytes, wait_for_http

TICK = 15_000
# Series in one request, as senders have it.
REQUEST = 10_000
_SETTLED = 30.0
_VALUE = 8
_ATTEMPTS = 5


class Bodies:
    """Requests of always the same series: only values and instants are written anew."""

    def __init__(self, series: range) -> None:
        stamp = len(varint(1_700_000_000_000))
        sample = b"\x09" + bytes(_VALUE) + b"\x10" + bytes(stamp)
        rows = [field_of(1, labels_of(n) + field_of(2, sample)) for n in series]
        self._cells: npt.NDArray[np.uint8] = (
            np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1).copy()
        )
        self._stamp = stamp

    def at(self, time_ms: int, values: npt.NDArray[np.float64]) -> bytes:
        """Return the compressed body of one tick."""
        width = self._cells.shape[1]
        value_at = width - self._stamp - 1 - _VALUE
        self._cells[:, value_at : value_at + _VALUE] = (
            values.astype("<f8").view(np.uint8).reshape(-1, _VALUE)
        )
        self._cells[:, width - self._stamp :] = np.frombuffer(varint(time_ms), dtype=np.uint8)
        return bytes(cramjam.snappy.compress_raw(self._cells.tobytes()))


def labels_of(number: int) -> bytes:
    """Return the labels of a series: a hundred metrics of many instances, all of one length."""
    pairs = (
        ("__name__", f"metric_{number % 100:02d}_total"),
        ("instance", f"host-{number // 100:05d}:9100"),
        ("job", "node"),
        ("mode", f"m{number % 8}"),
        ("region", "eu-west-1"),
    )
    return b"".join(
        field_of(1, field_of(1, name.encode()) + field_of(2, text.encode())) for name, text in pairs
    )


def send(url: str, body: bytes) -> None:
    request = urllib.request.Request(
        url,
        data=body,
        headers={
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
    )
    for attempt in range(_ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=120):
                return
        except (OSError, http.client.HTTPException) as error:
            print(f"  sent again: {url}: {error}", file=sys.stderr, flush=True)
            time.sleep(attempt)
    raise TimeoutError(f"{url} takes nothing")


def fill(urls: Sequence[str], series: int, ticks: int) -> None:
    """Send every tick to all."""
    random = np.random.default_rng(1)
    rates = random.uniform(0, 300, series)
    values = np.zeros(series)
    parts = [range(begin, min(begin + REQUEST, series)) for begin in range(0, series, REQUEST)]
    bodies = [Bodies(part) for part in parts]
    start = int(time.time() * 1000) - ticks * TICK
    with ThreadPoolExecutor(len(urls)) as pool:
        for tick in range(ticks):
            values += random.poisson(rates)
            for part, made in zip(parts, bodies, strict=True):
                body = made.at(start + tick * TICK, values[part.start : part.stop])
                list(pool.map(lambda url, body=body: send(url, body), urls))
            if tick % 20 == 19:
                print(f"  {tick + 1} ticks", file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks tsdb_memory", description=__doc__)
    parser.add_argument("--series", type=int, default=200_000)
    parser.add_argument("--ticks", type=int, default=240)
    given = parser.parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        ports = (free_port(), free_port())
        (home / "prometheus.yml").write_text("global: {scrape_interval: 15s}\n")
        os.environ["CONTROLPLANE_MAX_BODY"] = "64MB"
        commands = (
            (
                *(sys.executable, "-m", "controlplane", "serve"),
                *(f"--listen=127.0.0.1:{ports[0]}", f"--data-dir={home / 'ours'}"),
            ),
            (
                *("prometheus", "--web.enable-remote-write-receiver"),
                f"--config.file={home / 'prometheus.yml'}",
                f"--storage.tsdb.path={home / 'theirs'}",
                f"--web.listen-address=127.0.0.1:{ports[1]}",
            ),
        )
        names = ("controlplane", "Prometheus")
        processes = [
            pinned(command, {cores[n % len(cores)]}, home / f"{name}.log")
            for n, (name, command) in enumerate(zip(names, commands, strict=True))
        ]
        try:
            wait_for_http(f"http://127.0.0.1:{ports[0]}/health", 120.0)
            wait_for_http(f"http://127.0.0.1:{ports[1]}/-/ready", 120.0)
            fill(
                [
                    f"http://127.0.0.1:{ports[0]}/prometheus/api/v1/write",
                    f"http://127.0.0.1:{ports[1]}/api/v1/write",
                ],
                given.series,
                given.ticks,
            )
            full = [resident_megabytes(process.pid) for process in processes]
            time.sleep(_SETTLED)
            for name, process, megabytes in zip(names, processes, full, strict=True):
                print(
                    f"{name:14} {megabytes:8.0f} MB after the last tick, "
                    f"{resident_megabytes(process.pid):8.0f} MB settled, "
                    f"{cpu_seconds(process.pid):7.1f} CPU s",
                    flush=True,
                )
        finally:
            for process in processes:
                process.terminate()
                process.wait()
    return 0
