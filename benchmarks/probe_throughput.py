"""HTTP probes a CPU second, ours beside blackbox_exporter's.

    python -m benchmarks probe_throughput [--seconds 10] [--rate 3000] [--interval 1]

Each prober is pinned to one core, and asks an nginx on the other for a small
page, with a lookup of the name and a connection of its own for each probe. Ours
runs as it does in the service: the schedule starts the probes, the store keeps
their samples, with its log on disk. blackbox_exporter has neither; it is asked
for probes by wrk, and its CPU time is divided by the answers that wrk counted.
On a machine that others load too, a longer interval (of more targets) keeps
probes from running into their time-out.
"""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import cpu_seconds, free_port, pinned, wait_for_http
from benchmarks.probe_rig import Load, Server, measure
from benchmarks.table import print_table

PROBER_CORE, SERVER_CORE = 0, 1
_BLACKBOX = """
modules:
  bench: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks probe_throughput", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=3000, help="probes a second asked of ours")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds, of each target")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        server = Server(directory, SERVER_CORE)
        try:
            ours = _ours(server.port, given.rate, given.interval, given.seconds)
            theirs = _blackbox(directory, server.port, given.seconds)
        finally:
            server.close()
    rows = [("controlplane", *ours), ("blackbox_exporter", *theirs)]
    print_table(
        ("prober", "probes/s", "of a core", "probes a CPU second", "ratio"),
        [
            (name, f"{rate:.0f}", f"{busy:.0%}", f"{speed:.0f}", f"{speed / rows[1][3]:.2f}")
            for name, rate, busy, speed in rows
        ],
    )
    return 0


def _ours(port: int, rate: int, interval: float, seconds: float) -> tuple[float, float, float]:
    targets = [(f"http://localhost:{port}/{{}}", round(rate * interval))]
    wait, timeout = round(interval * 1000), round(interval * 900)
    load = Load(targets, wait, timeout, 5.0 + interval, seconds, registering=4.0)
    measured = measure(load, PROBER_CORE)
    if measured.failed or measured.missed:
        print(f"controlplane: {measured.failed} probes failed, {measured.missed} ticks missed")
    return (
        measured.probes / measured.seconds,
        measured.cpu_seconds / measured.seconds,
        measured.probes / measured.cpu_seconds,
    )


def _blackbox(directory: Path, port: int, seconds: float) -> tuple[float, float, float]:
    config = directory / "blackbox.yml"
    config.write_text(_BLACKBOX)
    address = f"127.0.0.1:{free_port()}"
    exporter = pinned(
        [
            "prometheus-blackbox-exporter",
            f"--config.file={config}",
            f"--web.listen-address={address}",
            "--log.level=error",
        ],
        {PROBER_CORE},
        directory / "blackbox.log",
    )
    try:
        url = f"http://{address}/probe?module=bench&target=http://localhost:{port}/0"
        wait_for_http(url, 10.0)
        before = cpu_seconds(exporter.pid)
        answered = _ask(url, seconds)
        cpu = cpu_seconds(exporter.pid) - before
    finally:
        exporter.terminate()
        exporter.wait()
    return answered / seconds, cpu / seconds, answered / cpu


def _ask(url: str, seconds: float) -> int:
    """Return how many times wrk, beside the server, got an answer."""
    command = ["taskset", "-c", str(SERVER_CORE), "wrk", "-t1", "-c64", f"-d{seconds:.0f}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in", said)
    if found is None:
        raise RuntimeError(said)
    return int(found.group(1))
