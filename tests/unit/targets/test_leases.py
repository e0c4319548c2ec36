"""Leases by the clock: the series, the removal, and nothing else."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.errors import Overloaded, Unavailable
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, is_stale
from controlplane.model.share import WHOLE, Share
from controlplane.model.target import TargetSpec
from controlplane.targets.leases import LeaseWatch
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.options import TargetOptions
from controlplane.targets.ports import Change
from controlplane.tsdb.ports import Write
from tests.support.clock import ManualClock
from tests.support.share import SettableShare
from tests.support.targets import MemoryTargets, build_registry

OPTIONS = TargetOptions(lease_removal_after=60_000, lease_check_interval=5_000)
SPEC = TargetSpec("a", url="http://a.test/", lease=10_000)


class Samples:
    """An Appender that keeps what it got: per instant, each series' value."""

    epoch = 0

    def __init__(self) -> None:
        self.series: list[Labels] = []
        self.appended: list[tuple[Timestamp, dict[str, float | None]]] = []
        self.full = False

    def refs(self, series: Sequence[Labels]) -> Refs:
        self.series += [labels for labels in series if labels not in self.series]
        return np.array([self.series.index(labels) for labels in series], dtype=np.int64)

    def append(self, writes: Sequence[Write]) -> None:
        if self.full:
            raise Overloaded("full")
        for write in writes:
            assert isinstance(write.times, int)
            stale = is_stale(write.values)
            values = {
                self.series[ref].value("job") + self.series[ref].value("team"): None
                if stale[at]
                else float(write.values[at])
                for at, ref in enumerate(write.refs)
            }
            self.appended.append((write.times, values))


class House:
    """A registry, its samples and the watch over both."""

    def __init__(self, share: Share = WHOLE) -> None:
        self.repository = MemoryTargets()
        self.prometheus = CollectorRegistry()
        metrics = TargetMetrics(self.prometheus)
        self.registry = build_registry(self.repository, options=OPTIONS, metrics=metrics)
        self.samples = Samples()
        self.clock = ManualClock(1_000_000_001_234)
        self.watch = LeaseWatch(
            self.registry,
            self.samples,
            clock=self.clock,
            options=OPTIONS,
            metrics=metrics,
            share=share,
        )

    def metric(self, name: str) -> float | None:
        return self.prometheus.get_sample_value(name)


@pytest.fixture
def house() -> House:
    return House()


async def test_the_series_turns_one_when_the_lease_ran_out(house: House) -> None:
    """0 until the very instant, 1 from it on, 0 again once renewed; no lease, no series."""
    target, _ = await house.registry.register(SPEC, 0)
    await house.registry.register(TargetSpec("b", url="http://b.test/"), 0)
    for now in (9_999, 10_000, 30_000):
        await house.watch.check(now)
    assert house.metric("controlplane_target_leases_expired") == 1
    await house.registry.renew(target.id, 30_001)
    await house.watch.check(35_000)
    assert house.samples.appended == [
        (9_999, {"a": 0.0}),
        (10_000, {"a": 1.0}),
        (30_000, {"a": 1.0}),
        (35_000, {"a": 0.0}),
    ]
    assert house.samples.series == [
        Labels(
            {
                "__name__": "controlplane_target_lease_expired",
                "job": "a",
                "instance": "http://a.test/",
            }
        )
    ]
    assert house.metric("controlplane_target_leases_expired") == 0


async def test_an_expired_target_changes_nothing_until_it_is_removed(house: House) -> None:
    """Listeners hear only of the removal, which comes the set time after the expiry."""
    heard: list[Change] = []
    house.registry.subscribe(lambda change: heard.append(change.kind))
    await house.registry.register(SPEC, 0)
    await house.watch.check(69_999)
    assert heard == [Change.ADDED]
    await house.watch.check(70_000)
    assert heard == [Change.ADDED, Change.REMOVED]
    assert house.repository.rows == {}
    assert house.samples.appended[-1] == (70_000, {"a": None})
    assert house.metric("controlplane_target_leases_removed_total") == 1


async def test_a_files_target_is_never_removed(house: House) -> None:
    """The file decides what is in it, whatever a lease says."""
    await house.registry.apply_file([SPEC], 0)
    await house.watch.check(10_000_000)
    assert house.samples.appended == [(10_000_000, {"a": 1.0})]


async def test_a_series_that_ends_is_marked_once(house: House) -> None:
    """Other labels, or no lease any more: the old series goes stale, so alerts resolve."""
    await house.registry.register(SPEC, 0)
    await house.watch.check(1_000)
    await house.registry.register(replace(SPEC, labels=Labels({"team": "x"})), 1_500)
    await house.watch.check(2_000)
    await house.registry.register(replace(SPEC, lease=None), 2_500)
    await house.watch.check(3_000)
    await house.watch.check(4_000)
    assert house.samples.appended[1:] == [
        (2_000, {"ax": 0.0, "a": None}),
        (3_000, {"ax": None}),
    ]


async def test_a_full_store_leaves_a_gap_and_the_marker_waits(house: House) -> None:
    """What could not be appended is tried again at the next look."""
    target, _ = await house.registry.register(SPEC, 0)
    await house.watch.check(1_000)
    await house.registry.delete(target.id)
    house.samples.full = True
    await house.watch.check(2_000)
    house.samples.full = False
    await house.watch.check(3_000)
    assert house.samples.appended[1:] == [(3_000, {"a": None})]


async def test_without_a_database_the_series_go_on(house: House) -> None:
    """A removal that cannot be written waits; the sample is written all the same."""
    await house.registry.register(SPEC, 0)
    house.repository.failure = Unavailable("away")
    await house.watch.check(10_000_000)
    assert house.samples.appended == [(10_000_000, {"a": 1.0})]


async def test_it_looks_in_fixed_slots(house: House) -> None:
    """The instants are multiples of the interval, whenever the loop began."""
    await house.registry.register(replace(SPEC, lease=10**9), house.clock.now())
    task = asyncio.create_task(house.watch.run())
    await house.clock.settle()
    await house.clock.advance(10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    instants = [now for now, _ in house.samples.appended]
    assert instants == [1_000_000_000_000, 1_000_000_005_000, 1_000_000_010_000]


async def test_each_replica_tells_of_its_own_targets() -> None:
    """What becomes another's ends nowhere; what is gone ends where it was told of last."""
    share = SettableShare()
    house = House(share)
    ids = {}
    for name in ("a", "b"):
        target, _ = await house.registry.register(replace(SPEC, name=name), 0)
        ids[name] = target.id
    await house.watch.check(1_000)
    share.give(ids["a"])
    await house.watch.check(20_000)
    assert house.metric("controlplane_target_leases_expired") == 1
    share.take(ids["a"])
    await house.watch.check(25_000)
    share.give(ids["b"])
    await house.watch.check(30_000)
    await house.registry.delete(ids["b"])
    await house.watch.check(35_000)
    assert house.samples.appended == [
        (20_000, {"a": 1.0}),
        (30_000, {"b": 1.0}),
        (35_000, {"b": None}),
    ]


async def test_each_replica_removes_its_own_targets() -> None:
    """So one of them does, after the same long time."""
    share = SettableShare()
    house = House(share)
    target, _ = await house.registry.register(SPEC, 0)
    await house.registry.register(replace(SPEC, name="b"), 0)
    await house.watch.check(10_000_000)
    assert len(house.registry) == 2
    share.give(target.id)
    await house.watch.check(10_000_000)
    assert [each.name for each in house.registry] == ["b"]
