"""The pool: ticks, targets that come, change and go, files, its own registry."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from controlplane.model.labels import Labels
from controlplane.model.share import WHOLE, Share
from controlplane.scrape.job import Health, ScrapeJob, registered_job
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.options import FileSdConfig, ScrapeConfig, StaticConfig
from controlplane.scrape.own import own_fetch, own_job
from controlplane.scrape.pool import ScrapePool
from controlplane.scrape.ports import Fetch
from controlplane.scrape.ticks import next_tick, offset_of, sample_time
from tests.support.clock import ManualClock
from tests.unit.scrape.recorder import STALE, Recorder, Target

T = 1_700_000_000_000
LABELS = Labels({"job": "shop", "instance": "http://shop"})


class Bench:
    """A pool on a clock moved by hand."""

    def __init__(self, fetch: Fetch | None = None, share: Share = WHOLE) -> None:
        self.clock = ManualClock(T)
        self.target = Target("a 1\n")
        self.recorder = Recorder()
        self.registry = CollectorRegistry()
        self.pool = ScrapePool(
            fetch or self.target, self.recorder, self.clock, ScrapeMetrics(self.registry), share
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.pool.run())
        try:
            await self.clock.settle()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.pool.close()

    def count(self, name: str) -> float:
        return self.registry.get_sample_value(name) or 0.0


def job(interval: int = 15_000) -> ScrapeJob:
    return registered_job("t1", "http://shop/metrics", LABELS, interval)


@given(st.integers(0, 1 << 42), st.integers(1, 10_000_000), st.text(max_size=8))
def test_ticks(now: int, interval: int, key: str) -> None:
    """The next tick is the first slot of the target's own after now."""
    offset = offset_of(key, interval)
    assert 0 <= offset < interval
    tick = next_tick(now, interval, offset)
    assert now < tick <= now + interval
    assert (tick - offset) % interval == 0


def test_offsets_are_spread_and_stable() -> None:
    """Targets share an interval evenly, the same way in each run."""
    offsets = [offset_of(f"target-{n}", 60_000) for n in range(1000)]
    assert (
        max(sum(low <= o < low + 6_000 for o in offsets) for low in range(0, 60_000, 6_000)) < 150
    )
    assert offset_of("target-1", 60_000) == 42_527


def test_sample_time() -> None:
    """A scrape that begins on its tick, or hardly after, gets the tick's own instant."""
    assert sample_time(1000, 1000, 15_000) == 1000
    assert sample_time(1000, 1020, 15_000) == 1000
    assert sample_time(1000, 1021, 15_000) == 1021
    assert sample_time(1000, 1006, 500) == 1006
    assert sample_time(1000, 900, 15_000) == 900


async def test_target_is_scraped_on_each_tick() -> None:
    """A target that is put in is scraped once in each interval, at its own slot."""
    bench = Bench()
    bench.pool.put(job())
    assert [status.health for status in bench.pool.statuses()] == [Health.UNKNOWN]
    async with bench.running():
        await bench.clock.advance(60)
        times = [write.times for write in bench.recorder.writes]
        assert len(times) == 4
        assert {(time - offset_of("t1", 15_000)) % 15_000 for time in times} == {0}
        (status,) = bench.pool.statuses()
        assert (status.health, status.job.url) == (Health.UP, "http://shop/metrics")
        assert bench.count("controlplane_scrape_targets") == 1


async def test_missed_ticks_are_counted() -> None:
    """A scrape that takes several intervals overlaps with none and leaves a count."""
    bench = Bench()
    bench.pool.put(job())
    bench.target.hold = asyncio.Event()
    async with bench.running():
        await bench.clock.advance(50)
        assert len(bench.target.asked) == 1
        bench.target.hold.set()
        await bench.clock.settle()
        waited = T + 50_000 - next_tick(T, 15_000, offset_of("t1", 15_000))
        missed = bench.count("controlplane_scrape_missed_ticks_total")
        assert missed == waited // 15_000 >= 2
        await bench.clock.advance(15)
        assert len(bench.target.asked) == 2


async def test_clock_that_jumps_back() -> None:
    """After the wall clock jumped back a day, scraping goes on within an interval."""
    bench = Bench()
    bench.pool.put(job())
    async with bench.running():
        await bench.clock.advance(15)
        bench.clock.set(T - 86_400_000)
        before = len(bench.target.asked)
        await bench.clock.advance(30)
        assert len(bench.target.asked) >= before + 1


