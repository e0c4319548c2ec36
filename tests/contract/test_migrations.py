"""Migrations and tables say the same on both engines."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from controlplane.storage import migrate
from controlplane.storage.database import Database
from tests.support.sqlite import migrated


async def test_migrations_lead_to_the_tables(database: Database) -> None:
    """After all migrations, autogenerate finds nothing left to change."""
    assert await migrate.current(database) == migrate.head()
    assert await migrate.differences(database) == []


def test_the_steps_are_named_by_their_order() -> None:
    """What their names say is what alembic reads in them."""
    directory = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    walked = tuple(script.revision for script in directory.walk_revisions())
    assert migrate.revisions() == walked


def test_a_service_on_its_own_schema_imports_no_alembic(tmp_path: Path) -> None:
    """It is told by one row that there is nothing to do: starting is to be quick."""
    script = (
        "import asyncio, sys; from controlplane.storage import migrate;"
        "from controlplane.storage.database import Database;"
        "asyncio.run(migrate.upgrade(Database(sys.argv[1])));"
        "assert 'alembic' not in sys.modules"
    )
    url = migrated(tmp_path / "controlplane.db")
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


async def test_the_line_can_be_walked_down_and_up(database: Database) -> None:
    """Each step undoes itself wholly and can be applied again."""
    await migrate.downgrade(database, "base")
    assert await migrate.current(database) is None
    await migrate.upgrade(database)
    assert await migrate.differences(database) == []


async def test_an_empty_database_is_refused_with_the_command(empty_url: str) -> None:
    """A server on an older schema says what to run."""
    db = Database(empty_url)
    with pytest.raises(migrate.SchemaMismatch, match="controlplane migrate --config"):
        await migrate.require_current(db)
    await migrate.upgrade(db)
    await migrate.require_current(db)
    await db.close()


async def test_a_newer_schema_is_refused(database: Database) -> None:
    """Neither a server nor a migration touches what a newer version wrote."""
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (migrate.require_current, migrate.upgrade):
        with pytest.raises(migrate.SchemaMismatch, match="newer version"):
            await attempt(database)
