"""A target passes from one replica's schedule to another's: its ticks, its series, its news."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlplane.model.labels import Labels
from controlplane.probes.job import ProbeJob, Taken
from controlplane.probes.metrics import ProbeMetrics
from controlplane.probes.options import Module
from controlplane.probes.outcome import Evidence, Outcome, ProbeSample, Reason, outcome_of
from controlplane.probes.prober import Done, Start, Tools
from controlplane.probes.schedule import Schedule
from controlplane.probes.wheel import phase, slot_at
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from tests.support.clock import ManualClock
from tests.unit.probes.test_schedule import Appended

INTERVAL = 10_000
GOOD = outcome_of([ProbeSample("probe_x", 1.0)], 0.25)
BAD = outcome_of([], 0.5, Reason.TIMEOUT, Evidence("late"))
WORSE = outcome_of([], 0.5, Reason.DNS, Evidence("gone"))


class Replica:
    """A schedule; its probes end at once with `outcome`, or by hand when there is none."""

    def __init__(
        self,
        clock: ManualClock,
        outcome: Outcome | None = GOOD,
        owned: set[str] | None = None,
    ) -> None:
        self.clock = clock
        self.owned = owned if owned is not None else {"a"}
        self.outcome = outcome
        self.store = Appended()
        self.registry = CollectorRegistry()
        self.pending: list[Done] = []
        self.told: list[tuple[str, bool, str]] = []
        resolver, policy = StubResolver(clock), OutboundPolicy()
        tools = Tools(Client(Engine(clock), resolver, policy, clock), resolver, policy, clock)
        self.schedule = Schedule(
            tools,
            {"hand": self._prober},
            self.store,
            ProbeMetrics(self.registry),
            lambda *_: None,
            lambda target, up, reason: self.told.append((target, up, reason)),
            owns=lambda key: key in self.owned,
        )

    def _prober(self, _tools: Tools, _target: str, _module: Module) -> Start:
        def start(_timeout: float, done: Done) -> None:
            if self.outcome is None:
                self.pending.append(done)
            else:
                done(self.outcome)

        return start

    def put(self, key: str = "a", taken: Taken | None = None) -> None:
        self.schedule.put(job(key), taken)

    def slots(self) -> list[int]:
        """The slots of all results so far."""
        return [int(write.times) for write in self.store.writes]

    def missed(self) -> float:
        labels = {"cause": "taken_over"}
        return self.registry.get_sample_value("controlplane_probe_ticks_missed_total", labels) or 0


def job(key: str = "a") -> ProbeJob:
    labels = Labels({"job": "j", "instance": key})
    return ProbeJob(key, key, labels, Module("hand"), INTERVAL, "m")


async def advance(clock: ManualClock, seconds: float, *replicas: Replica) -> None:
    for _ in range(round(seconds * 10)):
        await clock.advance(0.1)
        for replica in replicas:
            replica.schedule.turn()
    await clock.settle()


@pytest.fixture
def clock() -> ManualClock:
    """The one time that all replicas live in."""
    return ManualClock()


@given(
    st.lists(
        st.tuples(
            st.integers(1, 250).map(lambda tenths: tenths / 10),
            st.integers(0, 10).map(lambda tenths: tenths / 10),
            st.integers(0, 45).map(lambda tenths: tenths / 10),
            st.integers(0, 45).map(lambda tenths: tenths / 10),
        ),
        max_size=6,
    )
)
@example([(tenths / 10, 1.0, 0.0, 0.0) for tenths in range(1, 20)])
@settings(max_examples=20, deadline=None)
def test_no_slot_is_doubled_and_none_missed(
    spells: list[tuple[float, float, float, float]],
) -> None:
    """However often a target passes on in good order, with or without a while in between.

    Also when it is let go of while its tick is late, as on a busy event loop.
    """

    async def life() -> None:
        clock = ManualClock()
        one, other = Replica(clock), Replica(clock)
        begun = clock.now()
        one.put()
        for spell, late, quiet, between in spells:
            await advance(clock, spell, one, other)
            await clock.advance(late)
            one.schedule.release("a")
            await advance(clock, quiet, one, other)
            await one.schedule.quiet()
            one.schedule.make_up()
            released = clock.now()
            await advance(clock, between, one, other)
            other.put(taken=Taken(well=True, since=released))
            one, other = other, one
        await advance(clock, 20, one, other)
        slots = sorted(
            slot_at(time, INTERVAL, phase("a", INTERVAL)) for time in one.slots() + other.slots()
        )
        first = slot_at(begun, INTERVAL, phase("a", INTERVAL)) + INTERVAL
        assert slots == list(range(first, clock.now() + 1, INTERVAL))
        assert one.missed() == other.missed() == 0

    asyncio.run(life())


async def test_a_probe_under_way_ends_and_is_stored(clock: ManualClock) -> None:
    """`quiet` waits for it; no further one begins, and no series ends."""
    replica = Replica(clock, outcome=None)
    replica.put()
    await advance(clock, 10, replica)
    replica.schedule.release("a")
    replica.schedule.release("a")
    waiting = asyncio.create_task(replica.schedule.quiet())
    await advance(clock, 30, replica)
    assert not waiting.done()
    assert len(replica.pending) == 1
    replica.pending.pop()(GOOD)
    await waiting
    assert replica.store.last()["probe_success"] == 1.0
    assert len(replica.store.writes) == 1
    assert replica.schedule.jobs() == []
    assert replica.schedule.succeeded("a") is None


async def test_a_slot_that_begins_while_others_wait_is_made_up_for(clock: ManualClock) -> None:
    """Once, as of its slot, and only until others may begin."""
    replica = Replica(clock)
    replica.put()
    await advance(clock, 10, replica)
    (slot,) = replica.slots()
    replica.schedule.release("a")
    await clock.advance((slot + INTERVAL - clock.now()) / 1000)
    replica.schedule.make_up()
    replica.schedule.make_up()
    await clock.settle()
    assert replica.slots() == [slot, slot + INTERVAL]
    await clock.advance(INTERVAL / 1000)
    replica.schedule.make_up()
    assert len(replica.slots()) == 2


@pytest.mark.parametrize(
    ("seconds", "happens"),
    [
        (0, lambda replica: None),
        (15.1, lambda replica: None),
        (10, lambda replica: replica.schedule.remove("a")),
        (10, lambda replica: replica.put()),
    ],
    ids=["no slot since", "too late", "gone", "back"],
)
async def test_nothing_else_is_made_up_for(
    seconds: float, happens: Callable[[Replica], None]
) -> None:
    """What others may have probed, what is gone, and what is on the schedule again."""
    newest = slot_at(ManualClock().now(), INTERVAL, phase("a", INTERVAL))
    clock = ManualClock(newest)
    replica = Replica(clock)
    replica.put()
    replica.schedule.release("a")
    happens(replica)
    await clock.advance(seconds)
    replica.schedule.make_up()
    await clock.settle()
    assert replica.slots() == []


async def test_who_stood_still_makes_up_for_nothing(clock: ManualClock) -> None:
    """Its targets may have been another's for a while when it lets go of them."""
    replica = Replica(clock)
    replica.put()
    slot = slot_at(clock.now(), INTERVAL, phase("a", INTERVAL)) + INTERVAL
    await clock.advance((slot + 2_000 - clock.now()) / 1000)
    replica.schedule.release("a")
    replica.schedule.make_up()
    await clock.settle()
    assert replica.slots() == []


