"""Reads on a real standby: never behind what was written, and there when the primary is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.secret import Secret
from controlplane.storage.database import Database
from controlplane.storage.options import StorageOptions
from controlplane.storage.standby import StandbyMetrics
from tests.support import postgres
from tests.support.postgres import Keeper

_PAUSE, _RESUME = "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"


class Pair:
    """A database, its standby, and where reads went."""

    def __init__(self, primary: Keeper, standby: Keeper) -> None:
        self.primary, self.standby = primary, standby
        self.registry = CollectorRegistry()
        options = StorageOptions(
            read_url=Secret(standby.server.url("shop")), connect_timeout=1_000, pool_timeout=1_000
        )
        metrics = StandbyMetrics(self.registry)
        self.database = Database(primary.server.url("shop"), options, metrics)

    async def write(self, number: int) -> None:
        """Commit a row."""
        async with self.database.begin() as connection:
            await connection.execute(text(f"INSERT INTO orders VALUES ({number})"))

    async def seen(self) -> set[int]:
        """Return the rows that somebody sees who looks."""
        async with self.database.browse() as connection:
            return set(await connection.scalars(text("SELECT number FROM orders")))

    def reads(self, outcome: str) -> float:
        """Return how many reads went so."""
        name, labels = "controlplane_database_standby_reads_total", {"outcome": outcome}
        return self.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """Give a database with one table, and a standby that follows it."""
    with postgres.keeper() as primary:
        primary.server.sql("CREATE DATABASE shop")
        database = Database(primary.server.url("shop"))
        async with database.begin() as connection:
            await connection.execute(text("CREATE TABLE orders (number integer)"))
        await database.close()
        with postgres.following(primary) as standby:
            made = Pair(primary, standby)
            try:
                yield made
            finally:
                await made.database.close()


@pytest.mark.slow
async def test_a_reader_sees_what_was_written_wherever_it_looks() -> None:
    """A standby that is behind is passed over; one that caught up has the reads again."""
    async with pair() as there:
        for number in range(20):
            await there.write(number)
            assert await there.seen() == set(range(number + 1))
        there.standby.server.sql(_PAUSE)
        behind = there.reads("behind")
        await there.write(20)
        assert 20 in await there.seen()
        assert there.reads("behind") == behind + 1
        there.standby.server.sql(_RESUME)
        before = there.reads("standby")
        for _ in range(1_000):
            assert 20 in await there.seen()
            if there.reads("standby") > before:
                break
        assert there.reads("standby") > before


@pytest.mark.slow
async def test_either_server_may_be_away() -> None:
    """Without the standby the primary is read; without the primary the standby, as it is."""
    async with pair() as there:
        await there.write(1)
        while there.reads("standby") == 0:
            await there.seen()
        there.primary.stop()
        assert await there.seen() == {1}
        with pytest.raises(Unavailable):
            await there.write(2)
        there.primary.start()
        there.standby.stop()
        await there.write(2)
        assert await there.seen() == {1, 2}
        assert there.reads("away") >= 1


async def test_without_a_standby_the_primary_is_read(database: Database) -> None:
    """On either engine."""
    async with database.browse() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


def test_a_standby_is_of_a_postgresql() -> None:
    """SQLite has none, and is none."""
    one, other = "postgresql://ann:secret@db/x", "sqlite:////tmp/x.db"
    for url, read in ((other, one), (one, other)):
        with pytest.raises(InvalidInput, match="read_url") as refused:
            Database(url, StorageOptions(read_url=Secret(read)))
        assert "secret" not in str(refused.value)
