"""Two replicas on one database: one probes, both know; then the other does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.provider import Alerts
from controlplane.app.outside import build_outside
from controlplane.app.probing import Prober, Probing, build_probing
from controlplane.app.storms import build_storms
from controlplane.app.supervisor import Supervisor
from controlplane.app.telling import Telling
from controlplane.clock import SystemClock
from controlplane.config.config import Config
from controlplane.events.local import LocalBus
from controlplane.events.metrics import BusMetrics
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.share import Role
from controlplane.model.target import Target, TargetSpec
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.database import Database
from controlplane.targets.index import State
from controlplane.uptime.options import PageGroup, StatusPage
from tests.support.service import eventually
from tests.support.share import SettableShare
from tests.support.web import answer, web
from tests.unit.probes.test_schedule import Appended

ALL = ((Matcher("job", MatchOp.REGEX, ".*"),),)


@dataclass
class Replica:
    """What one replica has of probing, and the share that a test gives it."""

    probing: Probing
    share: SettableShare
    store: Appended

    def state(self, target: Target) -> State:
        return self.probing.targets.state(target)

    def page(self) -> str:
        return self.probing.uptimes.pages.view("main").state

    def slots(self) -> list[int]:
        return [int(write.times) for write in self.store.writes if isinstance(write.times, int)]

    async def catch_up(self, target: Target) -> None:
        """As a look at what others changed does."""
        await self.probing.targets.refresh([target.id])
        await self.probing.mirrors()["outcome"]([target.id])


async def replica(name: str, database: Database, directory: Path, stack: AsyncExitStack) -> Replica:
    clock, registry, config = SystemClock(), CollectorRegistry(), Config()
    outside = build_outside(config, clock=clock, registry=registry, stack=stack)
    alerts = Alerts(SqlAlerts(database), clock, AlertMetrics(registry), config.alert_options())
    share, store = SettableShare(role=Role.PROBER), Appended()

    def last_outcome(target_id: str) -> bool | None:
        return probing.last_outcome(target_id)

    storms = build_storms(
        config,
        alerts,
        outside.clients,
        last_outcome=last_outcome,
        release=lambda _labels, _now: None,
        clock=clock,
        registry=registry,
    )
    probing = build_probing(
        config,
        database,
        store,
        outside,
        storms,
        Telling(LocalBus(clock, BusMetrics(registry)), clock),
        clock=clock,
        registry=registry,
        stack=stack,
        prober=Prober(name, share),
        pages=directory / name,
    )
    await probing.begin()
    probing.uptimes.pages.configure([StatusPage("main", "M", groups=(PageGroup("All", ALL),))])
    supervisor = Supervisor(clock, registry)
    stack.push_async_callback(supervisor.stop)
    probing.start(supervisor)
    return Replica(probing, share, store)


@pytest.fixture
async def pair(database: Database, tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two replicas that own nothing."""
    async with AsyncExitStack() as stack:
        yield (
            await replica("one", database, tmp_path, stack),
            await replica("two", database, tmp_path, stack),
        )


async def test_one_probes_and_both_know(pair: tuple[Replica, Replica]) -> None:
    """State, muting and the status page; and the other goes on where the first let go."""
    one, two = pair
    async with web(answer(body=b"well")) as server:
        spec = TargetSpec("shop", url=server.url(), interval=1_000)
        target, _ = await one.probing.targets.register(spec, SystemClock().now())
        await two.catch_up(target)
        assert (one.state(target), two.state(target)) == (State.UNKNOWN, State.UNKNOWN)
        one.share.give(target.id)

        async def known() -> bool:
            await two.catch_up(target)
            return two.state(target) is State.UP

        await eventually(known, "the state of what another probes")
        assert one.state(target) is State.UP
        assert two.probing.last_outcome(target.id) is True

        async def shown() -> bool:  # a page looks every few seconds
            return {one.page(), two.page()} == {"operational"}

        await eventually(shown, "pages of both")
        assert two.slots() == []
        one.share.take(target.id)
        await one.probing.quiet()
        mine = one.slots()
        two.share.give(target.id)

        async def probed() -> bool:
            return len(two.slots()) > 1

        await eventually(probed, "a probe by the other")
        # The one makes up for a slot that began while it ended its work; that probe ends later.
        assert one.slots()[: len(mine)] == mine
        slots = one.slots() + two.slots()
        assert all(after > before for before, after in pairwise(slots)), "each slot has one owner"
        assert {(slot - slots[0]) % 1_000 for slot in slots} == {0}
        assert one.probing.last_outcome(target.id) is True
        assert {one.page(), two.page()} == {"operational"}
