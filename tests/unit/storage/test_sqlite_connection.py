"""SQLite's connections: a statement is one visit to the thread, and leaves nothing open."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.storage.sqlite_connection import ThreadedConnection


class Counting(ThreadedConnection):
    """Counts the visits to its thread."""

    visits = 0

    async def visit(self, run: Any, sql: str, parameters: Any) -> Any:
        self.visits += 1
        return await super().visit(run, sql, parameters)


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Counting]:
    opened = Counting(tmp_path / "x.db", isolation_level=None)
    await opened
    async with opened.cursor() as cursor:
        await cursor.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        await cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (3,)])
    opened.visits = 0
    yield opened
    await opened.close()


async def test_a_statement_is_one_visit(connection: Counting) -> None:
    """Its cursor, its rows and its end cost no visits of their own."""
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT n FROM t ORDER BY n")
        assert cursor.description[0][0] == "n"
        assert list(await cursor.fetchall()) == [(1,), (2,), (3,)]
        assert list(await cursor.fetchall()) == []
    assert connection.visits == 1


async def test_a_cursor_tells_what_was_changed(connection: Counting) -> None:
    """The number of rows, and the id of the last one."""
    async with connection.cursor() as cursor:
        await cursor.execute("UPDATE t SET n = n + 10 WHERE n > ?", (1,))
        assert cursor.rowcount == 2
        await cursor.execute("INSERT INTO t VALUES (99)")
        assert cursor.lastrowid == 99
        await cursor.executemany("DELETE FROM t WHERE n = ?", [(1,), (99,)])
        assert cursor.rowcount == 2


async def test_a_statement_that_fails_says_so(connection: Counting) -> None:
    """The error is the driver's own, and the connection is good for the next one."""
    async with connection.cursor() as cursor:
        with pytest.raises(sqlite3.IntegrityError):
            await cursor.execute("INSERT INTO t VALUES (1)")
        await cursor.execute("SELECT count(*) FROM t")
        assert list(await cursor.fetchall()) == [(3,)]


async def test_a_read_that_was_begun_holds_no_lock(connection: Counting, tmp_path: Path) -> None:
    """Rows that nobody fetched keep no transaction open."""
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT n FROM t")
        other = sqlite3.connect(tmp_path / "x.db", timeout=0)
        other.execute("INSERT INTO t VALUES (7)")
        other.commit()
        other.close()
