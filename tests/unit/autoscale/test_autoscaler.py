"""The loop: what is looked at, kept, carried out and told."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from controlplane.autoscale.decision import Decision, Outcome
from controlplane.autoscale.options import (
    Behavior,
    MetricOptions,
    MetricTarget,
    Mode,
    Policy,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    WebhookOptions,
    WorkloadOptions,
)
from controlplane.errors import Conflict, Fenced, NotFound, Unavailable
from controlplane.model.secret import Secret
from tests.unit.autoscale.world import DOWN, World

LOAD = MetricOptions("load", "load", target=MetricTarget(10))
SHADOW = Policy("shop", 20, (LOAD,), replicas="count")
WORKLOAD = Policy("shop", 20, (LOAD,), mode=Mode.ACT, workload=WorkloadOptions("shop"))
HOOK = Policy(
    "shop", 20, (LOAD,), mode=Mode.ACT, webhook=WebhookOptions(Secret("http://x")), replicas="count"
)
PULLED = Policy("shop", 20, (LOAD,), mode=Mode.ACT)


async def test_shadow_mode_recommends_and_does_nothing() -> None:
    """It is the default, also for a policy that could act."""
    world = World({"count": 4, "load": 15})
    shadow = replace(WORKLOAD, mode=Mode.SHADOW)
    scaler = world.autoscaler(shadow)
    made = await scaler.evaluate(shadow, world.clock.now())
    assert (made.outcome, made.current, made.desired) == (Outcome.RECOMMENDED, 4, 6)
    assert (world.scaled, world.told, SHADOW.mode) == ([], [], Mode.SHADOW)
    assert scaler.decision("shop") == made
    with pytest.raises(Conflict, match="shadow mode"):
        scaler.desired("shop")


async def test_changes_are_kept_and_repeats_are_not() -> None:
    """A value that moves within one verdict is no new row."""
    world = World({"count": 4, "load": 15})
    scaler = world.autoscaler(SHADOW)
    for load in (15, 14.9, 14.8, 19, 19):
        world.values["load"] = load
        await scaler.evaluate(SHADOW, world.clock.now())
        await world.clock.advance(15)
    assert [each.desired for each in world.stored] == [6, 8]
    assert world.value("evaluations_total", policy="shop", outcome="recommended") == 5


async def test_a_workload_is_scaled_and_somebody_is_told() -> None:
    """The scale is patched, and an alert of its own says from what to what and why."""
    world = World({"load": 15})
    made = await world.autoscaler(WORKLOAD).evaluate(WORKLOAD, world.clock.now())
    assert made.outcome is Outcome.SCALED
    assert world.scaled == [("deployment/default/shop", 6)]
    (alert,) = world.told
    assert (alert.name, alert.labels["change"], alert.labels["direction"]) == (
        "AutoscalingScaled",
        "4 to 6",
        "up",
    )
    assert alert.ends_at == made.at + 300_000
    assert "15 is 1.5 times the target of 10" in alert.annotations["description"]
    assert alert.generator_url == "http://cp/autoscaling/shop"
    assert world.value("actions_total", policy="shop", direction="up") == 1


async def test_what_was_done_counts_against_the_rate() -> None:
    """A pod a minute is a pod a minute, whoever asks for more."""
    slow = ScalingRules(0, (ScalingPolicy(PolicyType.PODS, 1, 60),))
    policy = replace(WORKLOAD, behavior=Behavior(scale_up=slow))
    world = World({"load": 50})
    scaler = world.autoscaler(policy)
    for _ in range(9):
        await scaler.evaluate(policy, world.clock.now())
        await world.clock.advance(15)
    assert [number for _, number in world.scaled] == [5, 6, 7]


async def test_what_others_do_counts_against_the_rate() -> None:
    """Where somebody else carries it out, a change counts from when it is seen, 15 s later."""
    slow = ScalingRules(0, (ScalingPolicy(PolicyType.PODS, 1, 60),))
    policy = replace(SHADOW, behavior=Behavior(scale_up=slow))
    world = World({"load": 50, "count": 4})
    scaler = world.autoscaler(policy)
    wanted = []
    for _ in range(6):
        made = await scaler.evaluate(policy, world.clock.now())
        wanted.append(made.desired)
        world.values["count"] = float(made.desired or 0)
        await world.clock.advance(15)
    assert wanted == [5, 5, 5, 5, 5, 6]


async def test_a_scale_that_cannot_be_changed() -> None:
    """It is said why, nobody is told of an action, and it is tried again."""
    world = World({"load": 15}, refusal=DOWN)
    scaler = world.autoscaler(WORKLOAD)
    failed = await scaler.evaluate(WORKLOAD, world.clock.now())
    assert failed.outcome is Outcome.FAILED
    assert str(failed.steps[-1]) == "it could not be carried out: it does not answer"
    assert world.told == []
    world.refusal = None
    await world.clock.advance(15)
    assert (await scaler.evaluate(WORKLOAD, world.clock.now())).outcome is Outcome.SCALED


async def test_a_webhook_is_told() -> None:
    """Once for each change."""
    world = World({"count": 4, "load": 15})
    scaler = world.autoscaler(HOOK)
    made = await scaler.evaluate(HOOK, world.clock.now())
    assert [each.desired for each in world.hooked] == [6]
    assert made.outcome is Outcome.SCALED
    assert scaler.desired("shop") == (6, made)


async def test_who_is_asked_assumes_that_it_was_done() -> None:
    """Without a count of replicas the last decision is what there is; it begins at the least."""
    world = World({"load": 15})
    scaler = world.autoscaler(PULLED)
    numbers = []
    for _ in range(3):
        numbers.append((await scaler.evaluate(PULLED, world.clock.now())).desired)
        await world.clock.advance(15)
    assert numbers == [2, 3, 5]


async def test_missing_data_holds() -> None:
    """An empty answer, an error and replicas that cannot be counted: the last decision stands."""
    world = World({"load": 15})
    scaler = world.autoscaler(WORKLOAD)
    await scaler.evaluate(WORKLOAD, world.clock.now())
    before = world.value("metric_timestamp_seconds", policy="shop", metric="load")
    for broken in ({}, {"load": DOWN}, {"load": float("nan")}):
        world.values = dict(broken)
        await world.clock.advance(15)
        held = await scaler.evaluate(WORKLOAD, world.clock.now())
        assert (held.outcome, held.desired) == (Outcome.HELD, 6)
    world.replicas = DOWN
    assert (await scaler.evaluate(WORKLOAD, world.clock.now())).desired == 6
    assert world.scaled == [("deployment/default/shop", 6)]
    assert world.value("metric_timestamp_seconds", policy="shop", metric="load") == before


async def test_nothing_decided_is_no_number() -> None:
    """KEDA gets an error, not a guess."""
    world = World({"load": 15}, replicas=DOWN)
    scaler = world.autoscaler(WORKLOAD)
    with pytest.raises(Unavailable):
        scaler.desired("shop")
    await scaler.evaluate(WORKLOAD, world.clock.now())
    with pytest.raises(Unavailable):
        scaler.desired("shop")
    with pytest.raises(NotFound):
        scaler.desired("nobody")


async def test_a_restart_holds_what_was_decided() -> None:
    """The last decision is taken up from the store."""
    world = World({"load": 15})
    await world.autoscaler(WORKLOAD).evaluate(WORKLOAD, world.clock.now())
    again = World(stored=world.stored)
    scaler = again.autoscaler(WORKLOAD)
    await scaler.load()
    held = await scaler.evaluate(WORKLOAD, again.clock.now())
    assert (held.outcome, held.desired) == (Outcome.HELD, 6)


async def test_a_store_that_is_away_stops_nothing() -> None:
    """It is counted, and the decision is kept when the store is back."""
    world = World({"load": 15, "count": 4}, database=DOWN)
    scaler = world.autoscaler(SHADOW)
    await scaler.evaluate(SHADOW, world.clock.now())
    assert world.value("decisions_unstored_total") == 1
    world.database = None
    await scaler.evaluate(SHADOW, world.clock.now())
    assert [each.desired for each in world.stored] == [6]


async def test_turns_are_counted() -> None:
    """Up, then down, then up: that is flapping, which an alert looks for."""
    world = World({"count": 4})
    policy = replace(SHADOW, behavior=Behavior(scale_down=ScalingRules(0)))
    scaler = world.autoscaler(policy)
    for load in (15, 15, 5, 15):
        world.values["load"] = load
        await scaler.evaluate(policy, world.clock.now())
        await world.clock.advance(15)
    assert world.value("turns_total", policy="shop") == 2


async def test_each_policy_is_evaluated_at_its_interval() -> None:
    """Until a reload brings others; what is gone is shown no more."""
    world = World({"count": 4, "load": 15})
    often, seldom = SHADOW, replace(SHADOW, name="cart", interval=60_000)
    scaler = world.autoscaler(often, seldom)
    task = asyncio.create_task(scaler.run())
    try:
        await world.clock.settle()
        for _ in range(5):
            await world.clock.advance(15)
        assert world.value("evaluations_total", policy="shop", outcome="recommended") == 6
        assert world.value("evaluations_total", policy="cart", outcome="recommended") == 2
        assert world.value("bound_replicas", policy="cart", bound="max") == 20
        assert world.value("metric_limit", policy="cart", metric="load", limit="target") == 10
        scaler.configure([often])
        await world.clock.settle()
        assert [each.name for each in scaler.policies()] == ["shop"]
        assert world.value("bound_replicas", policy="cart", bound="max") is None
        assert world.value("desired_replicas", policy="cart") is None
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_another_replica_evaluates_is_only_looked_at() -> None:
    """It is not evaluated, shows no metrics, and its stored decision is what is told."""
    world = World({"load": 9.0, "count": 4.0}, elsewhere={"shop"})
    scaler = world.autoscaler(HOOK)
    told: list[Decision] = []
    scaler.subscribe(told.append)
    await scaler.turn(HOOK)
    assert (scaler.decision("shop"), world.stored, world.hooked) == (None, [], [])
    assert world.value("bound_replicas", policy="shop", bound="max") is None
    other = Decision("shop", 1, Mode.ACT, Outcome.SCALED, 4, 6)
    world.stored.append(other)
    await scaler.turn(HOOK)
    await scaler.turn(HOOK)
    assert scaler.desired("shop") == (6, other)
    assert told == [other]


async def test_of_several_replicas_each_evaluation_is_kept() -> None:
    """What repeats the last is no new decision, and what the others are to show all the same."""
    world = World({"count": 4, "load": 15})
    scaler = world.autoscaler(SHADOW)
    await scaler.evaluate(SHADOW, world.clock.now())
    await world.clock.advance(15)
    world.values["load"] = 14.9
    made = await scaler.evaluate(SHADOW, world.clock.now())
    assert [each.desired for each in world.stored] == [6]
    assert world.states == {"shop": made}


async def test_one_that_is_alone_keeps_no_repeats() -> None:
    """Nobody else shows them; what they cost is spared."""
    world = World({"count": 4, "load": 15}, alone=True)
    scaler = world.autoscaler(SHADOW)
    for _ in range(2):
        await scaler.evaluate(SHADOW, world.clock.now())
    assert len(world.stored) == 1
    assert world.states == {}


async def test_what_another_replica_says_is_taken_up() -> None:
    """Only of a policy that is not our own, and each once."""
    world = World({"load": 9.0, "count": 4.0}, elsewhere={"shop"})
    scaler = world.autoscaler(PULLED)
    told: list[Decision] = []
    scaler.subscribe(told.append)
    said = Decision("shop", 7, Mode.ACT, Outcome.SCALED, 4, 6)
    world.states["shop"] = said
    for _ in range(2):
        await scaler.refresh(["shop"])
    world.stored.append(Decision("shop", 6, Mode.ACT, Outcome.SCALED, 2, 4))
    await scaler.turn(PULLED)
    assert scaler.desired("shop") == (6, said)
    assert told == [said]
    world.elsewhere.clear()
    world.states["shop"] = replace(said, desired=9)
    await scaler.refresh()
    assert scaler.desired("shop") == (6, said)


async def test_a_policy_passes_from_one_replica_to_another() -> None:
    """Whoever takes it up goes on from what was decided last; whoever loses it falls silent."""
    world = World({"load": 9.0, "count": 4.0}, elsewhere={"shop"})
    scaler = world.autoscaler(SHADOW)
    world.stored.append(Decision("shop", 1, Mode.SHADOW, Outcome.RECOMMENDED, 4, 6))
    world.elsewhere.clear()
    world.values.clear()
    await scaler.turn(SHADOW)
    held = scaler.decision("shop")
    assert held is not None
    assert (held.outcome, held.desired) == (Outcome.HELD, 6)
    assert world.value("bound_replicas", policy="shop", bound="max") is not None
    world.elsewhere.add("shop")
    await scaler.turn(SHADOW)
    assert world.value("bound_replicas", policy="shop", bound="max") is None


async def test_a_replica_that_lost_a_policy_meanwhile_does_not_act() -> None:
    """Between the look and the deed it may be another one's."""
    world = World({"load": 90.0, "count": 4.0})
    scaler = world.autoscaler(HOOK)
    world.elsewhere.add("shop")
    decision = await scaler.evaluate(HOOK, world.clock.now())
    assert decision.outcome is Outcome.RECOMMENDED
    assert str(decision.steps[-1]) == "another replica has taken over"
    assert world.hooked == []
    assert world.stored == []


