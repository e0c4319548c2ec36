"""SQLite files with the whole schema: migrated once in each process, then copied."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from controlplane.storage import migrate
from controlplane.storage.database import Database


def migrated(path: Path) -> str:
    """Return the URL of the database at `path`, which is made unless it is there."""
    if not path.exists():
        path.write_bytes(_template())
    return f"sqlite:///{path}"


@lru_cache(maxsize=1)
def _template() -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "template.db"
        # A thread of its own, for callers whose thread has a running loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _migrate(f"sqlite:///{path}")).result()
        return path.read_bytes()


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate.upgrade(database)
    await database.close()
