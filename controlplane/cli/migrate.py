"""`controlplane migrate --config FILE`: bring the configured database to this version's schema."""

import argparse
import asyncio
from pathlib import Path

from controlplane.config.loader import load
from controlplane.errors import InvalidInput
from controlplane.storage import migrate
from controlplane.storage.database import Database
from controlplane.telemetry.logs import configure_logs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        required=True,
        help="the configuration that names the database in storage.url",
    )


def run(args: argparse.Namespace) -> int:
    """Migrate; 0 when the database has this version's schema."""
    configure_logs(level="WARNING", json=False)
    storage = load(args.config).storage
    if storage.url is None:
        raise InvalidInput(
            f"{args.config}: no storage.url: SQLite in the data directory is migrated by "
            "`controlplane serve` itself"
        )
    print(asyncio.run(_migrate(Database(storage.url, storage))))
    return 0


async def _migrate(db: Database) -> str:
    try:
        before = await migrate.current(db)
        await migrate.upgrade(db)
    finally:
        await db.close()
    if before == migrate.head():
        return f"{db.name}: schema {before}, nothing to do"
    return f"{db.name}: schema {before or 'none'} -> {migrate.head()}"