async def test_a_replica_that_does_not_know_it_yet_does_not_act() -> None:
    """The database says that the policy is another one's now: it neither acts nor keeps a word."""
    world = World({"load": 90.0, "count": 4.0}, database=Fenced("another replica's now"))
    scaler = world.autoscaler(HOOK)
    decision = await scaler.evaluate(HOOK, world.clock.now())
    assert decision.outcome is Outcome.RECOMMENDED
    assert world.hooked == []
    assert world.stored == []
    assert world.registry.get_sample_value("controlplane_autoscaling_decisions_unstored_total") == 0


async def test_a_store_that_is_away_is_asked_again() -> None:
    """What is known stays."""
    world = World({"load": 9.0, "count": 4.0}, elsewhere={"shop"})
    scaler = world.autoscaler(SHADOW)
    world.unreadable = DOWN
    await scaler.turn(SHADOW)
    assert scaler.decision("shop") is None


async def test_a_new_policy_leaves_the_others_in_their_beat() -> None:
    """Only what has changed begins anew."""
    world = World({"load": 9.0, "count": 4.0})
    scaler = world.autoscaler(SHADOW)
    running = asyncio.create_task(scaler.run())
    try:
        await world.clock.advance(0)
        first = scaler.decision("shop")
        scaler.configure([SHADOW, replace(SHADOW, name="other")])
        await world.clock.advance(1)
        assert scaler.decision("other") is not None
        assert scaler.decision("shop") == first
        scaler.configure([replace(SHADOW, name="other")])
        await world.clock.advance(1)
        with pytest.raises(NotFound):
            scaler.decision("shop")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
