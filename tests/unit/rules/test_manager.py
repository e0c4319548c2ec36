"""The manager on a clock moved by hand: slots, reloads, restarts, commits."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from controlplane.model.alert import AlertStatus
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.rules.options import RuleMatch, RuleSettings, RulesOptions
from controlplane.rules.ports import StateChange
from controlplane.rules.reactive import Pace
from controlplane.rules.schedule import slot, slot_offset
from controlplane.rules.state import AlertState
from tests.unit.rules.stage import FAST, SLOW, Stage
from tests.unit.rules.world import DEFAULTS, T0, States, World

NOT_REACTIVE = RuleSettings(RuleMatch(), reactive=False)


def test_slots_are_fixed_and_spread() -> None:
    """A slot depends on the key and the interval only, and never lies in the future."""
    offset = slot_offset("f.yml;g", 10_000)
    assert 0 <= offset < 10_000
    assert slot_offset("f.yml;g", 10_000) == offset
    assert slot_offset("f.yml;h", 10_000) != offset
    for now in (T0, T0 + 1, T0 + 9_999):
        found = slot(now, 10_000, offset)
        assert now - 10_000 < found <= now
        assert (found - offset) % 10_000 == 0


async def test_a_group_is_evaluated_in_its_slots() -> None:
    """Once an interval, at instants that are multiples of it plus the group's offset."""
    stage = Stage(World())
    async with stage.running(SLOW):
        await stage.advance(35)
        (rule,) = stage.manager.groups()[0].rules
        times = [each.ts for each in rule.history]
    assert len(times) == 3
    offset = slot_offset("f.yml;g", 10_000)
    assert [(ts - offset) % 10_000 for ts in times] == [0, 0, 0]
    assert [after - before for before, after in pairwise(times)] == [10_000] * 2


async def test_slots_that_passed_are_counted() -> None:
    """A jump over several slots evaluates the last of them, and counts the others."""
    stage = Stage(World())
    async with stage.running(SLOW):
        await stage.advance(10)
        stage.world.clock.set(stage.world.clock.now() + 50_000)
        await stage.advance(10)
        value = stage.world.registry.get_sample_value
        key = {"rule_group": "f.yml;g"}
        assert value("controlplane_rule_group_iterations_missed_total", key) == 5
        assert value("controlplane_rule_group_iterations_total", key) == 7
        (rule,) = stage.manager.groups()[0].rules
        assert len(rule.history) == 2


async def test_a_clock_that_is_set_back_does_not_stop_evaluation() -> None:
    """Slots go on from the new time."""
    stage = Stage(World())
    async with stage.running(SLOW):
        await stage.advance(10)
        stage.world.clock.set(T0 - 3_600_000)
        await stage.advance(40)
        (rule,) = stage.manager.groups()[0].rules
        assert len(rule.history) >= 3
        assert rule.history[-1].ts < T0 - 3_500_000


async def test_alerts_reach_the_sink_and_state_the_store() -> None:
    """Pending is stored, firing is sent with the evaluation's correlation id."""
    stage = Stage(World())
    async with stage.running(SLOW):
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await stage.advance(10)
        (kept,) = stage.states.kept.values()
        assert [alert.state for alert in kept.values()] == [AlertState.PENDING]
        assert stage.sink.alerts == []
        await stage.advance(20)
        (alert,) = stage.sink.alerts
        assert alert.labels == Labels({"alertname": "Down", "i": "a"})
        assert len(alert.correlation_id) == 16
        assert [alert.state for alert in kept.values()] == [AlertState.FIRING]


async def test_what_the_sink_refused_is_sent_again() -> None:
    """A sink or a database that is down for a while loses nothing."""
    stage = Stage(World())
    async with stage.running(FAST):
        stage.sink.refuse = stage.states.refuse = True
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await stage.advance(3)
        assert stage.sink.alerts == []
        stage.sink.refuse = stage.states.refuse = False
        await stage.advance(3)
        assert len(stage.sink.alerts) == 1
        (kept,) = stage.states.kept.values()
        assert [alert.state for alert in kept.values()] == [AlertState.FIRING]


async def test_a_restart_goes_on_where_it_stopped() -> None:
    """A pending alert keeps its clock; a firing one is repeated, with its old start."""
    world = World()
    first = Stage(world)
    async with first.running(SLOW):
        world.put(T0 + 1, {"up{i=a}": 0})
        await first.advance(10)
        world.put(world.clock.now(), {"up{i=a}": 0})
    (kept,) = first.states.kept.values()
    (pending,) = kept.values()
    second = Stage(world, first.states)
    async with second.running(SLOW):
        assert second.states_of() == ["pending"]
        await second.advance(20)
        (fired,) = second.sink.alerts
        assert fired.starts_at - pending.active_at == 20_000
    third = Stage(world, first.states)
    async with third.running(SLOW):
        (again,) = third.sink.alerts
        assert again.starts_at == fired.starts_at
        assert again.ends_at > world.clock.now()


