"""Transactions, errors and time-outs mean the same on both engines."""

import asyncio
import gc
from multiprocessing.connection import Connection

import pytest
from sqlalchemy import text

from controlplane.errors import Conflict, ControlPlaneError, Unavailable
from controlplane.storage.database import Database
from controlplane.storage.options import StorageOptions
from tests.support.killed import killed_after

INSERT = text(
    "INSERT INTO probe_failures (target_id, at, reason, evidence) VALUES (:t, 1, 'x', '{}')"
)
RETURNING = text(f"{INSERT.text} RETURNING id")
ALL = text("SELECT * FROM probe_failures")
COUNT = text("SELECT count(*) FROM probe_failures")


async def _count(database: Database) -> int:
    async with database.read() as connection:
        count: int = (await connection.execute(COUNT)).scalar_one()
        return count


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    """An exception rolls the whole transaction back and leaves as it was."""

    async def fail() -> None:
        async with database.begin() as connection:
            await connection.execute(INSERT, {"t": "a"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await _count(database) == 0


async def test_a_cancelled_block_leaves_nothing_and_frees_the_writer(database: Database) -> None:
    """Who is cancelled inside a transaction holds up nobody."""
    inside = asyncio.Event()

    async def stuck() -> None:
        async with database.begin() as connection:
            await connection.execute(INSERT, {"t": "a"})
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with database.begin() as connection:
        await connection.execute(INSERT, {"t": "b"})
    assert await _count(database) == 1


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_whatever_is_cancelled_however_often_frees_the_writer(
    database_url: str, times: int
) -> None:
    """Cut off at any point, a transaction leaves neither rows nor a lock to the collector."""
    options = StorageOptions(statement_timeout=500)
    gc.disable()
    try:
        for steps in range(0, 60, 3):
            database = Database(database_url, options)
            task = asyncio.create_task(_endless(database))
            await _turns_of_the_loop(steps)
            for _ in range(times):
                task.cancel()
                await _turns_of_the_loop(1)
            await asyncio.gather(task, return_exceptions=True)
            await database.close()
            other = Database(database_url, options)
            async with other.begin() as connection:
                assert (await connection.execute(COUNT)).scalar_one() == 0
            await other.close()
    finally:
        gc.enable()


async def _endless(database: Database) -> None:
    async with database.begin() as connection:
        number = 0
        while True:
            # Results that are cut off half-read hold a statement open, and that the lock.
            await connection.execute(RETURNING, {"t": str(number)})
            await connection.execute(ALL)
            number += 1


async def _turns_of_the_loop(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0.0003)  # noqa: TID251 - a thread answers meanwhile


async def test_readers_cannot_write(database: Database) -> None:
    """A write in a read block is refused by the engine itself."""
    with pytest.raises(ControlPlaneError):
        async with database.read() as connection:
            await connection.execute(INSERT, {"t": "a"})
    assert await _count(database) == 0
    async with database.begin() as connection:
        await connection.execute(INSERT, {"t": "a"})
    assert await _count(database) == 1


async def test_many_writers_all_get_their_turn(database: Database) -> None:
    """A hundred concurrent write transactions all commit."""

    async def write(number: int) -> None:
        async with database.begin() as connection:
            await connection.execute(INSERT, {"t": str(number)})

    await asyncio.gather(*(write(number) for number in range(100)))
    assert await _count(database) == 100


async def test_readers_do_not_wait_for_the_writer(database: Database) -> None:
    """While a transaction is open, reading shows the state before it."""
    async with database.begin() as connection:
        await connection.execute(INSERT, {"t": "a"})
        assert await _count(database) == 0
    assert await _count(database) == 1


async def test_a_constraint_is_a_conflict_that_shows_no_values(database: Database) -> None:
    """A refused row becomes Conflict; what stood in it stays out of the text."""
    columns = "(id, target_id, at, reason, evidence)"
    row = text(f"INSERT INTO probe_failures {columns} VALUES (1, :t, 1, 'x', '{{}}')")

    async def insert_twice() -> None:
        async with database.begin() as connection:
            await connection.execute(row, {"t": "hunter2"})
            await connection.execute(row, {"t": "hunter2"})

    with pytest.raises(Conflict) as raised:
        await insert_twice()
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in str(raised.value.__cause__)


async def test_the_wait_for_a_turn_ends(database_url: str) -> None:
    """Where every writer is taken, the next one is told so after the time-out."""
    options = StorageOptions(pool_size=1, max_overflow=0, pool_timeout=50)
    database = Database(database_url, options)
    async with database.begin():
        with pytest.raises(Unavailable):
            async with database.begin():
                pass
    await database.close()


async def test_ping_answers(database: Database) -> None:
    """A database that works says so."""
    await database.ping()


def _write_until_killed(url: str, acknowledged: Connection) -> None:
    async def main() -> None:
        database = Database(url)
        for number in range(1_000_000):
            async with database.begin() as connection:
                await connection.execute(INSERT, {"t": str(number)})
            acknowledged.send(number)

    asyncio.run(main())


async def test_what_was_acknowledged_survives_kill_9(database_url: str) -> None:
    """After SIGKILL in the midst of writing, every acknowledged row is there."""
    newest = killed_after(50, _write_until_killed, database_url)
    database = Database(database_url)
    async with database.read() as connection:
        rows = await connection.execute(text("SELECT target_id FROM probe_failures"))
        found = {int(row.target_id) for row in rows}
    await database.close()
    assert found >= set(range(newest + 1))
