"""All targets that are scraped: those put in one by one and those of `scrape_configs`."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Clock
from controlplane.model.labels import Labels
from controlplane.scrape.discovery import FileDiscovery, static_groups
from controlplane.scrape.exposition.page import Metadata
from controlplane.scrape.job import ScrapeJob, ScrapeStatus
from controlplane.scrape.loop import end_in_time, scrape_on_ticks
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.ports import Fetch
from controlplane.scrape.scraper import Surroundings, TargetScraper
from controlplane.scrape.targets import targets_of
from controlplane.telemetry.changes import ChangeLines
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Appender

log = get_logger(__name__)

# How often files of targets are looked at, in seconds.
_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class DroppedTargets:
    """Targets that relabelling dropped, by scrape configuration; `labels` may be cut short."""

    pool: str
    labels: tuple[Labels, ...]
    count: int


@dataclass(slots=True)
class _Entry:
    scraper: TargetScraper
    task: asyncio.Task[None] | None = None
    ending: bool = False


class ScrapePool:
    """Scrapes what it is given, each target on its own ticks, while `run` runs.

    Use it on the event loop only. A key that is put again goes on where it
    was: only series that the new job no longer names are marked stale.
    """

    def __init__(
        self, fetch: Fetch, appender: Appender, clock: Clock, metrics: ScrapeMetrics
    ) -> None:
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="scrape")
        self._changes = ChangeLines(log, clock.monotonic)
        self._shared = Surroundings(fetch, appender, clock, metrics, self._workers, self._changes)
        self._files = FileDiscovery(clock)
        self._configs: tuple[ScrapeConfig, ...] = ()
        self._entries: dict[str, _Entry] = {}
        self._configured: set[str] = set()
        self._dropped: tuple[DroppedTargets, ...] = ()
        self._running = False

    def configure(self, configs: Sequence[ScrapeConfig]) -> None:
        """Replace `scrape_configs`. Files that stay configured keep their targets meanwhile."""
        self._configs = tuple(configs)
        self._files.watch(file for config in configs for file in config.file_sd_configs)
        self._synchronise()

    def put(self, job: ScrapeJob) -> None:
        """Scrape a job from its next tick on, in place of the one with its key if any."""
        entry = self._entries.get(job.key)
        if entry is None:
            entry = self._entries[job.key] = _Entry(TargetScraper(job, self._shared))
            self._start(entry)
            return
        before = entry.scraper.job
        if job != before:
            entry.scraper.change(job)
        if entry.ending or job.interval != before.interval:
            entry.ending = False
            self._start(entry)

    def remove(self, key: str) -> None:
        """Scrape a target no longer; its series are marked stale unless it comes back soon."""
        entry = self._entries.get(key)
        if entry is not None and not entry.ending:
            entry.ending = True
            self._start(entry)

    def statuses(self) -> list[ScrapeStatus]:
        """Return all targets with their last scrape, in the order in which they came."""
        return [entry.scraper.status for entry in self._entries.values() if not entry.ending]

    def metadata(self) -> list[tuple[Labels, Mapping[str, Metadata]]]:
        """Return the labels of each target with what it says of its metric families."""
        return [
            (entry.scraper.job.labels, entry.scraper.metadata)
            for entry in self._entries.values()
            if not entry.ending
        ]

    def dropped(self) -> Sequence[DroppedTargets]:
        """Return what relabelling dropped, for each configuration that dropped any."""
        return self._dropped

    async def run(self) -> None:
        """Scrape until cancelled. Stopping marks nothing stale: the next start goes on."""
        self._running = True
        try:
            for entry in list(self._entries.values()):
                self._start(entry)
            while True:
                await self._look_at_files()
                self._changes.settle()
                await self._shared.clock.sleep(_LOOK_SECONDS)
        finally:
            self._running = False
            await self._stop()

    async def close(self) -> None:
        """Give the threads back, after `run` has ended."""
        await asyncio.to_thread(self._workers.shutdown)

    async def _look_at_files(self) -> None:
        failures = self._files.failures
        try:
            if await self._files.refresh():
                self._synchronise()
        except Exception:
            # The targets that are known must go on being scraped.
            self._shared.metrics.faults.inc()
            log.exception("discovery of targets went wrong")
        self._shared.metrics.discovery_failures.inc(self._files.failures - failures)

    def _synchronise(self) -> None:
        """Make the configured jobs those that the configurations now come to."""
        wanted: dict[str, ScrapeJob] = {}
        dropped: list[DroppedTargets] = []
        for config in self._configs:
            groups = static_groups(config)
            for file in config.file_sd_configs:
                groups += self._files.groups(file)
            targets = targets_of(config, groups)
            wanted |= {job.key: job for job in targets.jobs}
            if targets.dropped_count:
                dropped.append(
                    DroppedTargets(config.job_name, targets.dropped, targets.dropped_count)
                )
        for key in self._configured - wanted.keys():
            self.remove(key)
        for job in wanted.values():
            self.put(job)
        self._configured = set(wanted)
        self._dropped = tuple(dropped)

    def _start(self, entry: _Entry) -> None:
        """Start the loop, or the ending, of an entry in place of what it did before."""
        self._shared.metrics.targets.set(len(self.statuses()))
        if entry.task is not None:
            entry.task.cancel()
            entry.task = None
        if not self._running:
            if entry.ending:
                del self._entries[entry.scraper.job.key]
            return
        entry.task = asyncio.create_task(self._live(entry))

    async def _live(self, entry: _Entry) -> None:
        scraper, shared = entry.scraper, self._shared
        if not entry.ending:
            await scrape_on_ticks(scraper, shared.clock, shared.metrics)
        await end_in_time(scraper, shared.clock)
        self._entries.pop(scraper.job.key, None)

    async def _stop(self) -> None:
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
