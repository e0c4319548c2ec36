"""PostgreSQL databases with the whole schema: migrated once in each process, then copied."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

from controlplane.storage import migrate
from controlplane.storage.database import Database
from tests.support import postgres

_TEMPLATE = "controlplane_template"


@contextmanager
def migrated() -> Iterator[str]:
    """Give the URL of a database with the whole schema and no rows; drop it at the end."""
    with postgres.server().database(_template()) as url:
        yield url


@lru_cache(maxsize=1)
def _template() -> str:
    server = postgres.server()
    server.sql(f"CREATE DATABASE {_TEMPLATE}")
    # A thread of its own, for callers whose thread has a running loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _migrate(server.url(_TEMPLATE))).result()
    return _TEMPLATE


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate.upgrade(database)
    await database.close()
