"""One scrape of one target, from the request to the write."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from controlplane.clock import Clock, Timestamp
from controlplane.errors import InvalidInput, Overloaded, Unavailable
from controlplane.model.histogram import FloatHistogram
from controlplane.model.samples import STALE_NAN, Refs, Times, Values
from controlplane.scrape.custom_buckets import CustomBuckets
from controlplane.scrape.exposition.formats import grammar_for, is_protobuf
from controlplane.scrape.exposition.grammar import ExpositionError
from controlplane.scrape.exposition.page import NO_TIME, Metadata, Page, read
from controlplane.scrape.exposition.protobuf import Wanted, read_protobuf
from controlplane.scrape.exposition.protobuf import exemplars as protobuf_exemplars
from controlplane.scrape.job import Failure, Health, ScrapeFailed, ScrapeJob, ScrapeStatus
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.ports import Fetch, Fetched
from controlplane.scrape.report import Report, Tally
from controlplane.scrape.series import Batch, SeriesCache
from controlplane.telemetry.changes import ChangeLines
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Appender, Write

log = get_logger(__name__)

# Bodies up to this size are read on the event loop, which takes about a millisecond.
_SMALL_BODY: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all scrapers share. `workers` read large bodies, `changes` tells who began to fail."""

    fetch: Fetch
    appender: Appender
    clock: Clock
    metrics: ScrapeMetrics
    workers: Executor
    changes: ChangeLines


