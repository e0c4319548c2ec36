"""Two replicas on one PostgreSQL: whatever happens on either, both know it after a look."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.provider import Alerts
from controlplane.app.mirroring import MirrorMetrics, Mirrors
from controlplane.errors import NotFound
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.target import TargetSpec
from controlplane.mute.metrics import MuteMetrics
from controlplane.mute.silence import Silence
from controlplane.mute.silences import Silences
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.changes import SqlChanges
from controlplane.storage.database import Database
from controlplane.storage.silences import SqlPast, SqlSilences
from controlplane.storage.targets import SqlTargets
from controlplane.targets.registry import TargetRegistry
from tests.support.clock import ManualClock
from tests.support.targets import build_registry

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

NOW = 1_700_000_000_000
MATCHER = Matcher("alertname", MatchOp.EQUAL, "a")
Act = Callable[["Replica", Random, int], Awaitable[None]]


class Replica:
    """What one replica mirrors."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        registry = CollectorRegistry()
        self.clock = clock
        self.targets: TargetRegistry = build_registry(SqlTargets(database))
        self.alerts = Alerts(SqlAlerts(database), clock, AlertMetrics(registry))
        self.silences = Silences(
            SqlSilences(database),
            clock,
            MuteMetrics(registry),
            firing=list,
            past=SqlPast(database),
        )
        handlers = {
            "target": self.targets.refresh,
            "renewal": self.targets.refresh_renewals,
            "alert": self.alerts.refresh,
            "silence": self.silences.refresh,
        }
        self.mirrors = Mirrors(SqlChanges(database), handlers, clock, MirrorMetrics(registry))

    def known(self) -> tuple[object, ...]:
        """Return all that it has in memory, in an order of its own."""
        return (
            sorted(self.targets, key=lambda target: target.id),
            self.alerts.list(),
            sorted(self.silences.list(), key=lambda silence: silence.id),
        )


async def kept(database: Database) -> tuple[object, ...]:
    """Return what the tables say, in the same order."""
    return (
        sorted(await SqlTargets(database).load(), key=lambda target: target.id),
        sorted(await SqlAlerts(database).load(), key=lambda alert: alert.labels),
        sorted(await SqlSilences(database).load(), key=lambda silence: silence.id),
    )


async def register(replica: Replica, random: Random, now: int) -> None:
    name = f"t{random.randrange(6)}"
    spec = TargetSpec(name, url="http://t.test/", interval=random.choice([None, 5_000]))
    await replica.targets.register(spec, now)


async def pause(replica: Replica, random: Random, now: int) -> None:
    paused = random.random() < 0.5
    name = random.choice([target.id for target in replica.targets] or ["none"])
    await replica.targets.update(
        name, lambda edit: replace(edit, paused=paused), actor="ada", now=now
    )


async def renew(replica: Replica, random: Random, now: int) -> None:
    name = random.choice([target.id for target in replica.targets] or ["none"])
    await replica.targets.renew(name, now)


async def remove(replica: Replica, random: Random, _now: int) -> None:
    name = random.choice([target.id for target in replica.targets] or ["none"])
    await replica.targets.delete(name)


async def tell(replica: Replica, random: Random, now: int) -> None:
    labels = Labels({"alertname": f"a{random.randrange(6)}"})
    await replica.alerts.put([Alert(labels, now, now + random.randrange(20_000), now)])


async def collect(replica: Replica, _random: Random, now: int) -> None:
    await replica.silences.gc(now - 3_600_000)
    await replica.alerts.gc(now)


async def silence(replica: Replica, random: Random, now: int) -> None:
    ends_at = now + random.randrange(1, 30_000)
    await replica.silences.set(Silence((MATCHER,), now, ends_at, "ada", "x"))


async def expire(replica: Replica, random: Random, _now: int) -> None:
    ids = [each.id for each in replica.silences.list()]
    await replica.silences.expire(random.choice(ids or ["none"]))


async def look(replica: Replica, _random: Random, _now: int) -> None:
    await replica.mirrors.fresh()


# What happens often stands here often: little would be left to compare otherwise.
ACTS: tuple[Act, ...] = (
    *(register, register, register, renew, renew, renew, pause, pause, remove),
    *(tell, tell, tell, collect, silence, silence, expire, look, look),
)


async def attempt(act: Act, replica: Replica, random: Random, now: int) -> None:
    """Do something that may have been made impossible by the other replica meanwhile."""
    try:
        await act(replica, random, now)
    except NotFound:
        return


@pytest.mark.parametrize("seed", range(4))
async def test_both_know_what_is_kept(database: Database, seed: int) -> None:
    """After any acts, at both and at the same time, a look makes each equal to the tables."""
    random, clock = Random(seed), ManualClock(NOW)
    replicas = [Replica(database, clock) for _ in range(2)]
    for replica in replicas:
        await replica.mirrors.begin()
    for _ in range(60):
        clock.set(clock.now() + random.randrange(2_000))
        acts = [attempt(random.choice(ACTS), each, random, clock.now()) for each in replicas]
        await asyncio.gather(*acts)
    for replica in replicas:
        await replica.mirrors.fresh()
    assert replicas[0].known() == replicas[1].known() == await kept(database)


@asynccontextmanager
async def two(database: Database) -> AsyncIterator[tuple[Replica, Replica]]:
    clock = ManualClock(NOW)
    one, other = Replica(database, clock), Replica(database, clock)
    for replica in (one, other):
        await replica.mirrors.begin()
    yield one, other
    for replica in (one, other):
        await replica.mirrors.drain()


async def test_an_answer_shows_what_was_just_written_elsewhere(database: Database) -> None:
    """Whoever writes at one replica and asks the other sees it, each time."""
    async with two(database) as (one, other):
        for number in range(20):
            written, read = (one, other) if number % 2 else (other, one)
            spec = TargetSpec(f"t{number}", url="http://t.test/")
            target, _ = await written.targets.register(spec, NOW)
            await read.mirrors.fresh()
            assert read.targets.get(target.id) == target


async def test_who_missed_too_much_reads_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that was cut off for long has the same as the tables after its next look."""
    async with two(database) as (one, other):
        target, _ = await one.targets.register(TargetSpec("a", url="http://t.test/"), NOW)
        await other.mirrors.fresh()
        await one.targets.delete(target.id)
        await one.targets.register(TargetSpec("b", url="http://t.test/"), NOW)
        await one.alerts.put([Alert(Labels({"alertname": "a"}), NOW, NOW + 9_000, NOW)])
        await SqlChanges(database).trim()
        monkeypatch.setattr("controlplane.storage.changes.KEPT", -1)
        await other.mirrors.fresh()
        assert other.known() == await kept(database)
