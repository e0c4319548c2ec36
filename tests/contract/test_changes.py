"""What changed on a shared PostgreSQL: nothing is missed, nothing is told twice."""

from typing import Final

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.target import Provenance, Target, TargetSpec
from controlplane.storage import retention
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.changes import KEPT, Cursor, News, SqlChanges
from controlplane.storage.database import Database
from controlplane.storage.options import RetentionOptions
from controlplane.storage.targets import SqlTargets
from tests.support.plans import full_scans, recording

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

NOTHING: Final = News()
_NOTE: Final = text(
    "INSERT INTO changes (kind, key, at, xid) VALUES "
    "(:kind, :key, 0, pg_current_xact_id()::text::bigint)"
)


async def note(connection: AsyncConnection, key: str) -> None:
    await connection.execute(_NOTE, {"kind": "alert", "key": key})


def news(**keys: set[str]) -> News:
    return News(keys)


def target(name: str, **parts: int) -> Target:
    spec = TargetSpec(name, url="http://a.test/", interval=parts.get("interval"))
    return Target(name, spec, Provenance.API, 1, 1, parts.get("renewed_at", 1))


async def test_a_late_commit_is_not_missed(database: Database) -> None:
    """What was numbered before something else, but committed after it was read, is read."""
    feed = SqlChanges(database)
    cursor = await feed.position()
    async with database.begin() as slow:
        await note(slow, "slow")
        async with database.begin() as quick:
            await note(quick, "quick")
        cursor, first = await feed.since(cursor)
        assert first == news(alert={"quick"})
        cursor, between = await feed.since(cursor)
        assert between == NOTHING
    cursor, second = await feed.since(cursor)
    assert second == news(alert={"slow"})
    assert (await feed.since(cursor))[1] == NOTHING


async def test_what_was_rolled_back_is_not_read(database: Database) -> None:
    """A change that was not committed is none, and holds nobody up."""
    feed = SqlChanges(database)
    cursor = await feed.position()

    async def fail() -> None:
        async with database.begin() as connection:
            await note(connection, "gone")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.begin() as connection:
        await note(connection, "there")
    assert (await feed.since(cursor))[1] == news(alert={"there"})


async def test_a_change_within_a_savepoint_is_read(database: Database) -> None:
    """A part of a transaction has a number of its own; what counts is the whole one's."""
    feed = SqlChanges(database)
    cursor = await feed.position()
    async with database.begin() as connection:
        async with connection.begin_nested():
            await note(connection, "inner")
        assert (await feed.since(cursor))[1] == NOTHING
    assert (await feed.since(cursor))[1] == news(alert={"inner"})


async def test_a_number_that_is_given_again_is_not_missed(database: Database) -> None:
    """After a breakdown a transaction may have the number of one that had left nothing."""
    feed = SqlChanges(database)
    async with database.begin() as connection:
        given = await connection.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
    cursor = await feed.position()
    async with database.begin() as connection:
        await connection.execute(
            text("INSERT INTO changes (kind, key, at, xid) VALUES ('alert', 'again', 0, :xid)"),
            {"xid": given},
        )
    cursor, first = await feed.since(cursor)
    assert first == news(alert={"again"})
    assert (await feed.since(cursor))[1] == NOTHING


async def test_rows_are_noted_as_they_change(database: Database) -> None:
    """Inserting, changing and deleting are noted; writing a row as it was is not."""
    feed, alerts = SqlChanges(database), SqlAlerts(database)
    alert = Alert(Labels({"alertname": "a", "odd": "\0"}), 1, 5, 2)
    cursor = await feed.position()
    await alerts.change([alert.fingerprint], lambda _: [alert])
    cursor, added = await feed.since(cursor)
    await alerts.change([alert.fingerprint], lambda _: [alert])
    cursor, same = await feed.since(cursor)
    await alerts.delete([alert.fingerprint], ended_by=5)
    cursor, gone = await feed.since(cursor)
    assert added == gone == news(alert={alert.fingerprint})
    assert same == NOTHING


async def test_a_renewal_is_a_kind_of_its_own(database: Database) -> None:
    """Only when a target was renewed is read in another way than what it is."""
    feed, targets = SqlChanges(database), SqlTargets(database)
    await targets.save([target("a"), target("b")])
    cursor = await feed.position()
    await targets.renew({"a": 7})
    cursor, renewed = await feed.since(cursor)
    await targets.save([target("b", renewed_at=9, interval=3_000)])
    cursor, changed = await feed.since(cursor)
    assert (renewed, changed) == (news(renewal={"a"}), news(target={"b"}))


async def test_who_was_away_for_long_reads_everything(database: Database) -> None:
    """A cursor from before what is kept, or from a database that was restored, is told so."""
    feed = SqlChanges(database)
    cursor = await feed.position()
    old = Cursor(cursor.snapshot, cursor.at - KEPT - 60_000)
    assert (await feed.since(old))[1].everything
    later = Cursor("999999999:999999999:", cursor.at)
    again, told = await feed.since(later)
    assert told.everything
    assert (await feed.since(again))[1] == NOTHING


async def test_old_changes_are_trimmed(database: Database) -> None:
    """What no cursor can ask for goes, also where nobody reads changes; what is young stays."""
    feed = SqlChanges(database)
    async with database.begin() as connection:
        for number in range(20):
            await note(connection, str(number))
    await SqlTargets(database).save([target("a")])
    assert (await retention.trim(database, RetentionOptions(), 0))["changes"] == 20
    assert await feed.trim() == 0
    async with database.read() as connection:
        kept = await connection.execute(text("SELECT kind, key FROM changes"))
        assert [tuple(row) for row in kept] == [("target", "a")]


async def test_changes_are_read_and_trimmed_by_an_index(database: Database) -> None:
    """However many changes are kept, a look touches those that are new to it."""
    feed = SqlChanges(database)
    cursor = await feed.position()
    with recording() as recorded:
        await feed.since(cursor)
        await feed.trim()
    assert await full_scans(database, recorded) == []
