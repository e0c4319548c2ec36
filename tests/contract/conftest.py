"""The `database` fixture: every contract runs on SQLite and on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from controlplane.storage import migrate
from controlplane.storage.database import Database
from tests.support import postgres
from tests.support.sqlite import migrated

ENGINES = ("sqlite", "postgresql")
_TEMPLATE = "controlplane_template"


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'controlplane.db'}"
    else:
        with postgres.server().database() as url:
            yield url


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database with the whole schema and no rows."""
    if request.param == "sqlite":
        yield migrated(tmp_path / "controlplane.db")
    else:
        with postgres.server().database(_migrated_template()) as url:
            yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give a connected database with the whole schema and no rows."""
    db = Database(database_url)
    yield db
    await db.close()


@lru_cache(maxsize=1)
def _migrated_template() -> str:
    """Migrate once in each process: a database made from a template is a copy of files."""
    server = postgres.server()
    server.sql(f"CREATE DATABASE {_TEMPLATE}")
    asyncio.run(_migrate(server.url(_TEMPLATE)))
    return _TEMPLATE


async def _migrate(url: str) -> None:
    db = Database(url)
    await migrate.upgrade(db)
    await db.close()
