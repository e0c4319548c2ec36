"""PostgreSQL goes away while alerts are told, and comes back: no page is lost, none comes twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from controlplane.demo.standins import Fault, PagerDutyStandIn
from controlplane.errors import Unavailable
from controlplane.model.secret import Secret
from controlplane.model.share import Role
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from controlplane.storage.database import Database
from tests.support import postgres
from tests.support.alerting import Alerting, alerting, firing, resolved
from tests.support.postgres import Keeper
from tests.support.postgres_schema import migrate_in
from tests.support.shards import ALL, Part, Shards

ROUTE = Route(receiver="ops", group_by=("n",), group_wait=0, group_interval=50)


@asynccontextmanager
async def house(
    directory: Path, pagerduty: PagerDutyStandIn
) -> AsyncIterator[tuple[Alerting, Keeper]]:
    """Give one of several replicas, to which all work belongs, and its database's server."""
    config = PagerdutyConfig(Secret("0" * 32), url=f"{pagerduty.url}/v2/enqueue")
    receivers = [Receiver("ops", pagerduty_configs=(config,))]
    with postgres.keeper() as server:
        url, part = migrate_in(server.server, "alerting"), Part(Role.NOTIFIER)
        database = Database(url)
        await Shards(database).move(ALL, part)
        await database.close()
        async with alerting(directory, ROUTE, receivers, url=url, share=part) as system:
            yield system, server


async def test_a_page_on_its_way_arrives_without_the_database(tmp_path: Path) -> None:
    """What was claimed leaves; what came of it is known, or tried again, when it is back."""
    async with PagerDutyStandIn() as pagerduty, house(tmp_path, pagerduty) as (system, server):
        pagerduty.fail_next(*[Fault.hang(1.0, after=True)] * 2)
        first, second = (firing(system.clock.now(), n=each) for each in "12")
        await system.alerts.put([first, second])
        while len(pagerduty.incidents) < 2:
            await system.clock.sleep(0.01)
        server.stop()
        third = firing(system.clock.now(), n="3")
        try:
            await system.alerts.put([third])
        except Unavailable:
            pass
        else:
            raise AssertionError("there is no database")
        await system.clock.sleep(1.0)
        server.start()
        await system.alerts.put([third])
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 3)
        ended = [resolved(each, system.clock.now()) for each in (first, second, third)]
        await system.alerts.put(ended)
        while await system.store.open_incidents():
            await system.clock.sleep(0.05)
        assert pagerduty.open_incidents() == []
        assert len(pagerduty.incidents) == 3
        # Nobody waited for a lease to run out: what came of an attempt was written down.
        states = [
            m.attempts for each in ended for m in await system.store.about(each.fingerprint, 9)
        ]
        assert max(states) <= 2
