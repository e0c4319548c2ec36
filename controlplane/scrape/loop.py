"""A target scraped on each of its ticks, and what remains to do when it is gone."""

from collections.abc import Callable

from controlplane.clock import Clock
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.scraper import TargetScraper
from controlplane.scrape.ticks import next_tick, offset_of, sample_time
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)


async def scrape_on_ticks(
    scraper: TargetScraper, clock: Clock, metrics: ScrapeMetrics, goes_on: Callable[[], bool]
) -> None:
    """Scrape on each tick until cancelled, or until after a scrape `goes_on` says no.

    Scrapes of one target never overlap: ticks that come while one runs are
    counted and passed over. The wait is reckoned anew from the wall clock each
    time and never exceeds the interval, so a clock that jumps does no harm.
    """
    interval = scraper.job.interval
    offset = offset_of(scraper.job.key, interval)
    while goes_on():
        now = clock.now()
        tick = next_tick(now, interval, offset)
        await clock.sleep((tick - now) / 1000)
        started, begun = clock.monotonic(), clock.now()
        metrics.lateness.observe(max(0, begun - tick) / 1000)
        await scraper.scrape(sample_time(tick, begun, interval))
        missed = int((clock.monotonic() - started) * 1000) // interval
        if missed:
            metrics.missed_ticks.inc(missed)
            log.warning("scrape ticks missed", target=scraper.job.url, ticks=missed)


async def end_in_time(scraper: TargetScraper, clock: Clock) -> None:
    """Mark a removed target's series stale, but not at once.

    It may come back within two intervals, as it does when a file of targets is
    written anew; the caller then cancels this. The markers get the time of the
    tick that would have been next, as Prometheus gives them.
    """
    interval = scraper.job.interval
    now = clock.now()
    tick = next_tick(now, interval, offset_of(scraper.job.key, interval))
    await clock.sleep((tick - now + interval + interval // 10) / 1000)
    scraper.end(tick)
