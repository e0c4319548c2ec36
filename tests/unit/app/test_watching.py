"""Which replica probes and scrapes a registered target, and what passes with it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.watching import TakingOver, Watching
from controlplane.model.share import Role
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.mute.watched import TargetBook
from controlplane.probes.job import Taken
from controlplane.probes.options import Module
from controlplane.probes.outcome import Reason
from controlplane.scrape.job import Health
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.pool import ScrapePool
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.outcomes import Outcomes
from controlplane.targets.ports import Change, TargetChange
from tests.support.clock import ManualClock
from tests.support.share import SettableShare
from tests.unit.probes.test_hand_over import BAD, GOOD, Replica, advance
from tests.unit.scrape.recorder import Recorder
from tests.unit.scrape.recorder import Target as Served
from tests.unit.targets.test_outcomes import Kept

INTERVAL = 10_000
MODULES = {"m": Module("hand")}


@dataclass
class House:
    """One of several replicas: what it watches, and how it knows of what others watch."""

    name: str
    clock: ManualClock
    kept: Kept
    seen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.probes = Replica(self.clock)
        self.samples = Recorder()
        self.registry = CollectorRegistry()
        self.scrapes = ScrapePool(
            Served("a 1\n"), self.samples, self.clock, ScrapeMetrics(self.registry)
        )
        self.book = TargetBook()
        self.share = SettableShare(role=Role.PROBER)
        self.outcomes = Outcomes(
            self.kept,
            clock=self.clock,
            replica=self.name,
            own=self.probes.schedule.succeeded,
            told=lambda *_: None,
            learned=lambda _outcome: None,
            metrics=TargetMetrics(self.registry),
        )
        self.watching = Watching(
            self.probes.schedule,
            self.scrapes,
            MODULES,
            INTERVAL,
            self.book,
            share=self.share,
            taken=TakingOver(self.outcomes, self.seen.get),
        )

    def tell(self, target: Target, kind: Change = Change.ADDED) -> None:
        change = TargetChange(kind, target)
        self.watching.on_change(change)
        self.outcomes.on_change(change)

    def probed(self) -> list[str]:
        return sorted(job.key for job in self.probes.schedule.jobs())

    def scraped(self) -> float:
        return self.registry.get_sample_value("controlplane_scrape_targets") or 0


@pytest.fixture
def house() -> House:
    """A replica that owns nothing yet."""
    return House("one", ManualClock(), Kept())


def target(name: str = "a", url: str = "http://a/") -> Target:
    spec = TargetSpec(name, url=url, module="m", metrics_url=f"http://{name}/m")
    return Target(name, spec, Provenance.API, 0, 0, 0)


async def test_only_what_is_owned_is_probed_and_scraped(house: House) -> None:
    """Muting knows of all targets, and so does the list of what is scraped."""
    house.share.give("a")
    for name in ("a", "b"):
        house.tell(target(name))
    assert house.probed() == ["a"]
    assert house.scraped() == 1
    assert [each.job.key for each in house.scrapes.statuses()] == ["target/a", "target/b"]
    assert {each.name for each in house.book} == {"a", "b"}
    house.share.give("b")
    house.share.take("a")
    assert house.probed() == ["b"]
    assert house.scraped() == 1
    assert [each.health for each in house.scrapes.statuses()] == [Health.UNKNOWN] * 2
    assert {each.name for each in house.book} == {"a", "b"}


async def test_what_is_paused_or_gone_is_not_taken_up_by_a_share(house: House) -> None:
    """Nor does a reload bring it back."""
    paused = replace(target("a"), operator=Operator(paused=True))
    house.tell(target("a"))
    house.tell(paused, Change.CHANGED)
    house.tell(target("b"))
    house.tell(target("b"), Change.REMOVED)
    house.share.give("a", "b")
    assert house.probed() == []
    assert house.scrapes.statuses() == []
    assert list(house.book) == []


async def test_a_change_reaches_the_one_who_owns_it(house: House) -> None:
    """Others keep what they will need when it becomes theirs."""
    house.tell(target("a"))
    house.tell(target("a", "http://elsewhere/"), Change.CHANGED)
    assert house.probed() == []
    house.share.give("a")
    (job,) = house.probes.schedule.jobs()
    assert job.target == "http://elsewhere/"
    house.tell(replace(target("a"), spec=replace(target("a").spec, metrics_url=None)))
    assert house.scraped() == 0


async def test_what_is_scraped_no_more_is_listed_nowhere(house: House) -> None:
    """Also by those who never scraped it."""
    house.tell(target("a"))
    assert len(house.scrapes.statuses()) == 1
    bare = replace(target("a").spec, metrics_url=None)
    house.tell(replace(target("a"), spec=bare), Change.CHANGED)
    assert house.scrapes.statuses() == []


async def test_a_target_passes_on_with_what_is_known_of_it() -> None:
    """Down before and after: the other replica probes on, and it is no news there."""
    clock, kept = ManualClock(), Kept()
    one, two = House("one", clock, kept), House("two", clock, kept)
    for each in (one, two):
        each.tell(target("a"))
    one.share.give("a")
    one.probes.outcome = BAD
    await advance(clock, 10, one.probes)
    one.outcomes.take(*one.probes.told[0])
    await one.outcomes.flush()
    one.share.take("a")
    await one.watching.quiet()
    await two.outcomes.refresh(["a"])
    assert two.outcomes.last("a") is False
    two.share.give("a")
    await advance(clock, 10, two.probes)
    assert len(two.probes.store.writes) == 1
    assert two.probes.store.last()["probe_failure_info"] == -1.0
    assert len(one.probes.store.writes) == 1


@pytest.mark.parametrize(
    ("seen", "expected"),
    [(None, None), (5_000, 7_000), (9_000, 9_000)],
    ids=["let go", "died before it was there", "died"],
)
async def test_only_what_was_there_was_missed(
    house: House, seen: int | None, expected: int | None
) -> None:
    """From when the other was last heard of, and not before the target was registered."""
    if seen is not None:
        house.seen["a"] = seen
    young = replace(target("a"), created_at=7_000)
    taken = TakingOver(house.outcomes, house.seen.get)
    assert taken(young) == Taken(since=expected)


@pytest.mark.parametrize(("reason", "known"), [("dns", Reason.DNS), ("moon", None)])
async def test_reasons_of_a_newer_version_are_passed_over(
    house: House, reason: str, known: Reason | None
) -> None:
    """Replicas of two versions run side by side for a while."""
    house.outcomes.take("a", False, reason)
    taken: Callable[[Target], Taken] = TakingOver(house.outcomes, house.seen.get)
    assert taken(target("a")) == Taken(False, known)


async def test_good_targets_are_taken_over_as_good(house: House) -> None:
    """And what is well from the start leaves no trace but its samples."""
    house.outcomes.take("a", True, "")
    house.tell(target("a"))
    house.probes.outcome = GOOD
    house.share.give("a")
    await advance(house.clock, 10, house.probes)
    assert house.probes.store.last()["probe_success"] == 1.0


async def test_a_slow_probe_holds_up_nobody(house: House) -> None:
    """It ends as it began; the others' slots do not wait for it."""
    house.probes.outcome = None
    house.tell(target("a"))
    house.share.give("a")
    await advance(house.clock, 10, house.probes)
    house.share.take("a")
    await asyncio.wait_for(house.watching.quiet(), 5)
    house.probes.pending.pop()(GOOD)
    await house.watching.quiet()
    assert house.probes.store.last()["probe_success"] == 1.0


async def test_many_targets_are_taken_over_in_turns(house: House) -> None:
    """The loop is free in between; what changed hands again meanwhile is passed over."""
    names = [f"t{n:03}" for n in range(250)]
    for name in names:
        house.tell(target(name))
    house.share.give(*names)
    assert 0 < len(house.probed()) < 250
    house.share.take("t249")
    house.tell(target("t248"), Change.REMOVED)
    await house.clock.settle()
    assert house.probed() == names[:248]
    house.share.take()
    assert house.probed() == []
