"""Bring a database to this version's schema, or say why it does not fit."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from controlplane.errors import Unavailable
from controlplane.storage.database import Database
from controlplane.storage.tables import metadata
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
# Any number that nobody else locks: one migration at a time in a PostgreSQL database.
_ADVISORY_LOCK: Final = 0x636F6E74726F6C


class SchemaMismatch(Unavailable):
    """The database's schema is older or newer than this program's."""


def head() -> str:
    """Return the revision that this program needs."""
    return _revisions()[0]


async def current(db: Database) -> str | None:
    """Return the revision of the database, or None for an empty one."""
    async with db.read() as connection:
        return await connection.run_sync(_found)


async def upgrade(db: Database, revision: str = "head") -> None:
    """Apply the missing steps, all or none. Raises SchemaMismatch for a newer schema."""
    async with db.migrating() as connection:
        await connection.run_sync(_upgrade, revision, db.name)


async def downgrade(db: Database, revision: str) -> None:
    """Undo the steps after `revision`, or all for `base`, with their data: for tests."""
    async with db.migrating() as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), revision))


async def require_current(db: Database) -> None:
    """Return when the schema is this program's. Raises SchemaMismatch with what to do."""
    found = await current(db)
    _refuse_newer(found, db.name)
    if found != head():
        raise SchemaMismatch(
            f"{db.name} has schema {found or 'none'} and this version needs {head()}: "
            "run `controlplane migrate --config FILE` first"
        )


async def differences(db: Database) -> list[object]:
    """Return what autogenerate would still change: empty when tables and migrations agree."""
    async with db.read() as connection:
        return await connection.run_sync(
            lambda sync: list(compare_metadata(MigrationContext.configure(sync), metadata))
        )


def _upgrade(connection: Connection, revision: str, name: str) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    before = _found(connection)
    _refuse_newer(before, name)
    command.upgrade(_config(connection), revision)
    if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
        raise SchemaMismatch(f"{name}: rows of {broken[0]} refer to rows that are gone")
    if (after := _found(connection)) != before:
        log.info("schema migrated", database=name, before=before, after=after)


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(found: str | None, name: str) -> None:
    if found is not None and found not in _revisions():
        raise SchemaMismatch(
            f"{name} has schema {found}, which a newer version wrote; this one knows up to {head()}"
        )


def _revisions() -> list[str]:
    """Return every known revision, the newest first."""
    scripts = ScriptDirectory(str(_MIGRATIONS))
    return [script.revision for script in scripts.walk_revisions()]


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
