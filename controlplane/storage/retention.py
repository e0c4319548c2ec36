"""Trim every table that grows: a step of a thousand rows at a time, as its area declares."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Delete, delete, select, tuple_

from controlplane.clock import Timestamp
from controlplane.storage.changes import SqlChanges
from controlplane.storage.database import Database
from controlplane.storage.growth import Expires
from controlplane.storage.options import RetentionOptions
from controlplane.storage.tables import growth

# Rows a transaction: on SQLite other writers wait for it, so it must be short.
_STEP: Final = 1_000


async def trim(db: Database, options: RetentionOptions, now: Timestamp) -> Mapping[str, int]:
    """Delete what is older than its retention; return the rows deleted from each table.

    Raises Unavailable; what was deleted until then stays deleted.
    """
    rules = [entry for entry in growth() if isinstance(entry, Expires)]
    trimmed = {
        f"{rule.table.name}.{rule.keep}": await _trim(db, rule, now - getattr(options, rule.keep))
        for rule in rules
    }
    if not db.is_sqlite:
        # Replicas that read them trim them each minute; one that is alone does not read them.
        trimmed["changes"] = await SqlChanges(db).trim()
    return trimmed


async def _trim(db: Database, rule: Expires, before: Timestamp) -> int:
    statement, total = expired(rule, before), 0
    while True:
        async with db.begin() as connection:
            deleted = (await connection.execute(statement)).rowcount
        total += deleted
        if deleted < _STEP:
            return total


def expired(rule: Expires, before: Timestamp) -> Delete:
    """Return the statement that deletes one step of the rows older than `before`."""
    old = rule.since < before
    wanted = old if rule.where is None else old & rule.where
    key = list(rule.table.primary_key.columns)
    chosen = select(*key).where(wanted).limit(_STEP)
    return delete(rule.table).where(
        tuple_(*key).in_(chosen) if len(key) > 1 else key[0].in_(chosen)
    )