async def test_removed_target_goes_stale_in_time() -> None:
    """Two intervals after its removal the series of a target get their markers."""
    bench = Bench()
    bench.pool.put(job())
    async with bench.running():
        await bench.clock.advance(15)
        bench.pool.remove("t1")
        bench.pool.remove("no such")
        await bench.clock.settle()
        assert bench.pool.statuses() == []
        assert len(bench.recorder.writes) == 1
        await bench.clock.advance(33)
        stored = bench.recorder.last(reports=True)
        assert {value for _, value in stored.values()} == {STALE}
        assert len(stored) == 6
        first = bench.recorder.writes[0].times
        assert {time for time, _ in stored.values()} == {first + 15_000}
        assert len(bench.target.asked) == 1


async def test_target_that_comes_back_is_not_marked() -> None:
    """A target put in again soon goes on where it was, without a marker."""
    bench = Bench()
    bench.pool.put(job())
    async with bench.running():
        await bench.clock.advance(15)
        bench.pool.remove("t1")
        await bench.clock.settle()
        await bench.clock.advance(5)
        bench.pool.put(job())
        await bench.clock.settle()
        bench.recorder.asked.clear()
        await bench.clock.advance(60)
        assert bench.recorder.asked == []
        assert len(bench.recorder.writes) == 5
        assert STALE not in {value for _, value in bench.recorder.last(reports=True).values()}


async def test_changed_interval_takes_effect_at_once() -> None:
    """A shorter interval does not wait for the end of the longer one."""
    bench = Bench()
    bench.pool.put(job(3_600_000))
    async with bench.running():
        bench.pool.put(job(1_000))
        await bench.clock.settle()
        await bench.clock.advance(10)
        assert len(bench.recorder.writes) == 10


async def test_restart_goes_on() -> None:
    """Stopping leaves no marker, and a second run scrapes the same targets."""
    bench = Bench()
    bench.pool.put(job())
    task = asyncio.create_task(bench.pool.run())
    await bench.clock.settle()
    await bench.clock.advance(15)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await bench.clock.advance(60)
    assert len(bench.recorder.writes) == 1
    async with bench.running():
        await bench.clock.advance(15)
        assert len(bench.recorder.writes) == 2


def scrape_config(*targets: str) -> ScrapeConfig:
    return ScrapeConfig("node", static_configs=(StaticConfig(targets),))


async def test_configured_targets() -> None:
    """Configurations bring targets and take them away, beside those put in one by one."""
    bench = Bench()
    bench.pool.put(job())
    async with bench.running():
        bench.pool.configure([scrape_config("a:1", "b:1")])
        assert [status.job.labels.value("instance") for status in bench.pool.statuses()] == [
            "http://shop", "a:1", "b:1",
        ]  # fmt: skip
        bench.pool.configure([scrape_config("b:1", "c:1")])
        assert [status.job.labels.value("instance") for status in bench.pool.statuses()] == [
            "http://shop", "b:1", "c:1",
        ]  # fmt: skip


async def test_targets_from_files(tmp_path: Path) -> None:
    """A file of targets is seen within seconds, and kept while configurations change."""
    path = tmp_path / "t.json"
    path.write_text(json.dumps([{"targets": ["a:1"]}]))
    files = (FileSdConfig((str(path),)),)
    bench = Bench()
    bench.pool.configure([ScrapeConfig("node", file_sd_configs=files)])

    def instances() -> list[str]:
        return [status.job.labels.value("instance") for status in bench.pool.statuses()]

    async def until(expected: list[str]) -> None:
        for _ in range(100):
            if instances() == expected:
                return
            await bench.clock.advance(1)
            await asyncio.to_thread(path.exists)  # lets the thread that reads files go on
        pytest.fail(f"{instances()} instead of {expected}")

    async with bench.running():
        await until(["a:1"])
        path.write_text(json.dumps([{"targets": ["a:1", "b:1"]}]))
        await until(["a:1", "b:1"])
        bench.pool.configure([ScrapeConfig("node", file_sd_configs=files, sample_limit=7)])
        assert instances() == ["a:1", "b:1"]
        assert {status.job.config.sample_limit for status in bench.pool.statuses()} == {7}


async def test_own_registry() -> None:
    """The process's own metrics go the same way, under job controlplane."""
    registry = CollectorRegistry()
    Counter("orders", "Orders.", registry=registry).inc(3)
    bench = Bench()
    fetch = own_fetch(registry, bench.target)
    bench = Bench(fetch)
    bench.pool.put(own_job("replica-1"))
    bench.pool.put(job())
    async with bench.running():
        for _ in range(20):
            await bench.clock.advance(1)
            await asyncio.to_thread(int)  # lets the thread that collects go on
        series = {str(labels) for labels in bench.recorder.asked}
    assert 'orders_total{instance="replica-1", job="controlplane"}' in series
    assert 'up{instance="replica-1", job="controlplane"}' in series
    assert 'a{instance="http://shop", job="shop"}' in series
