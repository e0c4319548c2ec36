"""Alerts on two replicas that share a PostgreSQL: nothing is lost, all hear of everything."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.provider import GC, Alerts
from controlplane.clock import Timestamp
from controlplane.errors import Fenced
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import Fence, Token
from controlplane.model.labels import Labels
from controlplane.model.origin import Origin
from controlplane.model.share import WHOLE, Share
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.database import Database
from tests.support.clock import ManualClock
from tests.support.share import SettableShare

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

NOW = 1_700_000_000_000
MINUTE = 60_000


class Replica:
    """One replica's alerts, and what was heard of them on it."""

    def __init__(self, database: Database, clock: ManualClock, share: Share = WHOLE) -> None:
        metrics = AlertMetrics(CollectorRegistry())
        self.alerts = Alerts(SqlAlerts(database), clock, metrics, share=share)
        self.heard: dict[Origin, list[Alert]] = {origin: [] for origin in Origin}
        for origin in Origin:
            self.alerts.subscribe(partial(self._hear, origin), origin=origin)

    def _hear(self, origin: Origin, alerts: Sequence[Alert], now: Timestamp) -> None:
        self.heard[origin] += alerts


def alert(name: str, starts_at: int = NOW, ends_at: int = NOW + MINUTE, at: int = NOW) -> Alert:
    return Alert(Labels({"alertname": name}), starts_at, ends_at, at, timeout=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


async def test_the_other_replica_hears_once(database: Database, clock: ManualClock) -> None:
    """What one wrote, the other takes up and tells; who wrote it hears nothing new."""
    one, two = Replica(database, clock), Replica(database, clock)
    await one.alerts.put([alert("a")])
    name = alert("a").fingerprint
    for replica in (one, two, two):
        await replica.alerts.refresh([name])
    assert one.alerts.list() == two.alerts.list() == [alert("a")]
    assert one.heard == {Origin.HERE: [alert("a")], Origin.ELSEWHERE: []}
    assert two.heard == {Origin.HERE: [], Origin.ELSEWHERE: [alert("a")]}


async def test_alerts_merge_with_what_is_kept(database: Database, clock: ManualClock) -> None:
    """What another replica wrote a moment ago counts, though this one has not read it."""
    one, two = Replica(database, clock), Replica(database, clock)
    await one.alerts.put([alert("a", starts_at=NOW - 9_000)])
    await two.alerts.put([alert("a", ends_at=NOW + 2 * MINUTE, at=NOW + 1)])
    await one.alerts.put([alert("a", ends_at=NOW + 3 * MINUTE, at=NOW + 2)])
    [kept] = await SqlAlerts(database).load()
    assert (kept.starts_at, kept.ends_at) == (NOW - 9_000, NOW + 3 * MINUTE)
    assert one.alerts.list() == [kept]


async def test_new_alerts_at_the_same_time(database: Database, clock: ManualClock) -> None:
    """Of alerts that two replicas hear of at once, neither one's part is lost."""
    one, two = Replica(database, clock), Replica(database, clock)
    clock.set(NOW + 10)
    early = [alert(str(n), starts_at=NOW - 9_000) for n in range(300)]
    late = [alert(str(n), ends_at=NOW + 9 * MINUTE, at=NOW + 1) for n in reversed(range(300))]
    await asyncio.gather(one.alerts.put(early), two.alerts.put(late))
    kept = await SqlAlerts(database).load()
    assert {(each.starts_at, each.ends_at) for each in kept} == {(NOW - 9_000, NOW + 9 * MINUTE)}
    assert len(kept) == 300


async def test_writing_and_collecting_do_not_wait_for_each_other(
    database: Database, clock: ManualClock
) -> None:
    """Two replicas that write the same alerts in other orders, and one that forgets, all end."""
    replicas = [Replica(database, clock) for _ in range(2)]
    for turn in range(6):
        told = [alert(str(n), at=NOW + turn) for n in range(200)]
        await asyncio.gather(
            replicas[0].alerts.put(told),
            replicas[1].alerts.put([*told[::-1], alert(f"new {turn}")]),
            replicas[0].alerts.gc(NOW + turn),
            SqlAlerts(database).delete([a.fingerprint for a in told[::3]], ended_by=NOW * 2),
        )
    assert len(await SqlAlerts(database).load()) >= 6


async def test_an_alert_that_was_prolonged_is_not_ended(
    database: Database, clock: ManualClock
) -> None:
    """Ending is decided on what is kept: another replica's word is not taken back."""
    one, two = Replica(database, clock), Replica(database, clock)
    await one.alerts.put([alert("a"), alert("b")])
    await two.alerts.put([alert("a", ends_at=NOW + 5 * MINUTE, at=NOW + 1)])
    await one.alerts.settle(NOW + 2 * MINUTE)
    ends = {each.name: each.ends_at for each in await SqlAlerts(database).load()}
    assert ends == {"a": NOW + 5 * MINUTE, "b": NOW + MINUTE}
    assert [each.name for each in one.heard[Origin.HERE]] == ["a", "b", "b"]


async def test_two_replicas_end_an_alert_once(database: Database, clock: ManualClock) -> None:
    """The second one to see that it ran out finds that this is written."""
    one, two = Replica(database, clock), Replica(database, clock)
    await one.alerts.put([alert("a")])
    await two.alerts.refresh()
    await asyncio.gather(one.alerts.settle(NOW + 2 * MINUTE), two.alerts.settle(NOW + 2 * MINUTE))
    heard = [len(one.heard[Origin.HERE]), len(two.heard[Origin.HERE])]
    assert sum(heard) == 2  # that it began, and that it ended


async def test_only_one_replica_collects(database: Database, clock: ManualClock) -> None:
    """Without that work an alert that ran out stays as it is, until the owner's end is read."""
    owner = Replica(database, clock, SettableShare([GC]))
    other = Replica(database, clock, SettableShare())
    await other.alerts.put([alert("a", ends_at=NOW + 1_000)])
    await owner.alerts.refresh()
    running = asyncio.create_task(other.alerts.run())
    await clock.advance(20)
    running.cancel()
    assert [each.updated_at for each in await SqlAlerts(database).load()] == [NOW]
    await owner.alerts.gc(clock.now())
    await other.alerts.refresh([alert("a").fingerprint])
    assert [each.status(clock.now()) for each in other.heard[Origin.ELSEWHERE]] == [
        AlertStatus.RESOLVED
    ]
    await owner.alerts.gc(clock.now() + 3_600_000)
    await other.alerts.refresh([alert("a").fingerprint])
    assert (owner.alerts.list(), other.alerts.list()) == ([], [])
    assert len(other.heard[Origin.ELSEWHERE]) == 1


async def test_what_is_gone_has_ended(database: Database, clock: ManualClock) -> None:
    """A replica that was away while an alert ended and was forgotten tells its end."""
    away = Replica(database, clock)
    await away.alerts.put([alert("a", ends_at=NOW + 99 * MINUTE)])
    await SqlAlerts(database).delete([alert("a").fingerprint], ended_by=NOW + 99 * MINUTE)
    await clock.advance(5)
    await away.alerts.refresh()
    assert away.alerts.list() == []
    [end] = away.heard[Origin.ELSEWHERE]
    assert (end.name, end.ends_at) == ("a", NOW + 5_000)


async def test_a_replica_that_starts_writes_nothing(database: Database, clock: ManualClock) -> None:
    """Alerts get time to be spoken of again in its memory alone."""
    running = Replica(database, clock)
    await running.alerts.put([alert("a")])
    starting = Replica(database, clock)
    await starting.alerts.load()
    await starting.alerts.gc(NOW)
    assert [each.ends_at for each in await SqlAlerts(database).load()] == [NOW + MINUTE]
    assert [each.ends_at for each in starting.alerts.list()] == [NOW + 5 * MINUTE]


async def test_a_write_that_lost_its_share_is_refused_alone(
    database: Database, clock: ManualClock
) -> None:
    """Of calls that are written together, only the one whose share has moved on fails."""
    replica = Replica(database, clock)
    async with database.begin() as connection:
        await connection.execute(
            text("UPDATE shards SET owner = 'x', token = 3 WHERE role = 'evaluator' AND shard = 7")
        )
    held, lost = (Fence(frozenset({Token("evaluator", 7, n)})) for n in (3, 2))
    done = await asyncio.gather(
        replica.alerts.put([alert("first")]),
        replica.alerts.put([alert("lost")], lost),
        replica.alerts.put([alert("held")], held),
        replica.alerts.put([alert("open")]),
        return_exceptions=True,
    )
    assert [type(each) for each in done] == [type(None), Fenced, type(None), type(None)]
    assert {each.name for each in replica.alerts.list()} == {"first", "held", "open"}


async def test_a_change_of_state_survives_the_other_replica(
    database: Database, clock: ManualClock
) -> None:
    """An end that one replica wrote is not undone by the other's older word."""
    one, two = Replica(database, clock), Replica(database, clock)
    await one.alerts.put([alert("a")])
    await two.alerts.refresh()
    clock.set(NOW + 2_000)
    ended = replace(alert("a", ends_at=NOW + 1_500, at=NOW + 1_500), timeout=False)
    await one.alerts.put([ended])
    await two.alerts.put([alert("a", starts_at=NOW + 100, at=NOW + 1_000)])
    assert [each.status(clock.now()) for each in two.alerts.list()] == [AlertStatus.RESOLVED]
