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


def migrate_in(server: postgres.Server, name: str) -> str:
    """Make a database with the whole schema in a server; return its URL."""
    server.sql(f"CREATE DATABASE {name}")
    # A thread of its own, for callers whose thread has a running loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _migrate(server.url(name))).result()
    return server.url(name)


@contextmanager
def migrated() -> Iterator[str]:
    """Give the URL of a database with the whole schema and no rows; drop it at the end."""
    with postgres.server().database(_template()) as url:
        yield url


@lru_cache(maxsize=1)
def _template() -> str:
    migrate_in(postgres.server(), _TEMPLATE)
    return _TEMPLATE


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate.upgrade(database)
    await database.close()
