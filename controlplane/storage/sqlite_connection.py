"""SQLite connections that end cleanly, whatever cuts them off.

A statement whose result was not read to the end keeps a closed connection
alive within SQLite, and with it the transaction and its lock, until the
collector finds the cursor. And a connection that is told to end while it is
being closed would wait for ever for a thread that is gone.

A visit to that thread costs more than most statements do, so that each is
begun, read to its end and closed in one.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosqlite
from aiosqlite.context import contextmanager


class RollingBack(sqlite3.Connection):
    """A connection that gives up its transaction, and so its lock, before it closes."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


@dataclass(slots=True)
class _Result:
    """What a statement came to."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: list[Any] = field(default_factory=list)


class OneVisitCursor(aiosqlite.Cursor):
    """A cursor that goes to the thread once for each statement, and holds its rows."""

    def __init__(self, connection: "ThreadedConnection") -> None:
        self._on = connection
        self._result = _Result()

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "OneVisitCursor":
        """Run a statement."""
        return await self._visit(sqlite3.Cursor.execute, sql, parameters or ())

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> "OneVisitCursor":
        """Run a statement with each of several sets of parameters."""
        return await self._visit(sqlite3.Cursor.executemany, sql, parameters)

    async def fetchall(self) -> Iterable[Any]:
        """Return the rows, once."""
        rows, self._result.rows = self._result.rows, []
        return rows

    async def close(self) -> None:
        """Forget the rows: all else was closed with the visit."""
        self._result.rows = []

    @property
    def description(self) -> Any:
        return self._result.description

    @property
    def rowcount(self) -> int:
        return self._result.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._result.lastrowid

    async def _visit(self, run: Any, sql: str, parameters: Any) -> "OneVisitCursor":
        self._result = await self._on.visit(run, sql, parameters)
        return self


class ThreadedConnection(aiosqlite.Connection):
    """A connection on a thread of its own, which ends once, however often it is told to."""

    def __init__(self, database: str | Path, **arguments: Any) -> None:
        """`arguments` are those of sqlite3.connect."""

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(database, factory=RollingBack, **arguments)

        super().__init__(connect, iter_chunk_size=64)
        # A thread that waits for a lock must not hold up the end of the process.
        self._thread.daemon = True
        self._ended: asyncio.Future[Any] | None = None

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        """Return a cursor; the thread hears of it with its statement."""
        return OneVisitCursor(self)

    async def visit(self, run: Any, sql: str, parameters: Any) -> _Result:
        """Have the thread run one statement and read what it returns."""

        def on_thread() -> _Result:
            cursor = self._conn.cursor()
            try:
                run(cursor, sql, parameters)
                rows = cursor.fetchall() if cursor.description else []
                return _Result(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
            finally:
                cursor.close()

        execute: Callable[..., Awaitable[_Result]] = self._execute
        return await execute(on_thread)

    def stop(self) -> "asyncio.Future[Any] | None":
        """End the thread after what is queued; return when, for those who want to wait."""
        if self._ended is None:
            self._ended = super().stop()
        return self._ended
