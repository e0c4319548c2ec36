"""Rule groups on several replicas: handed over, taken over, fenced, shown everywhere."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import OPEN, Fence, Token
from controlplane.model.labels import Labels
from controlplane.rules.group import Pass
from controlplane.rules.outlet import Outlet
from controlplane.rules.ports import StateChange
from controlplane.rules.schedule import slot, slot_offset
from controlplane.rules.state import AlertState
from controlplane.rules.status import Health
from tests.support.share import SettableShare
from tests.unit.rules.replicas import Replica, Replicas
from tests.unit.rules.stage import FAST, SLOW, Stage
from tests.unit.rules.test_manager import SlowStates
from tests.unit.rules.world import T0, Sink, States, World, labels

KEY = "f.yml;g"
DOWN = Labels({"alertname": "Down", "i": "a"})
TWO = """
groups:
- name: g
  interval: 10s
  rules:
  - {alert: Down, expr: up == 0, for: 20s}
  - {record: slots, expr: vector(1)}
- name: h
  interval: 10s
  rules:
  - {alert: Up, expr: up == 1}
"""


@asynccontextmanager
async def down(text: str) -> AsyncIterator[tuple[Replicas, Replica, Replica]]:
    """Give two replicas, of which the first has the group; what that watches is down."""
    replicas = Replicas()
    async with replicas.running(2, text) as [one, two]:
        await replicas.give(KEY, one)
        replicas.world.put(T0 + 1, {"up{i=a}": 0})
        yield replicas, one, two


async def test_nobody_evaluates_what_is_nobodys() -> None:
    """Without a share there are no passes, neither by the clock nor for a commit."""
    replicas = Replicas()
    async with replicas.running(1, FAST) as [one]:
        replicas.world.put(T0, {"up{i=a}": 0})
        await one.advance(5)
        assert one.manager.groups()[0].last_evaluation == 0
        assert replicas.sink.alerts == []


async def test_a_commit_sets_off_only_groups_that_are_ours() -> None:
    """A reactive rule is evaluated by the owner of its group, and by nobody else."""
    replicas = Replicas()
    async with replicas.running(2, FAST) as [one, two]:
        await replicas.give(KEY, two)
        replicas.world.put(T0, {"up{i=a}": 0})
        await one.settle()
        (alert,) = replicas.sink.alerts
        assert alert.labels == DOWN
        assert two.manager.groups()[0].rules[0].history[-1].reactive
        assert one.manager.groups()[0].rules[0].history == ()


async def test_a_take_over_keeps_every_clock() -> None:
    """A pending alert fires when its `for` is over, counted from where the other saw it."""
    async with down(SLOW) as (replicas, one, two):
        await one.advance(10)
        (pending,) = one.manager.groups()[0].rules[0].alerts
        await one.kill()
        await replicas.give(KEY, two)
        (shown,) = two.manager.groups()[0].rules[0].alerts
        assert (shown.state, shown.active_at) == (AlertState.PENDING, pending.active_at)
        await two.advance(20)
        (fired,) = replicas.sink.alerts
        assert fired.starts_at == pending.active_at + 20_000


async def test_a_firing_alert_is_told_again_by_who_takes_it_over() -> None:
    """At once, with the start it had; its receivers hear of no end in between."""
    async with down(FAST) as (replicas, one, two):
        await one.advance(2)
        (first,) = replicas.sink.alerts
        await one.kill()
        await replicas.give(KEY, two)
        again = replicas.sink.alerts[-1]
        assert len(replicas.sink.alerts) == 2
        assert again.starts_at == first.starts_at
        assert {each.status(T0 + 5_000) for each in replicas.sink.alerts} == {AlertStatus.FIRING}


async def test_a_hand_over_is_no_end() -> None:
    """`ALERTS` has no marker while nobody has the group; then it changes as one replica's would."""
    async with down(SLOW) as (replicas, one, two):
        await one.advance(10)
        await replicas.hand_over(KEY, one, two, 5)
        now = replicas.world.clock.now()
        assert list(replicas.world.ask("ALERTS", now)) == [
            str(labels("ALERTS{alertname=Down,alertstate=pending,i=a}"))
        ]
        assert one.states_of() == two.states_of() == ["pending"]
        await two.advance(20)
        assert list(replicas.world.ask("ALERTS", replicas.world.clock.now())) == [
            str(labels("ALERTS{alertname=Down,alertstate=firing,i=a}"))
        ]


