"""All targets that are scraped: those put in one by one and those of `scrape_configs`."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Clock
from controlplane.model.labels import Labels
from controlplane.model.share import WHOLE, Share
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
    released: bool = False


class ScrapePool:
    """Scrapes what it is given, each target on its own ticks, while `run` runs.

    Use it on the event loop only. A key that is put again goes on where it
    was: only series that the new job no longer names are marked stale. Of
    `scrape_configs` it scrapes the targets whose keys are in its share.
    """

    def __init__(
        self,
        fetch: Fetch,
        appender: Appender,
        clock: Clock,
        metrics: ScrapeMetrics,
        share: Share = WHOLE,
    ) -> None:
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="scrape")
        self._changes = ChangeLines(log, clock.monotonic)
        self._shared = Surroundings(fetch, appender, clock, metrics, self._workers, self._changes)
        self._files = FileDiscovery(clock)
        self._configs: tuple[ScrapeConfig, ...] = ()
        self._share = share
        self._entries: dict[str, _Entry] = {}
        self._others: dict[str, ScrapeJob] = {}  # which another replica scrapes
        self._leaving: dict[str, _Entry] = {}  # released, with a scrape under way
        self._left = asyncio.Event()
        self._left.set()
        self._configured: Mapping[str, ScrapeJob] = {}
        self._dropped: tuple[DroppedTargets, ...] = ()
        self._running = False
        share.subscribe(self._share_out)

    def configure(self, configs: Sequence[ScrapeConfig]) -> None:
        """Replace `scrape_configs`. Files that stay configured keep their targets meanwhile."""
        self._configs = tuple(configs)
        self._files.watch(file for config in configs for file in config.file_sd_configs)
        self._synchronise()

    def put(self, job: ScrapeJob) -> None:
        """Scrape a job from its next tick on, in place of the one with its key if any."""
        self._others.pop(job.key, None)
        entry = self._entries.get(job.key) or self._back(job.key)
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
        self._others.pop(key, None)
        entry = self._entries.get(key)
        if entry is not None and not entry.ending:
            entry.ending = True
            self._start(entry)

    def release(self, job: ScrapeJob) -> None:
        """Leave a job to another replica: no series ends, and the scrape under way ends as ever."""
        entry = self._entries.get(job.key)
        if entry is not None and entry.ending:
            return  # it is gone, and this is who ends its series
        self._others[job.key] = job
        if entry is None:
            return
        del self._entries[job.key]
        self._count()
        if entry.scraper.busy:
            entry.released = True
            self._leaving[job.key] = entry
            self._left.clear()
        elif entry.task is not None:
            entry.task.cancel()

    async def quiet(self) -> None:
        """Return when no scrape of a released job is under way, and its samples are stored."""
        await self._left.wait()

    def statuses(self) -> list[ScrapeStatus]:
        """Return all targets with their last scrape here, in the order in which they came.

        Of those that another replica scrapes the health is unknown.
        """
        own = [entry.scraper.status for entry in self._entries.values() if not entry.ending]
        return own + [ScrapeStatus(job) for job in self._others.values()]

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
        for key in self._configured.keys() - wanted.keys():
            self.remove(key)
        self._configured = wanted
        self._share_out()
        self._dropped = tuple(dropped)

    def _share_out(self) -> None:
        """Scrape those configured jobs that are this replica's, and no others."""
        for key, job in self._configured.items():
            if self._share.owns(key):
                self.put(job)
            else:
                self.release(job)

    def _back(self, key: str) -> _Entry | None:
        """Return a job that was released a moment ago and comes back: its loop goes on."""
        entry = self._leaving.pop(key, None)
        if entry is not None:
            entry.released = False
            self._entries[key] = entry
            self._count()
            self._settle_leaving()
        return entry

    def _settle_leaving(self) -> None:
        if not self._leaving:
            self._left.set()

    def _count(self) -> None:
        scraped = sum(not entry.ending for entry in self._entries.values())
        self._shared.metrics.targets.set(scraped)

    def _start(self, entry: _Entry) -> None:
        """Start the loop, or the ending, of an entry in place of what it did before."""
        self._count()
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
        if entry.ending:
            await end_in_time(scraper, shared.clock)
            self._entries.pop(scraper.job.key, None)
            return
        try:
            await scrape_on_ticks(scraper, shared.clock, shared.metrics, lambda: not entry.released)
        finally:
            if self._leaving.get(scraper.job.key) is entry:
                del self._leaving[scraper.job.key]
                self._settle_leaving()

    async def _stop(self) -> None:
        entries = (*self._entries.values(), *self._leaving.values())
        tasks = [entry.task for entry in entries if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
