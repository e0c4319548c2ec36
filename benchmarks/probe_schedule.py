"""Ten thousand targets at a ten second interval on one core: does each tick come in time?

    python -m benchmarks probe_schedule [--targets 10000] [--seconds 20]

Twice: with targets that all answer, and with three thousand black holes among
them, a thousand of each kind (no answer to connect, accepted and silent, a name
server that never answers), all at once. The schedule, the store with its log
on disk and the lookups are the service's. Nothing is left out of the count:
ticks are counted as missed from the first second on, and the first interval,
in which all series are created, has its own column.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.black_holes import BlackHoles
from benchmarks.probe_rig import Load, Measured, Server, measure
from benchmarks.table import percentile, print_table

PROBER_CORE, SERVER_CORE = 0, 1
INTERVAL, TIMEOUT = 10_000, 5_000  # milliseconds
WARM_UP = 11.0  # seconds: the first interval and a bit
HEAD = (
    "targets", "black holes", "probes", "failed", "of those that answer", "ticks missed",
    "lateness p50", "p99", "worst", "p99 in the first interval", "of a core", "RSS",
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks probe_schedule", description=__doc__)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args(arguments)
    os.sched_setaffinity(0, {SERVER_CORE})  # the silent port is ours
    each = given.targets // 10
    with tempfile.TemporaryDirectory() as name, BlackHoles() as holes:
        server = Server(Path(name), SERVER_CORE)
        answering = f"http://localhost:{server.port}/{{}}"
        kinds = [
            (f"http://127.0.0.1:{holes.unreachable}/{{}}", each),
            (f"http://127.0.0.1:{holes.silent}/{{}}", each),
            ("http://target-{}.example/", each),
        ]
        try:
            rows = [
                _row(_run([(answering, given.targets)], given.seconds, None), given.targets, 0),
                _row(
                    _run(
                        [(answering, given.targets - 3 * each), *kinds],
                        given.seconds,
                        holes.name_server,
                    ),
                    given.targets,
                    3 * each,
                ),
            ]
        finally:
            server.close()
    print_table(HEAD, rows)
    return 0


def _run(targets: Sequence[tuple[str, int]], seconds: float, name_server: int | None) -> Measured:
    return measure(
        Load(targets, INTERVAL, TIMEOUT, WARM_UP, seconds, name_server=name_server), PROBER_CORE
    )


def _row(measured: Measured, targets: int, holes: int) -> tuple[object, ...]:
    late = measured.lateness
    return (
        f"{targets:,}",
        f"{holes:,}",
        f"{measured.probes:,}",
        f"{measured.failed:,}",
        f"{measured.failed_answering:,}",
        measured.missed + measured.missed_at_first,
        f"{percentile(late, 50) * 1000:.0f} ms",
        f"{percentile(late, 99) * 1000:.0f} ms",
        f"{max(late, default=0.0) * 1000:.0f} ms",
        f"{percentile(measured.lateness_at_first, 99) * 1000:.0f} ms",
        f"{measured.cpu_seconds / measured.seconds:.0%}",
        f"{measured.resident_megabytes:.0f} MB",
    )