async def test_after_a_restart_silence_resolves_nothing_at_once() -> None:
    """A firing alert whose input has not been measured again waits two intervals."""
    world = World()
    first = Stage(world)
    async with first.running(FAST):
        world.put(T0 + 1, {"up{i=a}": 0})
        await first.advance(2)
    world.put(world.clock.now() + 1, {"up{i=a}": None})
    second = Stage(world, first.states)
    async with second.running(FAST):
        await second.advance(1)
        assert second.states_of() == ["firing"]
        await second.advance(2)
        assert second.states_of() == ["inactive"]
        assert second.sink.alerts[-1].status(world.clock.now()) is AlertStatus.RESOLVED


async def test_alerts_of_a_rule_that_went_while_we_were_down_are_resolved() -> None:
    """The store's rows of unknown rules become resolved alerts, and go."""
    world = World()
    first = Stage(world)
    async with first.running(FAST):
        world.put(T0 + 1, {"up{i=a}": 0})
        await first.advance(2)
    second = Stage(world, first.states)
    async with second.running(""):
        (ended,) = second.sink.alerts
        assert ended.labels == Labels({"alertname": "Down", "i": "a"})
        assert ended.status(world.clock.now()) is AlertStatus.RESOLVED
    assert second.states.kept == {}


async def test_a_reload_keeps_what_did_not_change() -> None:
    """The same group runs on; in a changed one, rules of the same name and labels keep state."""
    stage = Stage(World())
    async with stage.running(FAST):
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await stage.advance(2)
        before = stage.manager.groups()[0].rules[0]
        await stage.apply("# a comment\n" + FAST)
        assert len(stage.manager.groups()[0].rules[0].history) == len(before.history)
        await stage.apply(FAST.replace("up == 0", "up < 1"))
        assert stage.states_of() == ["firing"]
        await stage.advance(2)
        assert stage.states_of() == ["firing"]
        assert len({alert.starts_at for alert in stage.sink.alerts}) == 1


async def test_a_rule_that_moved_to_another_group_keeps_its_alerts() -> None:
    """Renaming a group neither resolves nor fires anew."""
    stage = Stage(World())
    async with stage.running(FAST):
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await stage.advance(2)
        await stage.apply(FAST.replace("name: g", "name: renamed"))
        await stage.advance(4)
        assert stage.states_of() == ["firing"]
        assert len({alert.starts_at for alert in stage.sink.alerts}) == 1
        now = stage.world.clock.now()
        assert {alert.status(now) for alert in stage.sink.alerts} == {AlertStatus.FIRING}
        assert len(stage.world.ask("ALERTS", now)) == 1


async def test_a_removed_rule_resolves_its_alerts_and_ends_its_series() -> None:
    """Receivers are told at once; ALERTS gets its staleness marker two intervals later."""
    stage = Stage(World())
    async with stage.running(FAST):
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await stage.advance(2)
        await stage.apply("")
        await stage.settle()
        assert stage.sink.alerts[-1].status(stage.world.clock.now()) is AlertStatus.RESOLVED
        assert stage.states.kept == {}
        await stage.advance(3)
        assert stage.world.ask("ALERTS", stage.world.clock.now()) == {}
        assert stage.manager.groups() == []


async def test_a_commit_sets_off_the_rules_that_read_it() -> None:
    """Without the clock moving on, an alert fires because its samples have come."""
    stage = Stage(World())
    async with stage.running(FAST):
        await stage.advance(1)
        stage.world.put(stage.world.clock.now(), {"up{i=a}": 0})
        await stage.settle()
        assert [alert.name for alert in stage.sink.alerts] == ["Down"]
        (rule,) = stage.manager.groups()[0].rules
        assert rule.history[-1].reactive


async def test_other_commits_set_off_nothing() -> None:
    """Series that no reactive rule reads, and what rules themselves write, are passed by."""
    stage = Stage(World())
    async with stage.running(FAST):
        await stage.advance(1)
        stage.world.put(stage.world.clock.now(), {"up{i=a}": 1, "other{}": 1})
        await stage.settle()
        passes = len(stage.manager.groups()[0].rules[0].history)
        stage.world.put(stage.world.clock.now() + 1, {"other{}": 2})
        stage.world.put(stage.world.clock.now() + 1, {"up{i=a}": 0}, origin="rules/x")
        await stage.settle()
        assert len(stage.manager.groups()[0].rules[0].history) == passes


@pytest.mark.parametrize(("text", "reactive"), [(FAST, False), (SLOW, True)])
async def test_a_setting_decides_what_is_reactive(text: str, reactive: bool) -> None:
    """`rule_settings` turn it on for a slow group and off for a fast one."""
    stage = Stage(World())
    setting = RuleSettings(RuleMatch(alertname="Do.*"), reactive=reactive)
    async with stage.running(text, RulesOptions(settings=(setting,))):
        assert stage.manager.groups()[0].rules[0].reactive is reactive


