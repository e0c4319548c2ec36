"""How targets stand, in SQL. Implements targets.ports.OutcomeRepository."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.storage.database import Database
from controlplane.storage.tables.outcomes import target_outcomes
from controlplane.storage.tables.targets import targets
from controlplane.targets.ports import TargetOutcome

# Ids in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500


class SqlOutcomes:
    """The last word on each target, a row each."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[TargetOutcome]:
        async with self._db.read() as connection:
            return [_outcome(row) for row in await connection.execute(select(target_outcomes))]

    async def find(self, ids: Collection[str]) -> Sequence[TargetOutcome]:
        found, wanted = [], sorted(ids)
        async with self._db.read() as connection:
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                statement = select(target_outcomes).where(target_outcomes.c.target_id.in_(chunk))
                found += [_outcome(row) for row in await connection.execute(statement)]
        return found

    async def save(self, outcomes: Sequence[TargetOutcome]) -> None:
        # Always in the same order, so that no two replicas wait for each other.
        rows = {each.target_id: _row(each) for each in sorted(outcomes, key=lambda o: o.target_id)}
        async with self._db.begin() as connection:
            there = await _there(connection, list(rows))
            if there:
                kept = [row for target_id, row in rows.items() if target_id in there]
                await connection.execute(_upsert(connection), kept)


async def _there(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Return which targets there are, and keep them until the end of the transaction."""
    there: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        wanted = (
            select(targets.c.id)
            .where(targets.c.id.in_(ids[start : start + _CHUNK]))
            .order_by(targets.c.id)
            .with_for_update(read=True, key_share=True)
        )
        there.update((await connection.execute(wanted)).scalars())
    return there


def _upsert(connection: AsyncConnection) -> Any:
    statement: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(
        target_outcomes
    )
    new = {column.name: statement.excluded[column.name] for column in target_outcomes.columns}
    return statement.on_conflict_do_update(
        index_elements=["target_id"], set_=new, where=target_outcomes.c.at < statement.excluded.at
    )


def _row(outcome: TargetOutcome) -> dict[str, Any]:
    return {
        "target_id": outcome.target_id,
        "success": outcome.success,
        "reason": outcome.reason,
        "since": outcome.since,
        "at": outcome.at,
        "replica": outcome.replica,
    }


def _outcome(row: Row[Any]) -> TargetOutcome:
    return TargetOutcome(row.target_id, row.success, row.reason, row.since, row.at, row.replica)
