"""Silences in SQL."""

import asyncio
from dataclasses import replace
from functools import partial
from uuid import uuid4

from prometheus_client import CollectorRegistry

from controlplane.alerts.decision import Decision, Kind
from controlplane.model.alert import Alert
from controlplane.model.duration import DAY
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.origin import Origin
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.metrics import MuteMetrics
from controlplane.mute.silence import Action, Silence, SilenceChange
from controlplane.mute.silences import Silences
from controlplane.notify.incident import Incident, Reason, Told
from controlplane.notify.message import Content, Message, MessageState
from controlplane.storage.database import Database
from controlplane.storage.ledger import SqlLedger
from controlplane.storage.notifications import SqlNotifications
from controlplane.storage.silences import SqlPast, SqlSilences
from tests.support.clock import ManualClock
from tests.support.plans import full_scans, recording

NOW = 1_700_000_000_000


def silence(name: str, *, ends_at: int = NOW + 5) -> Silence:
    return Silence(
        matchers=(Matcher("é\n", MatchOp.EQUAL, '"\\'), Matcher("b", MatchOp.NOT_REGEX, "x.*")),
        starts_at=NOW,
        ends_at=ends_at,
        created_by="ada",
        comment="☃",
        id=name,
        updated_at=NOW + 1,
        annotations=Labels({"ticket": "OPS-1"}),
        times=(TimeInterval(times=(Span(0, 59),), months=(), location="Europe/Berlin"),),
        until_resolved=True,
    )


def change(of: Silence, action: Action = Action.CREATED, by: str = "ada") -> SilenceChange:
    return SilenceChange(of, action, of.updated_at, by)


async def test_silences_come_back_as_they_were(database: Database) -> None:
    """Every field survives, odd characters and an empty part of an interval included."""
    repository = SqlSilences(database)
    await repository.save([change(silence("a")), change(silence("b"))])
    assert sorted(await repository.load(), key=lambda s: s.id) == [silence("a"), silence("b")]
    await repository.save([])


async def test_a_change_replaces_the_silence_and_stays_in_its_history(database: Database) -> None:
    """One row a silence, one for each change, oldest first, with who did it."""
    repository = SqlSilences(database)
    changes = [
        change(silence("a")),
        change(silence("a", ends_at=NOW + 99), Action.CHANGED, "grace"),
        change(silence("a", ends_at=NOW + 2), Action.EXPIRED, "resolved"),
    ]
    for one in changes:
        await repository.save([one])
    assert await repository.load() == [silence("a", ends_at=NOW + 2)]
    assert await repository.history("a") == changes
    assert await repository.history("b") == []


async def test_deleting_takes_the_history_along(database: Database) -> None:
    """Any number at once, known or not, found by an index."""
    repository = SqlSilences(database)
    await repository.save([change(silence(str(number))) for number in range(1_200)])
    with recording() as recorded:
        await repository.delete([*(str(number) for number in range(1, 1_200)), "none"])
        await repository.history("1")
    assert [kept.id for kept in await repository.load()] == ["0"]
    assert await repository.history("1") == []
    assert await full_scans(database, recorded) == []


def held(database: Database, clock: ManualClock) -> Silences:
    return Silences(
        SqlSilences(database),
        clock,
        MuteMetrics(CollectorRegistry()),
        firing=list,
        past=SqlPast(database),
    )


async def test_another_replica_s_silences_are_taken_up(database: Database) -> None:
    """Set, changed, and forgotten at one, they are so at the other; it tells that once."""
    clock = ManualClock(NOW)
    one, two = held(database, clock), held(database, clock)
    heard: list[Origin] = []
    for origin in Origin:
        two.subscribe(partial(heard.append, origin), origin=origin)
    kept = await one.set(replace(silence(""), starts_at=NOW, ends_at=NOW + 9_000))
    for _ in range(2):
        await two.refresh([kept.id])
    assert (two.list(), heard) == ([kept], [Origin.ELSEWHERE])
    await one.expire(kept.id)
    await two.refresh()
    assert two.list() == one.list()
    clock.set(NOW + 99 * DAY)
    await one.gc(clock.now())
    await two.refresh([kept.id])
    assert (two.list(), heard) == ([], [Origin.ELSEWHERE] * 3)


