"""SQLite connections that end cleanly, whatever cuts them off.

A statement whose result was not read to the end keeps a closed connection
alive within SQLite, and with it the transaction and its lock, until the
collector finds the cursor. And a connection that is told to end while it is
being closed would wait for ever for a thread that is gone.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import aiosqlite


class RollingBack(sqlite3.Connection):
    """A connection that gives up its transaction, and so its lock, before it closes."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


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

    def stop(self) -> "asyncio.Future[Any] | None":
        """End the thread after what is queued; return when, for those who want to wait."""
        if self._ended is None:
            self._ended = super().stop()
        return self._ended
