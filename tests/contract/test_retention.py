"""Every table says why it does not grow, and what it says is done."""

import dataclasses

from sqlalchemy import func, select

from controlplane.storage import retention
from controlplane.storage.database import Database
from controlplane.storage.growth import Expires
from controlplane.storage.options import RetentionOptions
from controlplane.storage.tables import growth, metadata
from controlplane.storage.tables.failures import probe_failures
from controlplane.storage.targets import SqlFailures
from controlplane.targets.ports import Failure
from tests.support import plans

NOW = 10**12


def test_every_table_tells_of_its_growth() -> None:
    """No table is forgotten, and each trim names a setting that exists."""
    assert {entry.table.name for entry in growth()} == set(metadata.tables)
    settings = {field.name for field in dataclasses.fields(RetentionOptions)}
    used = {entry.keep for entry in growth() if isinstance(entry, Expires)}
    assert used == settings


async def test_old_rows_go_in_steps_and_young_ones_stay(database: Database) -> None:
    """Far more than one step of old rows is trimmed, and the count is told."""
    keep = RetentionOptions().probe_failures
    old = [Failure(f"t{n}", NOW - keep - 1, "dns", {}) for n in range(2_100)]
    await SqlFailures(database).add([*old, Failure("young", NOW - keep, "dns", {})], 10)
    trimmed = await retention.trim(database, RetentionOptions(), NOW)
    assert trimmed["probe_failures.probe_failures"] == 2_100
    async with database.read() as connection:
        left = await connection.scalar(select(func.count()).select_from(probe_failures))
    assert left == 1


async def test_trimming_reads_no_table_whole(database: Database) -> None:
    """Each trim finds old rows by an index, however large its table."""
    with plans.recording() as recorded:
        await retention.trim(database, RetentionOptions(), NOW)
    assert await plans.full_scans(database, recorded) == []
