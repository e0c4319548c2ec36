"""Targets that pass from one replica's pool to another's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controlplane.scrape.job import Health
from controlplane.scrape.options import ScrapeConfig, StaticConfig
from controlplane.scrape.own import own_job
from controlplane.scrape.pool import ScrapePool
from tests.support.share import SettableShare
from tests.unit.scrape.recorder import STALE
from tests.unit.scrape.test_pool import Bench, job


def healths(pool: ScrapePool) -> dict[str, Health]:
    """The health of all targets by their instance."""
    return {each.job.labels.value("instance"): each.health for each in pool.statuses()}


def key_of(bench: Bench, instance: str) -> str:
    (key,) = (
        each.job.key
        for each in bench.pool.statuses()
        if each.job.labels.value("instance") == instance
    )
    return key


@asynccontextmanager
async def scraping() -> AsyncIterator[tuple[Bench, asyncio.Event]]:
    """Give a pool in the midst of a scrape, which goes on once the event is set."""
    bench = Bench()
    bench.pool.put(job())
    bench.target.hold = asyncio.Event()
    async with bench.running():
        await bench.clock.advance(15)
        yield bench, bench.target.hold


async def test_what_is_released_is_scraped_no_more_and_ends_nowhere() -> None:
    """No marker, now or later; others still see that there is such a target."""
    bench = Bench()
    bench.pool.put(job())
    async with bench.running():
        await bench.clock.advance(15)
        bench.pool.release(job())
        bench.pool.release(job())
        await bench.pool.quiet()
        assert healths(bench.pool) == {"http://shop": Health.UNKNOWN}
        assert bench.count("controlplane_scrape_targets") == 0
        assert bench.pool.metadata() == []
        await bench.clock.advance(60)
        assert len(bench.recorder.writes) == 1
        bench.pool.put(job())
        await bench.clock.settle()
        await bench.clock.advance(15)
        assert healths(bench.pool) == {"http://shop": Health.UP}
        assert STALE not in {value for _, value in bench.recorder.last(reports=True).values()}


async def test_a_scrape_under_way_ends_and_is_stored() -> None:
    """`quiet` waits for it, and no other follows."""
    async with scraping() as (bench, hold):
        bench.pool.release(job())
        waiting = asyncio.create_task(bench.pool.quiet())
        await bench.clock.settle()
        assert not waiting.done()
        hold.set()
        await waiting
        assert len(bench.recorder.writes) == 1
        await bench.clock.advance(60)
        assert len(bench.recorder.writes) == 1


async def test_what_comes_back_during_its_scrape_goes_on() -> None:
    """It never was away: the same loop scrapes it at its next tick."""
    async with scraping() as (bench, hold):
        bench.pool.release(job())
        bench.pool.put(job())
        await bench.pool.quiet()
        hold.set()
        await bench.clock.settle()
        await bench.clock.advance(15)
        assert len(bench.recorder.writes) == 2
        assert len(bench.target.asked) == 2


async def test_stopping_ends_what_is_about_to_leave() -> None:
    """A pool that stops waits for nobody, and nobody waits for it."""
    async with scraping() as (bench, _):
        bench.pool.release(job())
    await bench.pool.quiet()
    assert bench.recorder.writes == []


async def test_the_end_of_a_removed_target_is_not_left_to_others() -> None:
    """Who scraped it marks its series, whoever owned it next."""
    bench = Bench()
    bench.pool.put(job())
    async with bench.running():
        await bench.clock.advance(15)
        bench.pool.remove("t1")
        bench.pool.release(job())
        await bench.clock.settle()
        await bench.clock.advance(33)
        stored = bench.recorder.last(reports=True)
        assert {value for _, value in stored.values()} == {STALE}
        assert bench.pool.statuses() == []


async def test_configured_targets_are_shared_out() -> None:
    """Each replica scrapes its own and knows of all; its own registry is always its own."""
    share = SettableShare()
    bench = Bench(share=share)
    bench.pool.put(own_job("replica-1"))
    async with bench.running():
        config = ScrapeConfig("node", static_configs=(StaticConfig(("a:1", "b:1")),))
        bench.pool.configure([config])
        assert bench.count("controlplane_scrape_targets") == 1
        share.give(key_of(bench, "a:1"))
        await bench.clock.advance(60)
        unknown = {"b:1": Health.UNKNOWN}
        assert healths(bench.pool) == {"replica-1": Health.UP, "a:1": Health.UP, **unknown}
        share.take(key_of(bench, "a:1"))
        share.give(key_of(bench, "b:1"))
        await bench.clock.advance(60)
        assert healths(bench.pool)["a:1"] is Health.UNKNOWN
        assert healths(bench.pool)["b:1"] is Health.UP
        bench.pool.configure([])
        assert healths(bench.pool) == {"replica-1": Health.UP}