async def test_nobody_waits_for_what_was_not_under_way(clock: ManualClock) -> None:
    """Without a probe under way it is quiet at once, and what is released leaves no marker."""
    replica = Replica(clock)
    replica.put()
    await advance(clock, 10, replica)
    writes = len(replica.store.writes)
    replica.schedule.release("a")
    replica.schedule.release("never was there")
    await replica.schedule.quiet()
    await advance(clock, 30, replica)
    assert len(replica.store.writes) == writes


async def test_a_probe_that_was_lost_holds_up_nobody(clock: ManualClock) -> None:
    """Half a minute after its time-out it is given up here too."""
    replica = Replica(clock, outcome=None)
    replica.put()
    await advance(clock, 10, replica)
    replica.schedule.release("a")
    await clock.advance(60)
    await replica.schedule.quiet()


async def test_what_comes_back_at_once_keeps_its_probe(clock: ManualClock) -> None:
    """The result of the probe under way counts, and the next slot has the next one."""
    replica = Replica(clock, outcome=None)
    replica.put()
    await advance(clock, 10, replica)
    replica.schedule.release("a")
    replica.put()
    await replica.schedule.quiet()
    replica.pending.pop()(GOOD)
    assert replica.schedule.succeeded("a") is True
    await advance(clock, 10, replica)
    assert len(replica.pending) == 1


async def test_what_nobody_probed_is_counted(clock: ManualClock) -> None:
    """The slots since the one before was last heard of, and not the one under way then."""
    newest = slot_at(clock.now(), INTERVAL, phase("a", INTERVAL))
    clock = ManualClock(newest + INTERVAL - 50)
    replica = Replica(clock)
    replica.put(taken=Taken(since=newest - 3 * INTERVAL + 1))
    assert replica.missed() == 3
    replica.put("b", Taken(well=False, reason=Reason.DNS))
    replica.put("c", Taken(since=clock.now() + 60_000))
    replica.put("d", Taken(since=clock.now() - 600_001))
    assert replica.missed() == 3
    await clock.settle()
    replica.schedule.turn()
    assert replica.store.writes == []


