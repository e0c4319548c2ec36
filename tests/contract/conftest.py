"""The `database` fixture: every contract runs on SQLite and on a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from controlplane.storage.database import Database
from tests.support import postgres, postgres_schema
from tests.support.sqlite import migrated

ENGINES = ("sqlite", "postgresql")


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
        with postgres_schema.migrated() as url:
            yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give a connected database with the whole schema and no rows."""
    db = Database(database_url)
    yield db
    await db.close()
