"""Samples a CPU second of the scrape path: reading alone, and everything up to the store.

Typical lines of a service (histogram buckets, counters, gauges). Between two
scrapes a share of the values changes: all of them is the worst case, a third
is what busy services show. `everything` is body, parse, series, write, and the
store's own commit with its write-ahead log, all threads of the process counted.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prometheus_client import CollectorRegistry

from benchmarks.table import print_table
from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.scrape.exposition.page import read
from controlplane.scrape.exposition.text import TEXT
from controlplane.scrape.job import ScrapeJob
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.ports import Fetched, Get
from controlplane.scrape.scraper import Surroundings, TargetScraper
from controlplane.telemetry.changes import ChangeLines
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.store import Store

SERIES = 20_000
SCRAPES = 12
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")


def bodies(share: float, series: int = SERIES) -> list[bytes]:
    """Return the bodies of successive scrapes, of whose values a share changes each time."""
    dice = random.Random(1)
    values = [dice.randint(0, 10**6) for _ in range(series)]
    made = []
    for _ in range(SCRAPES):
        values = [v + dice.randint(1, 99) if dice.random() < share else v for v in values]
        lines = []
        for n, value in enumerate(values):
            route, bound = divmod(n, len(BOUNDS))
            if n % 1200 == 0:
                lines.append(f"# HELP latency_{n} Seconds a request took.")
                lines.append(f"# TYPE latency_{n} histogram")
            name = f"latency_{n // 1200 * 1200}_bucket"
            labels = f'method="GET",route="/api/v1/item/{route}",code="200",le="{BOUNDS[bound]}"'
            shown = value if n % 4 else value / 1000
            lines.append(f"{name}{{{labels}}} {shown}")
        made.append("\n".join([*lines, ""]).encode())
    return made


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def reading(served: Sequence[bytes]) -> tuple[float, float]:
    """Return samples a CPU second of reading, the first time and from then on."""
    cold = cpu_seconds(lambda: read(served[0], TEXT))
    page = read(served[0], TEXT)

    def warm() -> None:
        nonlocal page
        for body in served[1:]:
            page = read(body, TEXT, page)

    return SERIES / cold, SERIES * (len(served) - 1) / cpu_seconds(warm)


def everything(served: Sequence[bytes], directory: Path) -> tuple[float, float]:
    """Return samples a CPU second from the body to the committed write, cold and warm."""
    registry = CollectorRegistry()
    clock = SystemClock()
    store = Store.open(directory, StoreOptions(), clock, registry)
    answers = iter(served)

    def fetch(job: ScrapeJob) -> Get:  # noqa: ARG001 - the port names it
        async def get() -> Fetched:
            return Fetched(next(answers), "text/plain")

        return get

    with ThreadPoolExecutor(1) as workers:
        changes = ChangeLines(get_logger(__name__), clock.monotonic)
        shared = Surroundings(fetch, store, clock, ScrapeMetrics(registry), workers, changes)
        labels = Labels({"job": "bench", "instance": "i"})
        job = ScrapeJob("k", "", labels, 15_000, 10_000, ScrapeConfig("bench"))
        scraper = TargetScraper(job, shared)
        at = clock.now() - 15_000 * len(served)

        def scrapes(count: int) -> None:
            nonlocal at
            for _ in range(count):
                at += 15_000
                asyncio.run(scraper.scrape(at))
                store.flush()

        cold = cpu_seconds(lambda: scrapes(1))
        warm = cpu_seconds(lambda: scrapes(len(served) - 1))
    store.stop()
    if scraper.status.last_error:
        raise RuntimeError(scraper.status.last_error)
    return SERIES / cold, SERIES * (len(served) - 1) / warm


def main(_arguments: Sequence[str]) -> int:
    rows = []
    for share in (1.0, 0.33):
        served = bodies(share)
        with tempfile.TemporaryDirectory() as directory:
            whole = everything(served, Path(directory))
        for name, (cold, warm) in (("reading", reading(served)), ("everything", whole)):
            rows.append(
                (f"{name}, {share:.0%} changed", f"{cold / 1e6:.2f} M", f"{warm / 1e6:.2f} M")
            )
    print_table(("samples a CPU second", "first scrape", "from then on"), rows)
    return 0
