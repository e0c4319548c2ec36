"""What several replicas cost, and how soon they notice, tell and take over.

python -m benchmarks cluster [PART...] [--seconds S] [--targets N] ...

Parts: probes, reads, events, pages, takeover; all of them without a name. Comes
in: processes on loopback. Goes out: tables as Markdown. It asserts nothing.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cluster import events, pages, probes, reads, takeover

Part = Callable[[Path], Coroutine[Any, Any, None]]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks cluster", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="all without any")
    parser.add_argument("--seconds", type=float, default=12, help="of each window of probes")
    parser.add_argument("--targets", type=int, default=600, help="of each replica")
    parser.add_argument("--interval", type=float, default=4, help="seconds between two probes")
    parser.add_argument("--wrk", type=int, default=2, help="seconds of each run of wrk")
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=20, help="breakdowns")
    parser.add_argument("--kills", type=int, default=5)
    given = parser.parse_args(arguments)
    parts: dict[str, Part] = {
        "probes": lambda at: probes.run(at, given.targets, given.interval, given.seconds),
        "reads": lambda at: reads.run(at, given.wrk),
        "events": lambda at: events.run(at, given.readers, given.events),
        "pages": lambda at: pages.run(at, given.rounds),
        "takeover": lambda at: takeover.run(at, given.kills),
    }
    for name in given.parts or parts:
        print(f"\n### {name}, load {os.getloadavg()[0]:.1f}\n", flush=True)
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(parts[name](Path(directory)))
    return 0