async def test_a_silence_is_changed_as_it_is_kept(database: Database) -> None:
    """What another replica did to it a moment ago counts: an end is written once."""
    clock = ManualClock(NOW)
    one, two = held(database, clock), held(database, clock)
    kept = await one.set(replace(silence(""), starts_at=NOW, ends_at=NOW + 9_000))
    await two.load()
    longer = await two.change(kept.id, lambda s: replace(s, ends_at=NOW + 99_000), by="ada")
    worded = await one.change(kept.id, lambda s: replace(s, comment="new"), by="grace")
    assert (longer.ends_at, worded.ends_at, worded.comment) == (NOW + 99_000,) * 2 + ("new",)
    await asyncio.gather(one.expire(kept.id), two.expire(kept.id))
    changes = await SqlSilences(database).history(kept.id)
    assert [each.action for each in changes].count(Action.EXPIRED) == 1


async def test_the_past_is_read_from_the_ledger_and_the_outbox(database: Database) -> None:
    """Alerts with an end within the window or none, their beginnings, what arrived about them."""
    past, ledger = SqlPast(database), SqlLedger(database)
    old, ended, fires = (
        Alert(Labels({"n": name}), at, end, at)
        for name, at, end in (
            ("old", NOW - 9_000, NOW - 8_000),
            ("ended", NOW - 900, NOW - 800),
            ("fires", NOW - 700, NOW + 700),
        )
    )
    began = [Decision(a.fingerprint, a.starts_at, Kind.RECEIVED) for a in (old, ended, fires)]
    over = [replace(alert, updated_at=alert.ends_at) for alert in (old, ended)]
    await ledger.add(
        [*began, Decision(ended.fingerprint, NOW - 800, Kind.RESOLVED)], [*over, fires]
    )
    names = sorted((ended.fingerprint, fires.fingerprint))
    found = await past.alerts(NOW - 1_000, after="", limit=10)
    assert [name for name, _ in found] == names
    assert dict(found)[fires.fingerprint] == fires.labels
    assert await past.alerts(NOW - 1_000, after=names[0], limit=10) == found[1:]
    everything = [a.fingerprint for a in (old, ended, fires)]
    assert sorted(await past.began(everything, NOW - 1_000)) == [NOW - 900, NOW - 700]
    assert await past.began([], NOW - 1_000) == []
    await _deliver(database, (ended,), at=NOW - 600)
    await _deliver(database, (ended, fires), at=NOW - 500)
    await _deliver(database, (ended,), at=NOW - 5_000)
    assert await past.told([ended.fingerprint], NOW - 1_000) == [NOW - 600]
    assert sorted(await past.told(everything, NOW - 1_000)) == [NOW - 600, NOW - 500]
    with recording() as recorded:
        await past.told(everything, NOW - 1_000)
        await past.began(everything, NOW - 1_000)
    assert await full_scans(database, recorded) == []


async def _deliver(database: Database, alerts: tuple[Alert, ...], *, at: int) -> None:
    """Keep a message about some alerts that arrived at a time."""
    told = Told(frozenset(alert.fingerprint for alert in alerts))
    incident = Incident(uuid4().hex, "ops", "webhook/0", f"key {at}", Labels(), f"key {at}", at)
    content = Content(incident.group_key, Labels(), Reason.FIRST, alerts, at)
    message = Message(0, incident.id, "ops", "webhook/0", told, content, at, at, at + 1)
    async with SqlNotifications(database).begin() as tx:
        await tx.put_incident(incident)
        number = await tx.add_message(message)
        await tx.update_message(
            replace(message, id=number, state=MessageState.DELIVERED, finished_at=at)
        )
