"""Rollups, incidents and planned maintenance in SQL."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.errors import Outdated
from controlplane.model.duration import DAY, HOUR
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.share import Role
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.storage import retention
from controlplane.storage.database import Database
from controlplane.storage.options import RetentionOptions
from controlplane.storage.status import SqlIncidents, SqlMaintenance
from controlplane.storage.uptime import SqlUptime
from controlplane.uptime.cells import UP, Level, empty_row, pack, unpack
from controlplane.uptime.incident import Impact, Incident, Stage, Update
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.metrics import UptimeMetrics
from controlplane.uptime.recorder import Recorder
from tests.support.clock import ManualClock
from tests.support.plans import full_scans, recording
from tests.support.share import SettableShare

NOW = 1_700_000_000_000
HERE = Level.MINUTE.row_of(NOW)


def row(seconds: float, level: Level = Level.MINUTE) -> bytes:
    cells = empty_row(level)
    cells[3, UP] = seconds
    return pack(cells)


async def test_rows_come_back_and_are_replaced(database: Database) -> None:
    """A row that is written again replaces itself, whoever wrote the others."""
    rollups = SqlUptime(database)
    await rollups.put(Level.MINUTE, HERE, [("a", row(60)), ("é", row(59.5))])
    await rollups.put(Level.MINUTE, HERE, [("a", row(30))])
    await rollups.put(Level.HOUR, HERE, [("a", row(1, Level.HOUR))])
    kept = dict(await rollups.block(Level.MINUTE, HERE))
    assert kept == {"a": row(30), "é": row(59.5)}
    assert unpack(kept["é"], Level.MINUTE)[3, UP] == np.float32(59.5)
    assert await rollups.block(Level.DAY, HERE) == []
    await rollups.put(Level.MINUTE, HERE, [])


async def test_rows_of_some_subjects_are_found_by_the_key(database: Database) -> None:
    """Any number of subjects and spans, and no table is read whole."""
    rollups = SqlUptime(database)
    starts = [HERE - n * HOUR for n in range(3)]
    for start in starts:
        await rollups.put(Level.MINUTE, start, [(f"t{n}", row(n)) for n in range(1_100)])
    with recording() as recorded:
        found = await rollups.rows(Level.MINUTE, [f"t{n}" for n in range(1_100)], starts[:2])
        await rollups.block(Level.MINUTE, HERE)
    assert len(found) == 2_200
    assert {start for _, start, _ in found} == set(starts[:2])
    assert await rollups.rows(Level.MINUTE, ["none"], starts) == []
    assert await full_scans(database, recorded) == []


async def test_progress_is_kept_by_level(database: Database) -> None:
    """Each level has its own, and only who knows it moves it."""
    rollups = SqlUptime(database)
    assert await rollups.progress() == {}
    assert await rollups.advance(Level.MINUTE, None, 1)
    assert not await rollups.advance(Level.MINUTE, None, 9)
    assert await rollups.advance(Level.MINUTE, 1, 2)
    assert not await rollups.advance(Level.MINUTE, 1, 9)
    assert not await rollups.advance(Level.HOUR, 2, 9)
    assert await rollups.advance(Level.HOUR, None, 3)
    assert await rollups.progress() == {Level.MINUTE: 2, Level.HOUR: 3}


def known(*places: int, seconds: float = 60) -> bytes:
    """A row of minutes that are known at some places."""
    cells = empty_row(Level.MINUTE)
    cells[list(places), UP] = seconds
    return pack(cells)


async def test_two_writers_of_one_hour_erase_nothing(database: Database) -> None:
    """Each its own minutes, again and again, at the same time, and for rows not there before."""
    rollups = SqlUptime(database)
    names = [f"t{n:04}" for n in range(600)]
    first, second = known(0, 1, 2), known(2, 3)
    for _ in range(2):
        await asyncio.gather(
            rollups.merge(Level.MINUTE, HERE, [(name, first) for name in names]),
            rollups.merge(Level.MINUTE, HERE, [(name, second) for name in reversed(names)]),
        )
    kept = dict(await rollups.block(Level.MINUTE, HERE))
    assert kept.keys() == set(names)
    assert set(kept.values()) == {known(0, 1, 2, 3)}
    await rollups.merge(Level.MINUTE, HERE, [(names[0], known(0, seconds=30))])
    await rollups.merge(Level.MINUTE, HERE, [])
    assert dict(await rollups.block(Level.MINUTE, HERE))[names[0]] == known(0, 1, 2, 3)


async def test_rows_that_come_late_are_due_again(database: Database) -> None:
    """If they say anything that was not known when they were added up."""
    rollups = SqlUptime(database)
    await rollups.merge(Level.MINUTE, HERE, [("a", known(0))])
    await rollups.advance(Level.MINUTE, None, HERE + 5 * HOUR)
    await rollups.advance(Level.HOUR, None, HERE)
    await rollups.merge(Level.MINUTE, HERE, [("a", known(0))])
    await rollups.merge(Level.MINUTE, HERE + 5 * HOUR, [("a", known(0))])
    assert await rollups.progress() == {Level.MINUTE: HERE + 5 * HOUR, Level.HOUR: HERE}
    await rollups.merge(Level.MINUTE, HERE + HOUR, [("b", known(0))])
    assert await rollups.progress() == {Level.MINUTE: HERE + HOUR, Level.HOUR: HERE}
    await rollups.merge(Level.MINUTE, HERE, [("a", known(0, 1))])
    assert await rollups.progress() == {Level.MINUTE: HERE, Level.HOUR: HERE}


async def test_merging_reads_no_table_whole(database: Database) -> None:
    """Each row by its key."""
    rollups = SqlUptime(database)
    for start in range(HERE, HERE + 3 * HOUR, HOUR):
        await rollups.put(Level.MINUTE, start, [(f"t{n}", known(n % 60)) for n in range(1_000)])
    with recording() as recorded:
        await rollups.merge(Level.MINUTE, HERE, [(f"t{n}", known(59)) for n in range(100)])
    assert await full_scans(database, recorded) == []


async def test_two_recorders_share_a_target(database: Database) -> None:
    """One after the other, in one minute of one hour: every second is there."""
    clock, keys = ManualClock(HERE), ["t", "uptime/fold"]
    shares = [SettableShare(keys, role=Role.PROBER), SettableShare(role=Role.PROBER)]
    one, two = (
        Recorder(
            SqlUptime(database),
            clock=clock,
            metrics=UptimeMetrics(CollectorRegistry()),
            maintained=lambda _at: frozenset(),
            share=share,
        )
        for share in shares
    )
    for place in range(90):
        if place == 30:
            shares[0].take(*keys)
            await one.quiet()
            shares[1].give(*keys)
        recorder = one if place < 30 else two
        recorder.observe("t", clock.now(), True, 0.5, clock.now() + 2_000)
        clock.set(clock.now() + 1_000)
        if place == 59:
            await asyncio.gather(one.turn(), two.turn())
    await asyncio.gather(one.drain(), two.drain())
    ((_, cells),) = await SqlUptime(database).block(Level.MINUTE, HERE)
    assert unpack(cells, Level.MINUTE)[:3, UP].tolist() == [60, 30, 0]


async def test_each_level_has_its_own_retention(database: Database) -> None:
    """Minutes go after days, hours after months, days stay for more than a year."""
    rollups, ages = SqlUptime(database), (3 * DAY, 92 * DAY, 400 * DAY)
    for level, age in zip(Level, ages, strict=True):
        for start in (NOW, NOW - age):
            await rollups.put(level, start, [("a", b"")])
    trimmed = await retention.trim(database, RetentionOptions(), NOW)
    counts = [trimmed[f"uptime_rows.uptime_{name}"] for name in ("minutes", "hours", "days")]
    assert counts == [1, 1, 0]
    assert len(await rollups.block(Level.DAY, NOW - 400 * DAY)) == 1


async def test_incidents_come_back_as_they_were(database: Database) -> None:
    """All updates with odd characters; a save replaces, a delete removes."""
    repository = SqlIncidents(database)
    update = Update(NOW, Stage.INVESTIGATING, "☃ <b>", "ada")
    incident = Incident("i1", "“Slow”", Impact.DOWN, ("main",), ("shop", "é"), (update,))
    await repository.save(incident, None)
    ended = replace(incident, updates=(update, Update(NOW + 1, Stage.RESOLVED, "ok", "grace")))
    await repository.save(ended, incident)
    with pytest.raises(Outdated):
        await repository.save(incident, incident)
    await repository.save(replace(incident, id="i2"), None)
    await repository.delete("i2")
    await repository.delete("none")
    assert await repository.load() == await repository.find(["i1", "i2"]) == [ended]


async def test_only_resolved_incidents_grow_old(database: Database) -> None:
    """What is not over stays, however old it is."""
    repository, old = SqlIncidents(database), NOW - 900 * DAY
    update = Update(old, Stage.INVESTIGATING, "x", "ada")
    open_one = Incident("open", "x", Impact.NONE, (), (), (update,))
    await repository.save(open_one, None)
    await repository.save(
        replace(open_one, id="over", updates=(replace(update, stage=Stage.RESOLVED),)), None
    )
    await retention.trim(database, RetentionOptions(), NOW)
    assert [each.id for each in await repository.load()] == ["open"]


async def test_maintenance_comes_back_as_it_was(database: Database) -> None:
    """Matchers of every kind, and times that come again."""
    repository = SqlMaintenance(database)
    plan = Maintenance(
        title="Übung",
        match=(
            (Matcher("team", MatchOp.EQUAL, '"'), Matcher("b", MatchOp.NOT_REGEX, "x.*")),
            (Matcher("job", MatchOp.REGEX, "y"),),
        ),
        starts_at=NOW,
        ends_at=NOW + HOUR,
        times=(TimeInterval(times=(Span(0, 59),), location="Europe/Berlin"),),
        text="new disks",
        created_by="ada",
        id="m1",
    )
    await repository.save(plan, None)
    await repository.save(replace(plan, ends_at=NOW + 1), plan)
    with pytest.raises(Outdated):
        await repository.save(plan, plan)
    await repository.save(replace(plan, id="m2"), None)
    await repository.delete("m2")
    assert (
        await repository.load()
        == await repository.find(["m1", "m2"])
        == [replace(plan, ends_at=NOW + 1)]
    )
