"""Whoever was told "firing" is told "resolved": through mutes, faults, reloads and crashes."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.demo.standins import PagerDutyStandIn
from controlplane.model.labels import Labels
from controlplane.notify.incident import Incident, Told
from tests.support.alerting import alerting, firing
from tests.support.clock import ManualClock
from tests.unit.notify.contract import FAULTS, MUTES, ROUTES, SILENCES, Machine

OPERATIONS = st.one_of(
    st.tuples(st.just("fire"), st.sampled_from("123")),
    st.tuples(st.just("mention"), st.sampled_from("123")),
    st.tuples(st.just("resolve"), st.sampled_from("123")),
    st.tuples(
        st.just("silence"),
        st.builds("{} {}".format, st.sampled_from(("1", "2", "all")), st.sampled_from(SILENCES)),
    ),
    st.tuples(st.sampled_from(("extend", "expire", "crash", "wait")), st.just("")),
    st.tuples(st.just("mute"), st.sampled_from(sorted(MUTES))),
    st.tuples(st.just("reload"), st.sampled_from(sorted(ROUTES))),
    st.tuples(st.just("fault"), st.sampled_from(sorted(FAULTS))),
)
_ANY_TIME = [HealthCheck.too_slow, HealthCheck.data_too_large]


async def play(operations: list[tuple[str, str]]) -> None:
    async with PagerDutyStandIn() as pagerduty:
        with TemporaryDirectory() as directory:
            machine = Machine(Path(directory), pagerduty)
            await machine.start()
            try:
                await machine.do(operations)
                await machine.quiet()
                await machine.verify()
            finally:
                await machine.stop()


@settings(max_examples=6, deadline=None, suppress_health_check=_ANY_TIME)
@given(operations=st.lists(OPERATIONS, max_size=10))
def test_every_incident_that_was_opened_is_closed(operations: list[tuple[str, str]]) -> None:
    """At quiescence nothing is open, and nothing was opened twice, whatever happened."""
    asyncio.run(play(operations))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=_ANY_TIME)
@given(operations=st.lists(OPERATIONS, min_size=6, max_size=30))
def test_every_incident_is_closed_in_the_long_run(operations: list[tuple[str, str]]) -> None:
    """The same, longer and more often."""
    asyncio.run(play(operations))


@pytest.mark.parametrize(
    "mutes",
    [
        [("silence", "1 long")],
        [("silence", "all in hours")],
        [("silence", "1 until resolved"), ("wait", "")],
        [("reload", "not at night"), ("mute", "night")],
        [("reload", "only at night")],
        [("fire", "3"), ("mute", "3 inhibits")],
        [("silence", "1 long"), ("crash", ""), ("reload", "renamed")],
        [("silence", "1 long"), ("reload", "gone")],
    ],
    ids=str,
)
async def test_an_end_is_told_through_every_mute(
    tmp_path: Path, mutes: list[tuple[str, str]]
) -> None:
    """What was told before the mute began ends within it, once."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.do([*mutes, ("wait", ""), ("resolve", "1"), ("wait", "")])
        await machine.quiet()
        await machine.verify()
        assert await machine.opened("1") == 1
        await machine.stop()


async def test_an_alert_that_ran_out_stays_ended_over_a_restart(tmp_path: Path) -> None:
    """Nobody spoke of it again and the receiver was told the end: no restart opens it anew."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.mention("1", lasts=1_500)
        await pagerduty.wait_for(lambda: [i.resolved for i in pagerduty.incidents] == [True])
        await machine.do([("crash", ""), ("wait", ""), ("wait", "")])
        await machine.quiet()
        await machine.verify()
        await machine.stop()


async def test_an_acknowledgement_hides_one_episode(tmp_path: Path) -> None:
    """Its alert ends and is told so; when it fires again at once, it is told again."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.do([("silence", "1 until resolved"), ("wait", ""), ("resolve", "1")])
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.incidents) == 2)
        assert machine.acknowledged() == []
        await machine.quiet()
        await machine.verify()
        await machine.stop()


async def test_a_changed_route_keeps_the_incident(tmp_path: Path) -> None:
    """The group comes under another key; the receiver sees one incident, and its end."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.reload("renamed")
        await machine.wait("")
        await machine.resolve("1")
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
        await machine.stop()
    assert [(i.triggers, i.resolved) for i in pagerduty.incidents] == [(1, True)]


async def test_a_removed_receiver_is_told_the_end_at_once(tmp_path: Path) -> None:
    """What a reload takes away is resolved with the integration it was opened with."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.reload("gone")
        await machine.system.sweeper.sweep(machine.system.clock.now())
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
        while await machine.system.store.open_incidents():
            await machine.system.clock.sleep(0.01)
        await machine.system.sweeper.sweep(machine.system.clock.now())
        assert machine.system.channels.retired() == ()
        await machine.stop()


async def test_an_alert_moved_to_another_receiver_is_resolved_at_the_first_too(
    tmp_path: Path,
) -> None:
    """The first receiver's incident stays open while the alert fires, and ends with it."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.reload("elsewhere")
        await pagerduty.wait_for(lambda: len(pagerduty.incidents) == 2)
        assert len(pagerduty.open_incidents()) == 2
        await machine.resolve("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.system.sweeper.sweep(machine.system.clock.now())
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
        await machine.stop()


async def test_an_orphan_ends_once_the_end_of_its_alerts_is_written_down(tmp_path: Path) -> None:
    """A restart before that would have the alert fire, and open the incident anew."""
    async with PagerDutyStandIn() as pagerduty:
        machine, clock = Machine(tmp_path, pagerduty), ManualClock()
        async with alerting(
            tmp_path, ROUTES["plain"], machine.receivers(), clock=clock, start=False
        ) as system:
            alert = firing(clock.now(), lasts=1_000, n="1")
            await system.alerts.put([alert])
            told = Told(frozenset({alert.fingerprint}))
            orphan = Incident(
                *("1", "ops", "pagerduty/0", "gone", Labels(), "gone", clock.now()),
                delivered=told,
                exposed=True,
            )
            async with system.store.begin() as tx:
                await tx.put_incident(orphan)
            clock.set(clock.now() + 2_000)
            assert await system.sweeper.sweep(clock.now()) == 0
            await system.alerts.gc(clock.now())
            assert await system.sweeper.sweep(clock.now()) == 1
