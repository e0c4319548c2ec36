"""Ticks, missed ticks, clock jumps, staleness: with a prober that the test ends by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, is_stale
from controlplane.probes.job import ProbeJob, effective_timeout
from controlplane.probes.metrics import ProbeMetrics
from controlplane.probes.options import Module
from controlplane.probes.outcome import Evidence, Outcome, ProbeSample, Reason, outcome_of
from controlplane.probes.prober import Done, Start, Tools
from controlplane.probes.schedule import Schedule
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from controlplane.tsdb.ports import Write
from tests.support.clock import ManualClock

SECOND = 1000


class Appended:
    """An Appender that keeps what it is given."""

    def __init__(self) -> None:
        self.series: list[Labels] = []
        self.writes: list[Write] = []
        self.epoch = 0

    def refs(self, series: Sequence[Labels]) -> Refs:
        for labels in series:
            if labels not in self.series:
                self.series.append(labels)
        return np.array([self.series.index(labels) for labels in series], dtype=np.int64)

    def append(self, writes: Sequence[Write]) -> None:
        self.writes += writes

    def last(self) -> dict[str, float]:
        """The last write by metric name; staleness markers as -1."""
        write = self.writes[-1]
        values = np.where(is_stale(write.values), -1.0, write.values)
        return {
            self.series[ref].name: float(value)
            for ref, value in zip(write.refs, values, strict=True)
        }


class Rig:
    """A schedule whose one prober keeps its callbacks."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = Appended()
        self.registry = CollectorRegistry()
        self.pending: list[Done] = []
        self.failures: list[tuple[str, Timestamp, Outcome]] = []
        resolver, policy = StubResolver(self.clock), OutboundPolicy()
        client = Client(Engine(self.clock), resolver, policy, self.clock)

        def prober(_tools: Tools, _target: str, _module: Module) -> Start:
            return lambda _timeout, done: self.pending.append(done)

        def evidence(target_id: str, time: Timestamp, outcome: Outcome) -> None:
            self.failures.append((target_id, time, outcome))

        self.schedule = Schedule(
            Tools(client, resolver, policy, self.clock),
            {"hand": prober},
            self.store,
            ProbeMetrics(self.registry),
            evidence,
        )

    def put(self, key: str = "a", interval: int = 10 * SECOND, module: str = "hand") -> None:
        labels = Labels({"job": "j", "instance": key, "reason": "mine"})
        self.schedule.put(ProbeJob(key, key, labels, Module(module), interval, "m"))

    async def advance(self, seconds: float) -> None:
        """Move the time in small steps, taking a turn at each."""
        for _ in range(round(seconds * 10)):
            await self.clock.advance(0.1)
            self.schedule.turn()
        await self.clock.settle()

    async def end(self, outcome: Outcome) -> None:
        self.pending.pop(0)(outcome)
        await self.clock.settle()

    def missed(self, cause: str) -> float:
        name = "controlplane_probe_ticks_missed_total"
        return self.registry.get_sample_value(name, {"cause": cause}) or 0.0


GOOD = outcome_of([ProbeSample("probe_x", 1.0)], 0.25)
BAD = outcome_of([ProbeSample("probe_x", 0.0)], 0.5, Reason.STATUS, Evidence("status 500"))


@pytest.fixture
async def rig() -> Rig:
    """A schedule on a clock that is moved by hand."""
    return Rig()


async def test_each_interval_has_one_probe_at_its_slot(rig: Rig) -> None:
    """Ticks keep their phase, and the write carries the slot's instant."""
    rig.put()
    for _ in range(3):
        await rig.advance(10)
        await rig.end(GOOD)
    first, second, third = (int(write.times) for write in rig.store.writes)
    assert (second - first, third - second) == (10_000, 10_000)
    assert rig.store.last() == {
        "probe_success": 1.0,
        "probe_duration_seconds": 0.25,
        "probe_timeout_seconds": 9.75,
        "probe_x": 1.0,
    }
    assert len({write.correlation_id for write in rig.store.writes}) == 3


async def test_probes_of_a_target_never_overlap(rig: Rig) -> None:
    """A tick while the former probe runs is counted as missed."""
    rig.put()
    await rig.advance(20)
    assert len(rig.pending) == 1
    assert rig.missed("running") == 1


async def test_a_stalled_process_counts_the_ticks_that_it_missed(rig: Rig) -> None:
    """After a pause of several intervals one probe starts, the others are counted."""
    rig.put()
    await rig.advance(10)
    await rig.end(GOOD)
    await rig.clock.advance(40)
    rig.schedule.turn()
    assert len(rig.pending) == 1
    assert rig.missed("late") == 3


@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_a_jump_of_the_wall_clock_neither_floods_nor_stalls(rig: Rig, jump: int) -> None:
    """Whichever way the clock was moved, the next tick comes within an interval, once."""
    rig.put()
    await rig.advance(10)
    await rig.end(GOOD)
    rig.clock.set(rig.clock.now() + jump * SECOND)
    await rig.advance(10)
    assert len(rig.pending) == 1
    assert rig.missed("late") == 0


async def test_failure_is_told_and_its_series_ends_with_recovery(rig: Rig) -> None:
    """probe_failure_info exists while the target fails; a label of the target's own stands."""
    rig.put()
    await rig.advance(10)
    await rig.end(BAD)
    assert rig.store.last()["probe_failure_info"] == 1.0
    info = next(labels for labels in rig.store.series if labels.name == "probe_failure_info")
    assert (info["reason"], info["exported_reason"]) == ("mine", "status")
    assert [(key, outcome.reason) for key, _, outcome in rig.failures] == [("a", Reason.STATUS)]
    await rig.advance(10)
    await rig.end(GOOD)
    assert rig.store.last()["probe_failure_info"] == -1.0
    assert rig.store.last()["probe_success"] == 1.0


async def test_removal_ends_all_series_and_drops_what_still_runs(rig: Rig) -> None:
    """Markers for every series, and nothing after them."""
    rig.put()
    await rig.advance(10)
    await rig.end(GOOD)
    await rig.advance(10)
    rig.schedule.remove("a")
    await rig.clock.settle()
    assert set(rig.store.last().values()) == {-1.0}
    await rig.end(GOOD)
    assert len(rig.store.writes) == 2


async def test_unknown_prober_fails_with_config(rig: Rig) -> None:
    """A job that cannot be probed is a failing target, not a missing one."""
    rig.put(module="no such")
    await rig.advance(10)
    assert rig.store.last()["probe_success"] == 0.0
    assert rig.failures[0][2].reason is Reason.CONFIG


def test_a_timeout_longer_than_the_interval_ends_before_the_next_tick() -> None:
    """The module's time-out is cut to the interval less a margin."""
    job = ProbeJob("a", "a", Labels(), Module("http", timeout=60_000), 1_000)
    assert effective_timeout(job) == 950
