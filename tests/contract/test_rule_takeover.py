"""Two managers of rules on one database: what one decided, the other goes on from."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.provider import Alerts
from controlplane.clock import SystemClock
from controlplane.model.alert import Alert
from controlplane.rules.load import load_text
from controlplane.rules.manager import Manager
from controlplane.rules.options import RulesOptions
from controlplane.rules.reporting import LocalReports
from controlplane.rules.state import AlertState
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.database import Database
from controlplane.storage.rules import SqlRuleStates
from tests.support.share import SettableShare, moved
from tests.unit.rules.world import T0, World

KEY = "f.yml;g"
RULES = """
groups:
- name: g
  interval: 10s
  rules:
  - {alert: Down, expr: up == 0, for: 20s}
"""
_PATIENCE = 10.0


class Replica:
    """A manager, its mirror of the alerts, and a share given by hand."""

    def __init__(self, world: World, database: Database, reports: LocalReports) -> None:
        self.world = world
        self.share = SettableShare()
        self.alerts = Alerts(SqlAlerts(database), world.clock, AlertMetrics(CollectorRegistry()))
        self.manager = Manager(
            clock=world.clock,
            query=world.query,
            store=world.store,
            sink=self.alerts,
            states=SqlRuleStates(database),
            metrics=world.metrics,
            share=self.share,
            reports=reports,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Replica"]:
        await self.manager.apply(RulesOptions(groups=load_text(RULES, "f.yml")))
        task = asyncio.create_task(self.manager.run())
        yield self
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await self.manager.close()

    async def own(self, database: Database) -> None:
        """Take the group, from whomever, and have its state."""
        token = await moved(database, KEY)
        self.share.give(KEY, token=token.number)
        await until(lambda: KEY in self.manager._holdings)

    async def advance(self, seconds: int) -> None:
        """Move on by steps, each done before the next: evaluated, saved, told."""
        for _ in range(seconds):
            await self.world.clock.advance(1)
            for _ in range(3):
                await self.manager._evaluator.run(lambda: None)
                await self.world.clock.settle()
            await self.manager.quiet()

    def states(self) -> list[AlertState]:
        return [each.state for each in self.manager.groups()[0].rules[0].alerts]


async def until(look: Callable[[], object]) -> None:
    clock = SystemClock()
    end = clock.monotonic() + _PATIENCE
    while not look():
        assert clock.monotonic() < end, "it did not come about"
        await clock.sleep(0.005)


@asynccontextmanager
async def replicas(database: Database) -> AsyncIterator[tuple[Replica, Replica]]:
    """Give two that run, of which neither owns anything."""
    world, reports = World(), LocalReports()
    async with (
        Replica(world, database, reports).running() as one,
        Replica(world, database, reports).running() as two,
    ):
        yield one, two


async def kept(database: Database) -> list[Alert]:
    return list(await SqlAlerts(database).load())


async def test_a_take_over_goes_on_from_the_database(database: Database) -> None:
    """The `for` of an alert ends when it would have ended; it is told once."""
    async with replicas(database) as (one, two):
        await one.own(database)
        one.world.put(T0 + 1, {"up{i=a}": 0})
        await one.advance(12)
        (pending,) = one.manager.groups()[0].rules[0].alerts
        assert pending.state is AlertState.PENDING
        one.share.take(KEY)
        await one.manager.quiet()
        await two.own(database)
        assert two.states() == [AlertState.PENDING]
        await two.advance(20)
        (alert,) = await kept(database)
        assert alert.starts_at == pending.active_at + 20_000
        # Who let go of it shows what the database holds.
        (rule,) = one.manager.groups()[0].rules
        await one.manager.refresh([rule.rule_id])
        assert one.states() == [AlertState.FIRING]


async def test_a_late_pass_of_who_was_paused_is_refused(database: Database) -> None:
    """Neither state nor alert of it reaches the database, nor anybody's eyes."""
    async with replicas(database) as (one, two):
        await one.own(database)
        one.world.put(T0 + 1, {"up{i=a}": 0})
        await one.advance(12)
        before = await SqlRuleStates(database).load(await SqlRuleStates(database).rule_ids())
        await moved(database, KEY)  # while nobody told it
        await one.advance(25)
        after = await SqlRuleStates(database).load(await SqlRuleStates(database).rule_ids())
        assert after == before
        assert await kept(database) == []
        assert one.alerts.list() == []
        assert KEY not in one.manager._holdings
        assert one.states() == [AlertState.PENDING], "as it was when it had the group"
        await two.own(database)
        await two.advance(10)
        (alert,) = await kept(database)
        assert alert.name == "Down"