def test_reactive_work_is_a_tenth_of_the_time() -> None:
    """After a pass comes a rest nine times as long; the first after a rest does not wait."""
    pace = Pace()
    assert pace.wait(100.0) == 0
    pace.spent(0.01, 100.01)
    assert pace.wait(100.01) == pytest.approx(0.09)
    assert pace.wait(100.2) == 0


async def test_commits_during_the_rest_are_looked_at_after_it() -> None:
    """Nothing is forgotten when the pace holds a pass back."""
    stage = Stage(World())
    async with stage.running(FAST):
        stage.manager._evaluator.pace.spent(0.05, stage.world.clock.monotonic())
        stage.world.put(stage.world.clock.now(), {"up{i=a}": 0})
        await stage.settle()
        assert stage.sink.alerts == []
        await stage.advance(0.5, step=0.5)
        assert [alert.name for alert in stage.sink.alerts] == ["Down"]


class SlowStates(States):
    """Answers only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def save(self, changes: Sequence[StateChange], fence: Fence = OPEN) -> None:
        await self.open.wait()
        await super().save(changes, fence)


async def test_nothing_is_shown_that_a_killed_process_would_not_know_again() -> None:
    """Neither the API nor `ALERTS` tells of an alert before its clock is saved."""
    states = SlowStates()
    stage = Stage(World(), states)
    async with stage.running(SLOW):
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await _next_slot(stage)
        (rule,) = stage.manager.groups()[0].rules
        assert rule.history, "it was evaluated"
        assert stage.states_of() == []
        assert stage.world.ask("ALERTS", stage.world.clock.now()) == {}
        states.open.set()
        await stage.settle()
        assert stage.states_of() == ["pending"]
        assert len(stage.world.ask("ALERTS", stage.world.clock.now())) == 1
        (shown,) = stage.manager.groups()[0].rules[0].alerts
        assert [kept.active_at for kept in states.kept[rule.rule_id].values()] == [shown.active_at]


async def test_a_database_that_is_away_holds_up_neither_evaluation_nor_sight_for_long() -> None:
    """After a second alerts are shown unsaved, which is counted; then nothing waits any more."""
    states = SlowStates()
    stage = Stage(World(), states)
    async with stage.running(FAST.replace("up == 0", "up == 0, for: 1h")):
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await stage.advance(1)
        await stage.advance(1.2, step=0.2)
        assert stage.states_of() == ["pending"]
        assert stage.count("controlplane_rule_state_shown_unsaved_total") == 1
        stage.world.put(stage.world.clock.now(), {"up{i=b}": 0})
        await stage.advance(1)
        assert stage.states_of() == ["pending", "pending"]
        assert len(stage.manager.groups()[0].rules[0].history) >= 3
        states.open.set()
        await stage.advance(1)
        (kept,) = states.kept.values()
        assert len(kept) == 2
        states.open.clear()
        passes = len(stage.manager.groups()[0].rules[0].history)
        stage.world.put(stage.world.clock.now(), {"up{i=c}": 0})
        await stage.advance(0.9, step=0.3)
        assert len(stage.manager.groups()[0].rules[0].history) > passes
        assert stage.states_of() == ["pending", "pending"], "it waits again"
        states.open.set()


async def test_passes_are_shown_in_their_order() -> None:
    """One that changed nothing waits behind one that is being saved."""
    states = SlowStates()
    stage = Stage(World(), states)
    async with stage.running(FAST.replace("up == 0", "up < 5, for: 1h")):
        stage.world.put(T0, {"up{i=a}": 0})
        await stage.settle()
        await stage.advance(0.2, step=0.1)
        stage.world.put(stage.world.clock.now(), {"up{i=a}": 1})
        await stage.advance(0.2, step=0.1)
        assert stage.states_of() == []
        states.open.set()
        await stage.settle()
        (shown,) = stage.manager.groups()[0].rules[0].alerts
        assert shown.value == 1


async def test_a_rule_sees_the_alerts_of_an_earlier_one_in_the_same_pass() -> None:
    """What a later rule of the group reads is not held back."""
    states = SlowStates()
    stage = Stage(World(), states)
    text = FAST + "  - {record: seen, expr: count(ALERTS)}\n"
    async with stage.running(text, replace(DEFAULTS, settings=(NOT_REACTIVE,))):
        stage.world.put(T0 + 1, {"up{i=a}": 0})
        await stage.advance(1)
        assert list(stage.world.ask("seen", stage.world.clock.now()).values()) == [1]
        states.open.set()


async def test_what_was_being_saved_when_it_ended_is_saved_by_the_drain() -> None:
    """A cancelled save is not taken for done."""
    states = SlowStates()
    stage = Stage(World(), states)
    async with stage.running(FAST):
        stage.world.put(T0, {"up{i=a}": 0})
        await stage.settle()
        asyncio.get_running_loop().call_later(0.05, states.open.set)
    (kept,) = states.kept.values()
    assert len(kept) == 1


async def _next_slot(stage: Stage) -> None:
    """Move on to the first evaluation, and not a quarter of a second further."""
    while not stage.manager.groups()[0].rules[0].history:
        await stage.advance(0.25, step=0.25)
