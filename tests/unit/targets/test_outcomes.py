"""How targets stand, as two replicas know it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from controlplane.errors import Unavailable
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.outcomes import Outcomes
from controlplane.targets.ports import Change, TargetChange, TargetOutcome
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
NEWS = tuple[str, bool, str]


class Kept:
    """An OutcomeRepository that may be away."""

    def __init__(self) -> None:
        self.rows: dict[str, TargetOutcome] = {}
        self.away = False

    async def load(self) -> Sequence[TargetOutcome]:
        return await self.find(self.rows)

    async def find(self, ids: Collection[str]) -> Sequence[TargetOutcome]:
        self._check()
        return [self.rows[each] for each in ids if each in self.rows]

    async def save(self, outcomes: Sequence[TargetOutcome]) -> None:
        self._check()
        for each in outcomes:
            kept = self.rows.get(each.target_id)
            if kept is None or kept.at < each.at:
                self.rows[each.target_id] = each

    def _check(self) -> None:
        if self.away:
            raise Unavailable("away")


@dataclass
class Replica:
    """One replica's outcomes; `probed` is what its own schedule says."""

    name: str
    kept: Kept
    clock: ManualClock
    probed: dict[str, bool] = field(default_factory=dict)
    told: list[NEWS] = field(default_factory=list)
    learned: list[TargetOutcome] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.outcomes = Outcomes(
            self.kept,
            clock=self.clock,
            replica=self.name,
            own=self.probed.get,
            told=lambda *news: self.told.append(news),
            learned=self.learned.append,
            metrics=TargetMetrics(self.registry),
        )

    def probe(self, *, up: bool, reason: str = "") -> None:
        """As the schedule does: tell of it, then have it for its own."""
        self.outcomes.take("t", up, reason)
        self.probed["t"] = up

    def waiting(self) -> float | None:
        return self.registry.get_sample_value("controlplane_target_outcomes_waiting")


@dataclass
class World:
    """Two replicas on one database."""

    kept: Kept = field(default_factory=Kept)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))

    def __post_init__(self) -> None:
        self.one = Replica("one", self.kept, self.clock)
        self.two = Replica("two", self.kept, self.clock)


@pytest.fixture
def world() -> World:
    """Two replicas that know nothing yet."""
    return World()


def change(kind: Change, *, paused: bool = False) -> TargetChange:
    spec = TargetSpec("t", url="http://t/")
    target = Target("t", spec, Provenance.API, NOW, NOW, NOW, Operator(paused=paused))
    return TargetChange(kind, target)


async def test_what_one_probes_the_other_knows(world: World) -> None:
    """State, reason and since when; and each is told once that it changed."""
    one, two = world.one, world.two
    one.probe(up=False, reason="timeout")
    await world.clock.advance(5)
    one.probe(up=False, reason="dns")
    await one.outcomes.flush()
    assert two.outcomes.last("t") is None
    await two.outcomes.refresh(["t"])
    await two.outcomes.refresh(None)
    assert two.outcomes.last("t") is False
    expected = TargetOutcome("t", False, "dns", NOW, NOW + 5_000, "one")
    assert two.outcomes.get("t") == expected
    assert two.learned == [expected]
    assert one.told == [("t", False, "timeout"), ("t", False, "dns")]
    assert (one.learned, two.told) == ([], [])


async def test_a_first_result_as_before_is_written_and_no_news(world: World) -> None:
    """Who takes over says so in the database, and nobody hears of a change."""
    one, two = world.one, world.two
    one.probe(up=True)
    await one.outcomes.flush()
    await two.outcomes.load()
    one.probed.clear()
    await world.clock.advance(60)
    two.probe(up=True)
    await two.outcomes.flush()
    assert world.kept.rows["t"] == TargetOutcome("t", True, "", NOW, NOW + 60_000, "two")
    assert two.told == []
    await one.outcomes.refresh(["t"])
    assert one.learned == []


async def test_a_late_word_replaces_nothing_newer(world: World) -> None:
    """What a replica saw before it lost a target, and could not write, comes too late."""
    one, two = world.one, world.two
    world.kept.away = True
    one.probe(up=False, reason="timeout")
    one.probed.clear()
    world.kept.away = False
    await world.clock.advance(20)
    two.probe(up=True)
    await two.outcomes.flush()
    await one.outcomes.flush()
    assert world.kept.rows["t"].success is True
    await one.outcomes.refresh(["t"])
    assert one.outcomes.last("t") is True


async def test_a_clock_that_is_ahead_does_not_win(world: World) -> None:
    """Who probes a target now has the last word, whatever the clock of the one before says."""
    one, two = world.one, world.two
    one.probe(up=True)
    ahead = replace(one.outcomes.get("t") or pytest.fail("unknown"), at=NOW + 30_000)
    world.kept.rows["t"] = ahead
    one.probed.clear()
    two.probe(up=False, reason="dns")
    await two.outcomes.flush()
    assert world.kept.rows["t"].success is True
    await two.outcomes.refresh(["t"])
    assert two.learned == []
    await two.outcomes.flush()
    assert world.kept.rows["t"].success is False
    assert two.outcomes.last("t") is False


async def test_what_waits_is_the_newest_of_each_target(world: World) -> None:
    """While the database is away nothing grows, and the last state is written when it is back."""
    world.kept.away = True
    for up in (True, False, True, False):
        world.one.probe(up=up, reason="" if up else "timeout")
        with pytest.raises(Unavailable):
            await world.one.outcomes.flush()
    assert world.one.waiting() == 1
    world.kept.away = False
    await world.one.outcomes.flush()
    assert world.one.waiting() == 0
    assert world.kept.rows["t"].success is False


async def test_of_what_is_paused_or_gone_nothing_is_known(world: World) -> None:
    """A paused target that was down mutes nobody, here or after what others still say."""
    one, two = world.one, world.two
    one.probe(up=False, reason="dns")
    await one.outcomes.flush()
    await two.outcomes.load()
    two.outcomes.on_change(change(Change.CHANGED, paused=True))
    await two.outcomes.load()
    assert two.outcomes.last("t") is None
    two.outcomes.on_change(change(Change.CHANGED))
    await two.outcomes.load()
    assert two.outcomes.last("t") is False
    two.outcomes.on_change(change(Change.REMOVED))
    assert two.outcomes.last("t") is None


async def test_a_row_that_is_gone_is_forgotten(world: World) -> None:
    """Unless this replica has yet to write it."""
    one, two = world.one, world.two
    one.probe(up=True)
    await two.outcomes.refresh(["t"])
    await one.outcomes.refresh(["t"])
    await one.outcomes.load()
    assert one.outcomes.get("t") is not None
    await one.outcomes.flush()
    await two.outcomes.refresh(["t"])
    assert two.outcomes.last("t") is True
    world.kept.rows.clear()
    await two.outcomes.refresh(["t"])
    await one.outcomes.load()
    assert two.outcomes.get("t") is None
    assert one.outcomes.get("t") is None


async def test_the_end_writes_what_waits(world: World) -> None:
    """And gives up what the database does not take."""
    world.one.probe(up=True)
    world.kept.away = True
    await world.one.outcomes.drain()
    assert world.one.waiting() == 1
    world.kept.away = False
    await world.one.outcomes.drain()
    assert world.kept.rows["t"].success is True
