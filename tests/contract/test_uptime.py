"""Rollups, incidents and planned maintenance in SQL."""

from dataclasses import replace

import numpy as np

from controlplane.model.duration import DAY, HOUR
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.storage import retention
from controlplane.storage.database import Database
from controlplane.storage.options import RetentionOptions
from controlplane.storage.status import SqlIncidents, SqlMaintenance
from controlplane.storage.uptime import SqlUptime
from controlplane.uptime.cells import UP, Level, empty_row, pack, unpack
from controlplane.uptime.incident import Impact, Incident, Stage, Update
from controlplane.uptime.maintenance import Maintenance
from tests.support.plans import full_scans, recording

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
    """Each level has its own, and the last one counts."""
    rollups = SqlUptime(database)
    assert await rollups.progress() == {}
    await rollups.advance(Level.MINUTE, 1)
    await rollups.advance(Level.MINUTE, 2)
    await rollups.advance(Level.HOUR, 3)
    assert await rollups.progress() == {Level.MINUTE: 2, Level.HOUR: 3}


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
    await repository.save(incident)
    ended = replace(incident, updates=(update, Update(NOW + 1, Stage.RESOLVED, "ok", "grace")))
    await repository.save(ended)
    await repository.save(replace(incident, id="i2"))
    await repository.delete("i2")
    await repository.delete("none")
    assert await repository.load() == [ended]


async def test_only_resolved_incidents_grow_old(database: Database) -> None:
    """What is not over stays, however old it is."""
    repository, old = SqlIncidents(database), NOW - 900 * DAY
    update = Update(old, Stage.INVESTIGATING, "x", "ada")
    open_one = Incident("open", "x", Impact.NONE, (), (), (update,))
    await repository.save(open_one)
    await repository.save(
        replace(open_one, id="over", updates=(replace(update, stage=Stage.RESOLVED),))
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
    await repository.save(plan)
    await repository.save(replace(plan, ends_at=NOW + 1))
    await repository.save(replace(plan, id="m2"))
    await repository.delete("m2")
    assert await repository.load() == [replace(plan, ends_at=NOW + 1)]
