"""What a real PostgreSQL server says when it cannot be used."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.errors import Unavailable
from controlplane.storage.database import Database
from controlplane.storage.options import StorageOptions
from tests.support import postgres
from tests.support.clock import ManualClock

_XACT = text("SELECT pg_current_xact_id()")


async def test_a_database_that_does_not_exist_is_unavailable() -> None:
    """The server's own words come through."""
    database = Database(postgres.server().url("nobody_made_it"))
    with pytest.raises(Unavailable, match="nobody_made_it"):
        await database.ping()
    await database.close()


async def test_a_statement_that_takes_too_long_is_stopped() -> None:
    """The server gives up at the statement time-out, and the pool is fit again."""
    options = StorageOptions(statement_timeout=100)
    with postgres.server().database() as url:
        database = Database(url, options)
        with pytest.raises(Unavailable, match="statement timeout"):
            async with database.begin() as connection:
                await connection.execute(text("SELECT pg_sleep(5)"))
        await database.ping()
        await database.close()


async def test_a_connection_cut_by_the_server_heals() -> None:
    """After the server dropped every connection, the next use works."""
    server = postgres.server()
    with server.database() as url:
        database = Database(url)
        await database.ping()
        name = url.split("/")[3].split("?")[0]
        server.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        await database.ping()
        await database.close()


async def test_what_was_of_use_just_now_is_not_asked_whether_it_lives() -> None:
    """A connection is asked when it was idle for some seconds, and then no more for a while."""
    clock, said = ManualClock(), list[str]()
    with postgres.server().database() as url:
        database = Database(url, clock=clock)
        async with database.read() as connection:
            driven = (await connection.get_raw_connection()).driver_connection
            assert driven is not None
            driven.add_query_logger(lambda record: said.append(record.query))
        question = ["BEGIN READ ONLY;", "COMMIT;"]
        for idle, asked in ((0, []), (4.9, []), (5, ["BEGIN;", ";", "ROLLBACK;"]), (1, [])):
            await clock.advance(idle)
            said.clear()
            await database.ping()
            assert said == [*asked, *question]
        await database.close()


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("kind", ["begin", "read", "browse"])
async def test_nothing_fails_after_a_restart(kind: str, seen: bool) -> None:
    """Idle connections that end with the server are opened anew, noticed (`seen`) or not yet."""
    with postgres.keeper() as server:
        database = Database(server.server.url("postgres"))

        def opened() -> AbstractAsyncContextManager[AsyncConnection]:
            kinds = {"begin": database.begin, "read": database.read, "browse": database.browse}
            return kinds[kind]()

        async def use(several: int) -> None:
            async with AsyncExitStack() as stack:
                for _ in range(several):
                    connection = await stack.enter_async_context(opened())
                    await connection.execute(text("SELECT 1") if kind != "begin" else _XACT)

        await use(3)
        server.stop()
        if seen:
            await asyncio.to_thread(server.start)
        else:
            server.start()
        for _ in range(4):
            await use(1)
        await use(3)
        await database.close()


async def test_while_there_is_no_server_each_use_tells() -> None:
    """None is handed a connection that is gone; with the server back, the first use works."""
    with postgres.keeper() as server:
        database = Database(server.server.url("postgres"), StorageOptions(connect_timeout=500))
        await database.ping()
        server.stop()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await database.ping()
        server.start()
        await database.ping()
        await database.close()
