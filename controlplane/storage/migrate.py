"""Bring a database to this version's schema, or say why it does not fit.

A service that starts on its own schema, as almost all do, is told so by the
names of the steps and one row: alembic is imported only to walk them.
"""

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from sqlalchemy import Connection, column, inspect, select, table, text

from controlplane.errors import Unavailable
from controlplane.storage.database import Database
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = table("alembic_version", column("version_num"))
# Any number that nobody else locks: one migration at a time in a PostgreSQL database.
_ADVISORY_LOCK: Final = 0x636F6E74726F6C


class SchemaMismatch(Unavailable):
    """The database's schema is older or newer than this program's."""


def head() -> str:
    """Return the revision that this program needs."""
    return revisions()[0]


@cache
def revisions() -> tuple[str, ...]:
    """Return every known revision, the newest first: what the names of the steps begin with."""
    files = (_MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return tuple(sorted((file.name.partition("_")[0] for file in files), reverse=True))


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
        await connection.run_sync(_steps().walk_down, _MIGRATIONS, revision)


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
        found: list[object] = await connection.run_sync(_steps().differences)
        return found


def _upgrade(connection: Connection, revision: str, name: str) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    before = _found(connection)
    _refuse_newer(before, name)
    if before == (head() if revision == "head" else revision):
        return
    _steps().walk_up(connection, _MIGRATIONS, revision)
    if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
        raise SchemaMismatch(f"{name}: rows of {broken[0]} refer to rows that are gone")
    if (after := _found(connection)) != before:
        log.info("schema migrated", database=name, before=before, after=after)


def _steps() -> ModuleType:
    from controlplane.storage import steps  # noqa: PLC0415 - alembic, for those who walk

    return steps


def _found(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.execute(select(_VERSION)).scalar()
    return found


def _refuse_newer(found: str | None, name: str) -> None:
    if found is not None and found not in revisions():
        raise SchemaMismatch(
            f"{name} has schema {found}, which a newer version wrote; this one knows up to {head()}"
        )