async def test_who_was_paused_changes_nothing() -> None:
    """A pass decided under an old token is dropped for good, and so is what it was based on."""
    replicas = Replicas()
    async with replicas.running(2, FAST) as [one, two]:
        await replicas.give(KEY, one)
        await one.advance(1)
        await replicas.give(KEY, two)  # and nobody has told the first
        kept = {rule: dict(alerts) for rule, alerts in replicas.states.kept.items()}
        two.share.take(KEY)
        replicas.world.put(replicas.world.clock.now() + 1, {"up{i=a}": 0})
        await one.advance(3)
        assert one.count("controlplane_rule_passes_fenced_total") == 1
        assert {rule: dict(alerts) for rule, alerts in replicas.states.kept.items()} == kept
        assert replicas.sink.alerts == []
        assert one.states_of() == []
        assert replicas.world.ask("ALERTS", replicas.world.clock.now()) == {}
        await replicas.give(KEY, one)
        await one.advance(1)
        assert [alert.labels for alert in replicas.sink.alerts] == [DOWN]


async def test_the_fenced_group_costs_no_other() -> None:
    """What waits together is written apart when part of it is refused."""
    states, sink = States(), Sink()
    world = World()
    told: list[str] = []
    outlet = Outlet(
        sink,
        states,
        clock=world.clock,
        metrics=world.metrics,
        fenced=lambda group, _fence: told.append(group),
    )
    for number, group in enumerate("abc"):
        token = Token("evaluator", number, 1)
        alert = Alert(Labels({"alertname": group}), T0, T0 + 60_000, T0)
        change = StateChange(group, forgotten=[DOWN])
        outlet.offer(Pass([alert], [change], group=group, fence=Fence(frozenset({token}))))
    sink.stale = {Token("evaluator", 0, 1)}
    states.stale = {Token("evaluator", 1, 1)}
    assert await outlet.flush()
    assert sorted(told) == ["a", "b"]
    assert [alert.name for alert in sink.alerts] == ["c"]
    assert set(states.kept) == {"a", "c"}
    outlet.offer(Pass([alert], [], group="a", fence=Fence(frozenset({Token("evaluator", 0, 1)}))))
    assert await outlet.flush()
    assert len(sink.alerts) == 1


@pytest.mark.parametrize("value", [0, 1])
async def test_who_is_killed_before_it_told_is_made_good(value: int) -> None:
    """State is saved first: its alerts are sent by who restores it, a start and an end alike."""
    async with down(FAST) as (replicas, one, two):
        if value:
            await one.advance(1)
        replicas.sink.refuse = True
        replicas.world.put(replicas.world.clock.now() + 2, {"up{i=a}": value})
        await one.advance(2)
        await one.kill()
        replicas.sink.refuse = False
        await replicas.give(KEY, two)
        status = replicas.sink.alerts[-1].status(replicas.world.clock.now())
        assert status is (AlertStatus.RESOLVED if value else AlertStatus.FIRING)


async def test_quiet_waits_until_what_was_decided_is_written() -> None:
    """A group that is let go of is not free before its last pass is in the database."""
    states = SlowStates()
    replicas = Replicas(states)
    async with replicas.running(1, FAST) as [one]:
        await replicas.give(KEY, one)
        replicas.world.put(T0, {"up{i=a}": 0})
        await one.settle()
        one.share.take(KEY)
        quiet = asyncio.create_task(one.manager.quiet())
        await one.settle()
        assert not quiet.done()
        states.open.set()
        await quiet
        (kept,) = states.kept.values()
        assert [alert.state for alert in kept.values()] == [AlertState.FIRING]
        assert [alert.labels for alert in replicas.sink.alerts] == [DOWN]


async def test_who_gives_up_waiting_leaves_no_memory_behind() -> None:
    """A group that comes back begins with what the database holds, whatever was cut short."""
    replicas = Replicas()
    async with replicas.running(1, SLOW) as [one]:
        await replicas.give(KEY, one)
        replicas.world.put(T0 + 1, {"up{i=a}": 0})
        await one.advance(10)
        begun, busy = threading.Event(), threading.Event()

        def last() -> None:
            begun.set()
            busy.wait(30)

        waiting = asyncio.ensure_future(one.manager._evaluator.run(last))
        await asyncio.to_thread(begun.wait, 30)
        try:
            one.share.take(KEY)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await one.manager.quiet()
            (kept,) = replicas.states.kept.values()
            kept[DOWN] = replace(kept[DOWN], active_at=T0 + 5)  # by who had it meanwhile
        finally:
            busy.set()
        await waiting
        await replicas.give(KEY, one)
        assert [alert.active_at for alert in one.manager.groups()[0].rules[0].alerts] == [T0 + 5]


