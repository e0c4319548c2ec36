"""The steps between schemas, walked by alembic: imported only where there is one to walk."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from controlplane.storage.tables import metadata


def walk_up(connection: Connection, steps: Path, revision: str) -> None:
    """Apply what is missing up to a revision, or `head`."""
    command.upgrade(_config(connection, steps), revision)


def walk_down(connection: Connection, steps: Path, revision: str) -> None:
    """Undo what came after a revision, or everything for `base`."""
    command.downgrade(_config(connection, steps), revision)


def differences(connection: Connection) -> list[object]:
    """Return what autogenerate would change to arrive at the tables."""
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _config(connection: Connection, steps: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(steps).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
