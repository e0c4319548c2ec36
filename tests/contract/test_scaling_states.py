"""Two replicas on one PostgreSQL: what a policy says now, both say, whoever evaluates it."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from controlplane.api.v1.autoscaling_schemas import DecisionOut
from controlplane.app.mirroring import MirrorMetrics, Mirrors
from controlplane.autoscale.autoscaler import Autoscaler, key_of
from controlplane.autoscale.decision import Decision, Outcome
from controlplane.autoscale.metrics import AutoscaleMetrics
from controlplane.autoscale.options import (
    MetricOptions,
    MetricTarget,
    Mode,
    Policy,
    TargetType,
    WebhookOptions,
)
from controlplane.model.secret import Secret
from controlplane.storage.autoscaling import SqlDecisions, SqlPolicies
from controlplane.storage.changes import SqlChanges
from controlplane.storage.database import Database
from tests.support.clock import ManualClock
from tests.support.share import SettableShare, moved
from tests.unit.autoscale.world import World

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_LOAD = MetricOptions("load", "load", target=MetricTarget(1, TargetType.AVERAGE_VALUE))
_SHOP = Policy(
    "shop", 50, (_LOAD,), mode=Mode.ACT, webhook=WebhookOptions(Secret("http://scaler/"))
)


class Replica:
    """One replica: its autoscaler, who it tells to scale, and what it mirrors."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.world = World(clock=clock)
        self.share = SettableShare()
        self.autoscaler = Autoscaler(
            self.world.query,
            SqlDecisions(database),
            self.world,
            self.world.hook,
            self.world.tell,
            clock=clock,
            metrics=AutoscaleMetrics(self.world.registry),
            external_url="http://cp/",
            share=self.share,
        )
        self.autoscaler.configure([_SHOP])
        self.mirrors = Mirrors(
            SqlChanges(database),
            {"scaling_state": self.autoscaler.refresh},
            clock,
            MirrorMetrics(CollectorRegistry()),
        )

    async def turn(self, load: float) -> None:
        """Have it look at the policy, as it does at each interval."""
        self.world.values["load"] = load
        await self.autoscaler.turn(_SHOP)

    async def shown(self) -> Any:
        """Return what it answers to who asks for the policy."""
        await self.mirrors.fresh()
        found = self.autoscaler.decision("shop")
        return None if found is None else DecisionOut.of(found).model_dump()


@pytest.fixture
async def two(database: Database) -> tuple[Replica, Replica]:
    """Give two replicas that have begun; the policy is nobody's yet."""
    clock = ManualClock()
    first, second = Replica(database, clock), Replica(database, clock)
    for each in (first, second):
        await each.mirrors.begin()
        await each.autoscaler.load()
    return first, second


async def test_both_replicas_say_the_same(database: Database, two: tuple[Replica, Replica]) -> None:
    """At once after each evaluation, one that repeats the last with other values too."""
    first, second = two
    await _give(database, first)
    assert await second.shown() is None
    for load in (3.0, 2.9, 2.8, 6.0):
        await first.turn(load)
        said = await first.shown()
        assert said["metrics"][0]["value"] == load
        assert await second.shown() == said
        assert second.autoscaler.desired("shop")[0] == first.autoscaler.desired("shop")[0]
        await first.world.clock.advance(15)
    kept = await SqlDecisions(database).list("shop", before=None, limit=10)
    assert [each.desired for _, each in kept] == [6, 3, 3]  # scaled, unchanged, scaled


async def test_who_takes_over_goes_on_where_the_other_was(
    database: Database, two: tuple[Replica, Replica]
) -> None:
    """Nothing is told a second time, and both say what the new one decides."""
    first, second = two
    await _give(database, first)
    await first.turn(3.0)
    assert await second.shown() == await first.shown()
    first.share.take(key_of("shop"))
    await _give(database, second)
    for load in (3.0, 5.0):
        await second.world.clock.advance(15)
        await second.turn(load)
        await first.turn(load)
        assert await first.shown() == await second.shown()
    assert [each.desired for each in first.world.hooked] == [3]
    assert [(each.current, each.desired) for each in second.world.hooked] == [(3, 5)]


async def test_who_was_thought_dead_changes_nothing(
    database: Database, two: tuple[Replica, Replica]
) -> None:
    """What one decides that only stood still is neither acted on nor shown by anybody else."""
    first, second = two
    await _give(database, first)
    await first.turn(3.0)
    await _give(database, second)  # of which the first knows nothing
    await second.turn(3.0)
    said = await second.shown()
    await first.world.clock.advance(15)
    await first.turn(9.0)
    await first.turn(3.0)
    assert await second.shown() == said
    assert [each.desired for each in first.world.hooked] == [3]


async def test_a_replica_that_starts_knows_what_is_said(
    database: Database, two: tuple[Replica, Replica]
) -> None:
    """Before it has evaluated anything, and without a change of anybody's."""
    first, _ = two
    await _give(database, first)
    await first.turn(3.0)
    third = Replica(database, first.world.clock)
    await third.mirrors.begin()
    await third.autoscaler.load()
    assert await third.shown() == await first.shown()


async def test_what_is_deleted_says_nothing(
    database: Database, two: tuple[Replica, Replica]
) -> None:
    """The state of a policy goes with it; its decisions stay."""
    first, _ = two
    store = SqlDecisions(database)
    await _give(database, first)
    await first.turn(3.0)
    [now] = await store.current(["shop", "other"])
    assert now.outcome is Outcome.SCALED
    await store.renew(_repeating(now), first.share.fence([key_of("shop")]))
    assert [each.at for each in await store.current()] == [now.at + 1]
    await SqlPolicies(database).delete("shop")
    assert await store.current() == []
    assert [each for _, each in await store.list("shop", before=None, limit=9)] == [now]


def _repeating(decision: Decision) -> Decision:
    return replace(decision, at=decision.at + 1)


async def _give(database: Database, replica: Replica) -> None:
    token = await moved(database, key_of("shop"))
    replica.share.give(key_of("shop"), token=token.number)
