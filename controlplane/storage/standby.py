"""A standby of the database, for reads that may be heavy: never behind what was written.

A read first asks the primary how far its log is, which costs it nothing but the
question, and goes to the standby when that has replayed as much. So whoever
reads sees all that was committed before, by whichever process. With the primary
away the standby answers with what it has.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import URL, exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from controlplane.clock import Clock
from controlplane.storage.engines import engines
from controlplane.storage.options import StorageOptions
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_POSITION: Final = text("SELECT CAST(pg_current_wal_insert_lsn() AS text)")
# One that replays nothing is no standby, and so is up to date.
_REPLAYED: Final = text(
    "SELECT coalesce(pg_last_wal_replay_lsn() >= CAST(CAST(:position AS text) AS pg_lsn), true)"
)
_AWAY: Final = (exc.DBAPIError, exc.TimeoutError, OSError)


class StandbyMetrics:
    """Where reads went."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reads = Counter(
            "controlplane_database_standby_reads_total",
            "Reads for which there is a standby: `standby` had them, or was `behind` or `away`.",
            ["outcome"],
            registry=registry,
        )


class Standby:
    """Reads on the standby where it is up to date."""

    def __init__(
        self, url: URL, options: StorageOptions, metrics: StandbyMetrics | None, clock: Clock
    ) -> None:
        self._reader: AsyncEngine = engines(url, options, clock)[1]
        self._metrics = metrics
        self._told = ""

    @asynccontextmanager
    async def read(self, primary: AsyncEngine) -> AsyncIterator[AsyncConnection | None]:
        """Open a transaction that refuses to write, None where the primary has to be asked."""
        position = await _position(primary)
        try:
            connection = await self._reader.connect()
        except _AWAY as error:
            self._note("away", reason=str(error))
            yield None
            return
        try:
            async with connection.begin():
                if await self._is_behind(connection, position):
                    self._note("behind")
                    yield None
                else:
                    self._note("standby")
                    yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()

    async def _is_behind(self, connection: AsyncConnection, position: str | None) -> bool:
        if position is None:
            return False
        return not await connection.scalar(_REPLAYED, {"position": position})

    def _note(self, outcome: str, **why: str) -> None:
        if self._metrics is not None:
            self._metrics.reads.labels(outcome).inc()
        # A standby that is behind for a moment is no news.
        if (outcome == "away") is not (self._told == "away"):
            say = log.warning if outcome == "away" else log.info
            say("standby of the database", now=outcome, **why)
        self._told = outcome


async def _position(primary: AsyncEngine) -> str | None:
    """Return how far the primary's log is, None while it is away."""
    try:
        async with primary.connect() as connection:
            found: str = await connection.scalar(_POSITION)
            return found
    except _AWAY:
        return None
