"""What a real PostgreSQL server says when it cannot be used."""

import pytest
from sqlalchemy import text

from controlplane.errors import Unavailable
from controlplane.storage.database import Database
from controlplane.storage.options import StorageOptions
from tests.support import postgres


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