class TargetScraper:
    """Scrapes one job, and remembers between scrapes what its series are called."""

    def __init__(self, job: ScrapeJob, shared: Surroundings) -> None:
        self._shared = shared
        self._cache = SeriesCache(shared.appender, job.labels, job.config)
        self._get = shared.fetch(job)
        self._report = Report(shared.appender, job)
        self._left_behind: Report | None = None
        self._page: Page | None = None
        self._custom_buckets: CustomBuckets | None = None
        self._next: ScrapeJob | None = None
        self._status = ScrapeStatus(job)
        self.busy = False  # a scrape is under way

    @property
    def job(self) -> ScrapeJob:
        """The job as it is from the next scrape on."""
        return self._next or self._status.job

    @property
    def status(self) -> ScrapeStatus:
        """The job as it is now, and what its last scrape came to."""
        return replace(self._status, job=self.job)

    @property
    def metadata(self) -> Mapping[str, Metadata]:
        """What the target said of its metric families when it was last read."""
        return {} if self._page is None else self._page.shape.metadata

    def change(self, job: ScrapeJob) -> None:
        """Go on with a changed job. Series that it no longer names get their markers."""
        # A scrape may be under way: it ends as it began.
        self._next = job

    def _adopt(self) -> None:
        before, job = self._status.job, self.job
        self._next = None
        if job == before:
            return
        self._status = replace(self._status, job=job)
        if before.labels != job.labels and self._has_scraped:
            self._left_behind = self._left_behind or self._report
        if (before.labels, before.config) != (job.labels, job.config):
            self._cache = self._cache.rebuilt(job.labels, job.config)
            self._custom_buckets = None
        self._report = Report(self._shared.appender, job)
        self._get = self._shared.fetch(job)

    async def scrape(self, at: Timestamp) -> None:
        """Scrape once; samples without a timestamp of their own get the instant `at`."""
        self._adopt()
        self.busy = True
        with correlated(new_correlation_id()) as correlation:
            try:
                await self._scrape(at, correlation)
            except Exception:
                self._shared.metrics.faults.inc()
                log.exception("scrape went wrong", target=self.job.url)
                failed = ScrapeFailed(Failure.INTERNAL, "internal error: the log has it")
                self._conclude(at, 0.0, Tally(), failed)
            finally:
                self.busy = False

    def end(self, at: Timestamp) -> None:
        """Mark all series of the target stale, its report among them: it is gone."""
        if self._has_scraped:
            refs = np.concatenate([self._cache.gone(), self._report.refs(), *self._forgotten()])
            self._append(refs, _markers(refs), at, new_correlation_id())

    @property
    def _has_scraped(self) -> bool:
        return self._status.health is not Health.UNKNOWN

    async def _scrape(self, at: Timestamp, correlation: str) -> None:
        started = self._shared.clock.monotonic()
        # Before the page's series, which may take the last room in the store.
        self._report.refs()
        tally, batch, failed = Tally(), None, None
        try:
            batch = await self._digest(await self._fetch(), tally)
        except ScrapeFailed as error:
            failed = error
            if failed.failure is Failure.SIZE:
                tally.body_size = -1
        seconds = self._shared.clock.monotonic() - started
        report = self._report.values(tally, seconds, up=failed is None)
        try:
            self._write(at, batch, report, correlation)
        except (Overloaded, Unavailable) as error:
            failed = failed or ScrapeFailed(Failure.OVERLOAD, f"samples not stored: {error}")
        self._conclude(at, seconds, tally, failed)

    async def _fetch(self) -> Fetched:
        """Return the body. Raises ScrapeFailed."""
        if self.job.refused:
            raise ScrapeFailed(Failure.TARGET_LIMIT, self.job.refused)
        fetched = await self._get()
        if fetched.failure is not None:
            raise ScrapeFailed(fetched.failure, fetched.error)
        return fetched

    async def _digest(self, fetched: Fetched, tally: Tally) -> Batch | None:
        """Return what is to be stored; None for an empty body. Raises ScrapeFailed."""
        tally.body_size = len(fetched.body)
        if not fetched.body:
            return None
        if len(fetched.body) <= _SMALL_BODY:
            return self._understand(fetched, tally)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._shared.workers, self._understand, fetched, tally)

    def _understand(self, fetched: Fetched, tally: Tally) -> Batch:
        try:
            page, exemplars = self._read(fetched)
            tally.scraped = len(page.values)
            batch = self._cache.take(self._convert(page))
        except ExpositionError as error:
            tally.scraped = error.samples
            raise ScrapeFailed(Failure.PARSE, str(error)) from None
        self._page = page
        tally.kept, tally.added = batch.kept, batch.added
        self._shared.metrics.duplicates.inc(batch.duplicates)
        self._shared.metrics.exemplars.inc(exemplars)
        return batch

    def _read(self, fetched: Fetched) -> tuple[Page, int]:
        """Return the page, and how many exemplars are on it. Raises as `_understand` does."""
        config, kind = self.job.config, fetched.content_type
        if is_protobuf(kind, config.fallback_scrape_protocol):
            wanted = Wanted(
                config.scrape_native_histograms, config.always_scrape_classic_histograms
            )
            page = read_protobuf(fetched.body, wanted, self._page)
            return page, protobuf_exemplars(fetched.body)
        try:
            grammar = grammar_for(kind, config.fallback_scrape_protocol)
        except InvalidInput as error:
            raise ScrapeFailed(Failure.CONTENT_TYPE, error.reason) from None
        return read(fetched.body, grammar, self._page), grammar.exemplars(fetched.body)

    def _convert(self, page: Page) -> Page:
        """Return the page with classic histograms as native ones, where that is wanted."""
        config = self.job.config
        if not config.convert_classic_histograms_to_nhcb:
            self._custom_buckets = None
            return page
        if self._custom_buckets is None:
            keep = config.always_scrape_classic_histograms
            self._custom_buckets = CustomBuckets(keep_classic=keep)
        return self._custom_buckets.convert(page)

    def _write(self, at: Timestamp, batch: Batch | None, report: Values, correlation: str) -> None:
        """Hand over the samples, the markers of what has gone, and the report, as one write."""
        gone = self._cache.gone() if batch is None else batch.stale
        stale = np.concatenate([gone, *self._forgotten()])
        refs = [stale, self._report.refs()]
        values = [_markers(stale), report]
        times: Timestamp | Times = at
        found: list[FloatHistogram | None] | None = None
        if batch is not None:
            refs.append(batch.refs)
            values.append(batch.values)
            if batch.histograms is not None:
                found = [*[None] * (len(stale) + len(report)), *batch.histograms]
            if batch.times is not None:
                own = np.where(batch.times == NO_TIME, at, batch.times)
                times = np.concatenate([np.full(len(stale) + len(report), at), own])
        self._append(np.concatenate(refs), np.concatenate(values), times, correlation, found)

    def _append(
        self,
        refs: Refs,
        values: Values,
        times: Timestamp | Times,
        correlation: str,
        histograms: Sequence[FloatHistogram | None] | None = None,
    ) -> None:
        write = Write(self.job.key, times, refs, values, correlation, histograms)
        self._shared.appender.append([write])
        self._shared.metrics.samples.inc(len(refs))

    def _forgotten(self) -> list[Refs]:
        """Return the report series that a change of labels left behind, once."""
        report, self._left_behind = self._left_behind, None
        return [] if report is None else [report.refs()]

    def _conclude(
        self, at: Timestamp, seconds: float, tally: Tally, failed: ScrapeFailed | None
    ) -> None:
        metrics, before = self._shared.metrics, self._status
        metrics.duration.observe(seconds)
        metrics.scrapes.labels("success" if failed is None else failed.failure.value).inc()
        if failed is not None and before.failure is not failed.failure:
            self._shared.changes.tell(
                "scrape failed", target=self.job.url, reason=failed.failure, error=str(failed)
            )
        if failed is None and before.health is Health.DOWN:
            self._shared.changes.tell("scrape succeeds again", target=self.job.url)
        self._status = replace(
            before,
            health=Health.UP if failed is None else Health.DOWN,
            last_scrape=at,
            last_duration=seconds,
            last_error="" if failed is None else str(failed),
            failure=None if failed is None else failed.failure,
            samples=tally.scraped,
        )


def _markers(refs: Refs) -> Values:
    return np.full(len(refs), STALE_NAN)