async def test_a_slot_that_has_just_begun_is_made_up_for(clock: ManualClock) -> None:
    """It is probed at once, and not counted as missed. Its samples have a time of their own:

    who died may have written some as of that slot. The next slot is probed as ever.
    """
    newest = slot_at(clock.now(), INTERVAL, phase("a", INTERVAL))
    clock = ManualClock(newest + 5_000)
    replica = Replica(clock)
    replica.put(taken=Taken(since=newest - 3 * INTERVAL + 1))
    assert replica.missed() == 2
    await advance(clock, 0.1, replica)
    assert replica.slots() == [newest + 5_000]
    await advance(clock, INTERVAL / 1000, replica)
    assert replica.slots() == [newest + 5_000, newest + INTERVAL]


async def test_a_slot_waits_for_what_is_made_up(clock: ManualClock) -> None:
    """It begins right before the slot, and has not ended by then: the slot's own comes after it."""
    newest = slot_at(clock.now(), INTERVAL, phase("a", INTERVAL))
    clock = ManualClock(newest + INTERVAL - 150)
    replica = Replica(clock, outcome=None)
    replica.put(taken=Taken(since=newest - 1))
    await advance(clock, 1, replica)
    assert len(replica.pending) == 1
    replica.pending.pop()(GOOD)
    await advance(clock, 0.1, replica)
    assert len(replica.pending) == 1
    replica.pending.pop()(GOOD)
    await advance(clock, 10, replica)
    made_up, late = replica.slots()
    assert made_up < newest + INTERVAL < late < newest + INTERVAL + 1_500
    assert len(replica.pending) == 1


async def test_what_comes_back_with_a_probe_under_way_has_missed_no_slot(
    clock: ManualClock,
) -> None:
    """One that was cut off begins a probe, and another has the target until it is back."""
    replica = Replica(clock, outcome=None)
    replica.put()
    await advance(clock, 10, replica)
    replica.schedule.release("a")
    newest = slot_at(clock.now(), INTERVAL, phase("a", INTERVAL)) + INTERVAL
    await advance(clock, 11, replica)
    replica.put(taken=Taken(well=True, since=newest - 1))
    replica.pending.pop()(BAD)
    await advance(clock, 0.2, replica)
    assert len(replica.pending) == 1, "the slot that nobody probed is made up for"


async def test_after_a_standstill_only_what_is_still_owned_is_probed(clock: ManualClock) -> None:
    """A process that was paused may have been taken for dead."""
    replica = Replica(clock, owned={"a"})
    for key in ("a", "b"):
        replica.put(key)
    await advance(clock, 10, replica)
    assert len(replica.slots()) == 2
    replica.owned.clear()
    await advance(clock, 10, replica)
    assert len(replica.slots()) == 4
    replica.owned.add("b")
    await clock.advance(60)
    replica.schedule.turn()
    await clock.settle()
    assert len(replica.slots()) == 5
    assert [job.key for job in replica.schedule.jobs()] == ["b"]


async def test_what_was_known_is_no_news(clock: ManualClock) -> None:
    """A target that is down as before is told to those who keep states, and not logged."""
    replica = Replica(clock, BAD)
    with capture_logs() as logs:
        replica.put(taken=Taken(well=False, reason=Reason.TIMEOUT))
        await advance(clock, 10, replica)
        assert logs == []
        replica.outcome = GOOD
        await advance(clock, 10, replica)
    assert [line["event"] for line in logs] == ["target up"]
    assert replica.told == [("a", False, "timeout"), ("a", True, "")]


async def test_a_change_that_came_with_the_hand_over_is_news(clock: ManualClock) -> None:
    """Up before and down at its first probe here: that is logged."""
    replica = Replica(clock, BAD)
    with capture_logs() as logs:
        replica.put(taken=Taken(well=True))
        await advance(clock, 10, replica)
    assert [line["event"] for line in logs] == ["target down"]


async def test_another_reason_is_told_and_not_logged(clock: ManualClock) -> None:
    """Those who keep states know why a target is down now."""
    replica = Replica(clock, BAD)
    replica.put()
    await advance(clock, 10, replica)
    with capture_logs() as logs:
        replica.outcome = WORSE
        await advance(clock, 20, replica)
    assert logs == []
    assert replica.told == [("a", False, "timeout"), ("a", False, "dns")]


async def test_the_reason_of_the_one_before_ends(clock: ManualClock) -> None:
    """Its series would be read for minutes beside the one of now, or beside a success."""
    replica = Replica(clock)
    replica.put(taken=Taken(well=False, reason=Reason.TIMEOUT))
    await advance(clock, 10, replica)
    assert replica.store.last()["probe_failure_info"] == -1.0
    assert replica.store.last()["probe_success"] == 1.0
    await advance(clock, 10, replica)
    assert "probe_failure_info" not in replica.store.last()


async def test_the_series_of_a_target_that_is_removed_at_once_end(clock: ManualClock) -> None:
    """Also when none of them was written here."""
    replica = Replica(clock)
    replica.put(taken=Taken(well=True))
    replica.schedule.remove("a")
    await clock.settle()
    assert replica.store.last() == {
        "probe_success": -1.0,
        "probe_duration_seconds": -1.0,
        "probe_timeout_seconds": -1.0,
    }
