"""What people write for status pages, on two replicas that share a database."""

import pytest

from controlplane.errors import NotFound
from controlplane.model.duration import HOUR
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.origin import Origin
from controlplane.storage.database import Database
from controlplane.storage.status import SqlIncidents, SqlMaintenance
from controlplane.uptime.incident import Stage
from controlplane.uptime.incidents import Incidents
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.plans import Plans
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
PLAN = Maintenance("disks", ((Matcher("team", MatchOp.EQUAL, "x"),),), NOW - HOUR, NOW + HOUR)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def incidents(database: Database, clock: ManualClock) -> tuple[Incidents, Incidents]:
    return Incidents(SqlIncidents(database), clock), Incidents(SqlIncidents(database), clock)


@pytest.fixture
def plans(database: Database, clock: ManualClock) -> tuple[Plans, Plans]:
    one, two = (Plans(SqlMaintenance(database), clock, list, lambda: 0) for _ in range(2))
    return one, two


async def test_incidents_of_another_replica(incidents: tuple[Incidents, Incidents]) -> None:
    """Begun and removed at one, they are so at the other; each change is told once."""
    one, two = incidents
    heard: list[str] = []
    two.subscribe(lambda incident: heard.append(incident.title), origin=Origin.ELSEWHERE)
    begun = await one.open("slow", "we look", by="ada")
    for _ in range(2):
        await two.refresh([begun.id])
    assert two.get(begun.id) == begun
    await one.delete(begun.id)
    await two.refresh()
    assert (two.list(), heard) == ([], ["slow", "slow"])


async def test_no_update_is_lost(incidents: tuple[Incidents, Incidents]) -> None:
    """Two people who write at two replicas are both read, in their order."""
    one, two = incidents
    begun = await one.open("slow", "we look", by="ada")
    await two.load()
    await two.update(begun.id, "a disk", by="grace", stage=Stage.IDENTIFIED)
    await one.update(begun.id, "it is over", by="ada", stage=Stage.RESOLVED)
    await two.refresh([begun.id])
    assert [each.text for each in two.get(begun.id).updates] == ["we look", "a disk", "it is over"]
    await one.delete(begun.id)
    with pytest.raises(NotFound):
        await two.update(begun.id, "more", by="grace", stage=Stage.RESOLVED)


async def test_plans_of_another_replica(plans: tuple[Plans, Plans], clock: ManualClock) -> None:
    """Planned and ended at one, they are so at the other; what the file says stays."""
    one, two = plans
    two.configure([Maintenance("file", PLAN.match, NOW, NOW + HOUR)])
    heard: list[Origin] = []
    two.subscribe(lambda: heard.append(Origin.ELSEWHERE), origin=Origin.ELSEWHERE)
    planned = await one.add(PLAN)
    for _ in range(2):
        await two.refresh([planned.id])
    assert {plan.title for plan in two} == {"disks", "file"}
    await clock.advance(60)
    await one.end(planned.id)
    await two.end(planned.id)
    assert two.get(planned.id) == one.get(planned.id)
    assert len(heard) == 2
