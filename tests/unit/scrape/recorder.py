"""Stand-ins for what scraping needs: an appender that remembers, a target that obeys."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import Clock, Timestamp
from controlplane.errors import Overloaded
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, Times, is_stale
from controlplane.scrape.job import ScrapeJob
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.ports import Fetched, Get
from controlplane.scrape.scraper import Surroundings
from controlplane.telemetry.changes import ChangeLines
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Appender, Write

TEXT_TYPE = "text/plain; version=0.0.4"
STALE = "stale"
# What a scrape says of itself, left out of most comparisons.
REPORTS = frozenset(
    {
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    }
)
Stored = tuple[Timestamp, float | str]


class Recorder:
    """An Appender that keeps every write; `lose` gives all numbers back, `full` refuses."""

    def __init__(self) -> None:
        self.epoch = 0
        self.full = False
        self.most = 1 << 30
        self.asked: list[Labels] = []
        self.writes: list[Write] = []
        self._numbers: dict[Labels, int] = {}
        self._names: dict[int, Labels] = {}

    def refs(self, series: Sequence[Labels]) -> Refs:
        self.asked += series
        return np.array([self._number(labels) for labels in series], dtype=np.int64)

    def _number(self, labels: Labels) -> int:
        if labels not in self._numbers:
            if len(self._numbers) >= self.most:
                return -1
            number = len(self._names) + 10
            self._numbers[labels] = number
            self._names[number] = labels
        return self._numbers[labels]

    def lose(self) -> None:
        self.epoch += 1
        self._numbers.clear()

    def append(self, writes: Sequence[Write]) -> None:
        if self.full:
            raise Overloaded("the queue is full")
        self.writes += writes

    def labels(self, ref: int) -> Labels:
        """Return the labels of a series by its number."""
        return self._names[ref]

    def last(self, *, reports: bool = False) -> dict[str, Stored]:
        """Return the newest write by series: its time, and its value or STALE."""
        return self.written(-1, reports=reports)

    def written(self, number: int, *, reports: bool = False) -> dict[str, Stored]:
        write = self.writes[number]
        stored: dict[str, Stored] = {}
        seen: set[tuple[str, Timestamp]] = set()
        stale = is_stale(write.values).tolist()
        columns = zip(
            write.refs.tolist(), self.times(number), write.values.tolist(), stale, strict=True
        )
        for ref, time, value, gone in columns:
            labels = self._names.get(ref, Labels({"__name__": f"over_limit_{len(seen)}"}))
            if reports or labels.name not in REPORTS:
                key = str(labels)
                assert (key, time) not in seen, "a series twice at one instant"
                seen.add((key, time))
                stored[key] = (time, STALE if gone else value)
        return stored

    def times(self, number: int = -1) -> list[Timestamp]:
        """Return the time of each sample of one write, the newest by default."""
        write = self.writes[number]
        times: Times = np.broadcast_to(np.asarray(write.times), write.refs.shape)
        return [int(time) for time in times]

    def report(self) -> dict[str, float | str]:
        """Return what the newest scrape said of itself, by metric name."""
        everything = self.last(reports=True)
        return {
            key.partition("{")[0]: value
            for key, (_, value) in everything.items()
            if key.partition("{")[0] in REPORTS
        }


class Target:
    """A Fetch that answers with what it is set to."""

    def __init__(self, body: str | bytes = "") -> None:
        self.answer = Fetched(b"", TEXT_TYPE)
        self.serve(body)
        self.asked: list[ScrapeJob] = []
        self.hold: asyncio.Event | None = None

    def serve(self, body: str | bytes, content_type: str = TEXT_TYPE) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.answer = Fetched(data, content_type)

    def __call__(self, job: ScrapeJob) -> Get:
        async def get() -> Fetched:
            self.asked.append(job)
            if self.hold is not None:
                await self.hold.wait()
            return self.answer

        return get


def surroundings(target: Target, recorder: Appender, clock: Clock) -> Surroundings:
    metrics = ScrapeMetrics(CollectorRegistry())
    changes = ChangeLines(get_logger(__name__), clock.monotonic)
    return Surroundings(target, recorder, clock, metrics, ThreadPoolExecutor(1), changes)
