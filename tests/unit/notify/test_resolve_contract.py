"""Whoever was told "firing" is told "resolved": through mutes, faults, reloads and crashes."""

import asyncio
from collections.abc import AsyncIterator
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
    with TemporaryDirectory() as directory:
        async with PagerDutyStandIn() as pagerduty, Machine(Path(directory), pagerduty) as machine:
            await machine.play(operations)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """Give a started one."""
    async with PagerDutyStandIn() as pagerduty, Machine(tmp_path, pagerduty) as machine:
        yield machine


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
    machine: Machine, mutes: list[tuple[str, str]]
) -> None:
    """What was told before the mute began ends within it, once."""
    await machine.open("1")
    await machine.play([*mutes, ("wait", ""), ("resolve", "1"), ("wait", "")])
    assert await machine.opened("1") == 1


async def test_an_alert_that_ran_out_stays_ended_over_a_restart(machine: Machine) -> None:
    """Nobody spoke of it again and the receiver was told the end: no restart opens it anew."""
    await machine.mention("1", lasts=1_500)
    pagerduty = machine.pagerduty
    await pagerduty.wait_for(lambda: [i.resolved for i in pagerduty.incidents] == [True])
    await machine.play([("crash", ""), ("wait", ""), ("wait", "")])


async def test_an_acknowledgement_hides_one_episode(machine: Machine) -> None:
    """Its alert ends and is told so; when it fires again at once, it is told again."""
    await machine.open("1")
    await machine.do([("silence", "1 until resolved"), ("wait", ""), ("resolve", "1")])
    pagerduty = machine.pagerduty
    await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
    await machine.fire("1")
    await pagerduty.wait_for(lambda: len(pagerduty.incidents) == 2)
    assert machine.acknowledged() == []
    await machine.play([])


async def test_a_changed_route_keeps_the_incident(machine: Machine) -> None:
    """The group comes under another key; the receiver sees one incident, and its end."""
    await machine.open("1")
    await machine.do([("reload", "renamed"), ("wait", ""), ("resolve", "1")])
    pagerduty = machine.pagerduty
    await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
    await machine.stack.aclose()
    assert [(i.triggers, i.resolved) for i in pagerduty.incidents] == [(1, True)]


async def test_a_removed_receiver_is_told_the_end_at_once(machine: Machine) -> None:
    """What a reload takes away is resolved with the integration it was opened with."""
    await machine.open("1")
    await machine.reload("gone")
    system, pagerduty = machine.system, machine.pagerduty
    await system.sweeper.sweep(machine.now)
    await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
    while await system.store.open_incidents():
        await system.clock.sleep(0.01)
    await system.sweeper.sweep(machine.now)
    assert system.channels.retired() == ()


async def test_an_alert_moved_to_another_receiver_is_resolved_at_the_first_too(
    machine: Machine,
) -> None:
    """The first receiver's incident stays open while the alert fires, and ends with it."""
    await machine.open("1")
    await machine.reload("elsewhere")
    pagerduty = machine.pagerduty
    await pagerduty.wait_for(lambda: len(pagerduty.incidents) == 2)
    assert len(pagerduty.open_incidents()) == 2
    await machine.resolve("1")
    await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
    await machine.system.sweeper.sweep(machine.now)
    await pagerduty.wait_for(lambda: not pagerduty.open_incidents())


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