async def test_others_show_how_a_group_fares() -> None:
    """Alerts come from the database, times and health from what the owner tells."""
    async with down(SLOW) as (replicas, one, two):
        await one.advance(21)
        (there,) = one.manager.groups()
        (here,) = two.manager.groups()
        assert here.rules[0].alerts == ()
        await two.manager.refresh([there.rules[0].rule_id, "no rule's"])
        (here,) = two.manager.groups()
        assert [alert.labels for alert in here.rules[0].alerts] == [DOWN]
        assert here.last_evaluation == there.last_evaluation > 0
        assert here.rules[0].health is Health.OK
        assert here.rules[0].last_evaluation == there.rules[0].last_evaluation
        one.share.take(KEY)
        await one.manager.quiet()
        (left,) = one.manager.groups()
        assert (left.last_evaluation, left.rules[0].health) == (there.last_evaluation, Health.OK)
        await replicas.give(KEY, one)
        await one.advance(10)
        (there,) = one.manager.groups()
        # Of its own it knows better.
        await one.manager.refresh([there.rules[0].rule_id])
        assert one.manager.groups() == [there]


class Passes:
    """Counts the passes of a group by their slots, as the store sees them."""

    def __init__(self, world: World) -> None:
        self.at: Counter[int] = Counter()
        world.store.subscribe(self._on_commit)

    def _on_commit(self, writes: Sequence[object]) -> None:
        for write in writes:
            if getattr(write, "origin", "") == f"rules/{KEY}":
                self.at[getattr(write, "times", 0)] += 1


@pytest.mark.parametrize("seconds", [0, 3, 14, 37])
async def test_each_slot_is_evaluated_once_or_counted(seconds: float) -> None:
    """However long a hand-over takes, no slot is evaluated twice or lost from sight."""
    replicas = Replicas()
    passes = Passes(replicas.world)
    text = TWO.replace("- {alert: Down, expr: up == 0, for: 20s}", "")
    async with replicas.running(2, text) as [one, two]:
        await replicas.give(KEY, one)
        await one.advance(33)
        missed = replicas.world.registry.get_sample_value
        await replicas.hand_over(KEY, one, two, seconds)
        await two.advance(31)
        await replicas.hand_over(KEY, two, one)
        await one.advance(11)
        name = "controlplane_rule_group_iterations_missed_total"
        lost = missed(name, {"rule_group": KEY}) or 0
    offset = slot_offset(KEY, 10_000)
    first, last = slot(T0, 10_000, offset), slot(replicas.world.clock.now(), 10_000, offset)
    assert set(passes.at.values()) == {1}
    due = set(range(first + 10_000, last + 1, 10_000))
    assert set(passes.at) <= due
    if seconds < 10:
        assert lost == 0
        assert set(passes.at) == due


async def test_what_passed_while_nobody_had_it_is_counted() -> None:
    """Slots between the last pass of a dead replica and the take-over count as missed."""
    replicas = Replicas()
    async with replicas.running(2, SLOW) as [one, two]:
        await replicas.give(KEY, one)
        await one.advance(26)
        last = one.manager.groups()[0].last_evaluation
        await one.kill()
        await two.advance(30)
        await replicas.give(KEY, two)
        await two.advance(1)
        value = replicas.world.registry.get_sample_value
        missed = value("controlplane_rule_group_iterations_missed_total", {"rule_group": KEY})
        newest = slot(replicas.world.clock.now() - 1000, 10_000, slot_offset(KEY, 10_000))
        assert missed == (newest - last) // 10_000 >= 2


async def test_a_take_over_waits_for_the_database() -> None:
    """A group whose state cannot be read is not evaluated without it, and is as soon as it can."""
    async with down(SLOW) as (replicas, one, two):
        await one.advance(10)
        (pending,) = one.manager.groups()[0].rules[0].alerts
        await one.kill()
        replicas.states.refuse = True
        await replicas.give(KEY, two)
        await two.advance(5)
        assert KEY not in two.manager._holdings
        replicas.states.refuse = False
        await two.advance(2)
        assert two.states_of() == ["pending"]
        (shown,) = two.manager.groups()[0].rules[0].alerts
        assert shown.active_at == pending.active_at


@pytest.mark.parametrize("known", [True, False])
async def test_what_is_not_found_after_a_take_over_is_over_if_nobody_was_away(known: bool) -> None:
    """An alert that ended meanwhile ends at once, unless nobody may have measured for a while."""
    async with down(FAST) as (replicas, one, two):
        await one.advance(7 if known else 2)  # long enough to tell how it fares, or not
        await one.kill()
        replicas.world.put(replicas.world.clock.now(), {"up{i=a}": 1})
        await replicas.give(KEY, two)
        await two.advance(1)
        assert two.states_of() == (["inactive"] if known else ["firing"])
        await two.advance(2)
        assert two.states_of() == ["inactive"]


