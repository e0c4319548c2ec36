"""Connections and transactions, the same for SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.clock import Clock, SystemClock
from controlplane.errors import Conflict, InvalidInput, Unavailable
from controlplane.model.secret import Secret
from controlplane.storage.engines import engines, migration_engine, parse_url
from controlplane.storage.options import StorageOptions
from controlplane.storage.standby import Standby, StandbyMetrics

# A server that is gone shows itself as any of these, depending on the moment.
_UNREACHABLE: Final = (exc.DBAPIError, exc.TimeoutError, OSError)

# What makes a transaction durable without changing anything, schema or not.
_WRITE_NOTHING: Final = {
    "sqlite": "PRAGMA user_version = 0",
    "postgresql": "SELECT pg_current_xact_id()",
}


class Database:
    """One database. Write in `begin()`, read in `read()`; both are transactions.

    On SQLite there is one writer: write transactions queue up, first come,
    first served, and readers see the last committed state meanwhile. On
    PostgreSQL both draw from one pool. Belongs to the event loop that first
    uses it.
    """

    def __init__(
        self,
        url: Secret | str,
        options: StorageOptions | None = None,
        standby_metrics: StandbyMetrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Connect to nothing yet. Raises InvalidInput for a URL that cannot be used."""
        self._clock = clock or SystemClock()
        self._options = options or StorageOptions()
        self._url = parse_url(url.reveal() if isinstance(url, Secret) else url)
        self._writer, self._reader = engines(self._url, self._options, self._clock)
        self._standby = self._standby_of(standby_metrics)
        self._turns = asyncio.Semaphore(1 if self.is_sqlite else self._capacity)
        # A full disk is read from as ever: only a write tells.
        self._last_write_failed = False

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """What the database is called in logs and errors: no user, no password."""
        if self.is_sqlite:
            return f"sqlite:///{self._url.database}"
        return f"postgresql://{self._url.host or 'localhost'}/{self._url.database or ''}"

    def __repr__(self) -> str:
        return f"Database({self.name})"

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction: committed at the end of the block, or not at all.

        Raises Conflict when a constraint refuses, InvalidInput for a value
        that no column can hold, Unavailable when the database does not answer
        or the wait for a turn is too long. Never nest: the inner one would
        wait for the outer.
        """
        try:
            with self._faults():
                await self._wait_for_turn()
                try:
                    async with self._writer.begin() as connection:
                        yield connection
                finally:
                    self._turns.release()
        except Unavailable:
            self._last_write_failed = True
            raise
        self._last_write_failed = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that refuses to write. Raises Unavailable."""
        with self._faults():
            async with self._reader.begin() as connection:
                yield connection

    @asynccontextmanager
    async def browse(self) -> AsyncIterator[AsyncConnection]:
        """Open one as `read` does, on a standby where one is up to date.

        For what somebody looks at: all that was committed before is seen. While
        the primary is away it is what the standby has. Raises Unavailable.
        """
        if self._standby is None:
            async with self.read() as connection:
                yield connection
            return
        with self._faults():
            async with self._standby.read(self._writer) as there:
                if there is not None:
                    yield there
                    return
        async with self.read() as connection:
            yield connection

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction in which foreign keys do not act (SQLite rebuilds tables)."""
        engine = migration_engine(self._url, self._options)
        try:
            with self._faults():
                async with engine.begin() as connection:
                    yield connection
        finally:
            await engine.dispose()

    async def ping(self) -> None:
        """Return when the database answers and takes what is written. Raises Unavailable."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))
        if self._last_write_failed:
            async with self.begin() as connection:
                await connection.execute(text(_WRITE_NOTHING[self._url.get_backend_name()]))

    async def close(self) -> None:
        """Close every connection. A later use opens new ones."""
        if self._standby is not None:
            await self._standby.close()
        await self._reader.dispose()
        await self._writer.dispose()

    def _standby_of(self, metrics: StandbyMetrics | None) -> Standby | None:
        if self._options.read_url is None:
            return None
        url = parse_url(self._options.read_url.reveal())
        if self.is_sqlite or url.get_backend_name() == "sqlite":
            raise InvalidInput("storage.read_url: a standby of a PostgreSQL in storage.url")
        return Standby(url, self._options, metrics, self._clock)

    @property
    def _capacity(self) -> int:
        return self._options.pool_size + self._options.max_overflow

    async def _wait_for_turn(self) -> None:
        async with asyncio.timeout(self._options.pool_timeout / 1000):
            await self._turns.acquire()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Raise what the driver raised as one of our errors; its text names no parameters."""
        try:
            yield
        except exc.IntegrityError as error:
            raise Conflict(f"{self.name} refused the change: {error.orig}") from error
        except exc.DataError as error:
            raise InvalidInput(f"{self.name} cannot hold a value: {error.orig}") from error
        except exc.ProgrammingError:
            raise  # our own SQL is wrong, or the schema is not the one we know: a bug
        except _UNREACHABLE as error:
            raise Unavailable(f"{self.name} does not answer: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    return str(origin) or type(origin).__name__