async def test_a_clock_that_is_behind_does_not_evaluate_a_slot_again() -> None:
    """What another has evaluated "later than now" is not due when its time comes here."""
    replicas = Replicas()
    passes = Passes(replicas.world)
    async with replicas.running(1, TWO) as [one]:
        await one.advance(1)
        now, offset = replicas.world.clock.now(), slot_offset(KEY, 10_000)
        ahead = slot(now, 10_000, offset) + 10_000
        await replicas.reports.publish({KEY: {"last_evaluation": ahead, "seconds": 0, "rules": {}}})
        await replicas.give(KEY, one)
        await one.advance(20)
        assert ahead not in passes.at
        assert ahead + 10_000 in passes.at


async def test_a_rule_that_one_does_not_know_yet_is_not_forgotten() -> None:
    """While files are changed replica after replica, only what is unknown for long goes."""
    replicas = Replicas()
    async with replicas.running(2, FAST) as [one, two]:
        await replicas.give(KEY, one)
        await replicas.give("rules/forget", two)
        replicas.world.put(T0 + 1, {"up{i=a}": 0})
        await one.advance(1)
        await two.apply("")
        await two.advance(120, step=30)
        assert [len(alerts) for alerts in replicas.states.kept.values()] == [1]
        await one.apply("")
        await two.advance(660, step=30)
        assert replicas.states.kept == {}
        ends = [each for each in replicas.sink.alerts if each.ends_at <= each.updated_at]
        assert [each.labels for each in ends] == [DOWN], "told once, by its owner"


async def test_a_reload_ends_only_what_is_ours() -> None:
    """Who does not have the group neither resolves its alerts nor ends its series."""
    async with down(FAST) as (replicas, one, two):
        await one.advance(2)
        await two.apply("")
        await two.advance(5)
        now = replicas.world.clock.now()
        assert {each.status(now) for each in replicas.sink.alerts} == {AlertStatus.FIRING}
        assert len(replicas.world.ask("ALERTS", now)) == 1


def told(alerts: Sequence[Alert]) -> dict[Labels, list[tuple[int, int]]]:
    """Return what receivers are told of each alert, without repetitions: start, and end or 0."""
    heard: dict[Labels, list[tuple[int, int]]] = {}
    for alert in alerts:
        ended = alert.ends_at <= alert.updated_at
        news = (alert.starts_at, alert.ends_at if ended else 0)
        known = heard.setdefault(alert.labels, [])
        if not known or known[-1] != news:
            known.append(news)
    return heard


Script = list[tuple[bool, bool, bool, bool]]


async def _alone(script: Script) -> dict[Labels, list[tuple[int, int]]]:
    world = World()
    stage = Stage(world)
    async with stage.running(TWO):
        for a, b, _, _ in script:
            world.put(world.clock.now(), {"up{i=a}": float(a), "up{i=b}": float(b)})
            await stage.advance(5, step=5)
    return told(stage.sink.alerts)


async def _together(script: Script) -> dict[Labels, list[tuple[int, int]]]:
    replicas = Replicas()
    async with replicas.running(2, TWO) as made:
        owner: dict[str, Replica] = {}
        for key in (KEY, "f.yml;h"):
            owner[key] = made[0]
            await replicas.give(key, made[0])
        for a, b, *moves in script:
            samples: dict[str, float | None] = {"up{i=a}": float(a), "up{i=b}": float(b)}
            replicas.world.put(replicas.world.clock.now(), samples)
            for key, moved in zip(owner, moves, strict=True):
                if moved:
                    other = made[1] if owner[key] is made[0] else made[0]
                    await replicas.hand_over(key, owner[key], other)
                    owner[key] = other
            await made[0].advance(5, step=5)
    return told(replicas.sink.alerts)


@given(st.lists(st.tuples(*[st.booleans()] * 4), min_size=8, max_size=24))
@settings(max_examples=12, deadline=None)
def test_two_replicas_tell_what_one_alone_would(script: Script) -> None:
    """Whatever is handed over when, receivers hear the same starts and the same ends."""
    assert asyncio.run(_together(script)) == asyncio.run(_alone(script))


def test_a_share_by_hand_has_tokens() -> None:
    """What is given is owned, under a token that grows each time."""
    share = SettableShare(lambda key: key == "x")
    changes: list[int] = []
    share.subscribe(lambda: changes.append(1))
    assert share.owns("x")
    assert not share.owns("y")
    share.give("y")
    first = share.fence(["y"])
    share.take("y")
    assert not share.owns("y")
    share.give("y")
    assert share.fence(["y"]) != first
    assert share.fence(["y"]) | OPEN == share.fence(["y"])
    assert len(changes) == 3
