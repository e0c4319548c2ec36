"""The registry's rows: implements targets.ports.TargetRepository and FailureRepository."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.clock import Timestamp
from controlplane.model.dependency import parse_dependencies
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.storage.database import Database
from controlplane.storage.tables.failures import probe_failures
from controlplane.storage.tables.targets import targets
from controlplane.targets.ports import Failure

# Ids in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500


class SqlTargets:
    """Targets, a row each."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Target]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(targets).order_by(targets.c.name))
            return [_target(row) for row in rows]

    async def save(self, changed: Sequence[Target]) -> None:
        async with self._db.begin() as connection:
            # Old rows first: a name may pass from one of them to another.
            known = await _known(connection, [target.id for target in changed])
            old = [{"key": t.id, **_row(t)} for t in changed if t.id in known]
            new = [_row(t) for t in changed if t.id not in known]
            if old:
                statement = update(targets).where(targets.c.id == bindparam("key"))
                await connection.execute(statement, old)
            if new:
                await connection.execute(insert(targets), new)

    async def renew(self, renewals: Mapping[str, Timestamp]) -> None:
        statement = (
            update(targets)
            .where(targets.c.id == bindparam("key"))
            .values(renewed_at=bindparam("at"))
        )
        async with self._db.begin() as connection:
            rows = [{"key": key, "at": at} for key, at in renewals.items()]
            await connection.execute(statement, rows)

    async def delete(self, ids: Sequence[str]) -> None:
        async with self._db.begin() as connection:
            for chunk in _chunks(ids):
                await connection.execute(delete(targets).where(targets.c.id.in_(chunk)))
                await connection.execute(
                    delete(probe_failures).where(probe_failures.c.target_id.in_(chunk))
                )


class SqlFailures:
    """The evidence of failed probes, a row each, the newest few of each target."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, failures: Sequence[Failure], keep: int) -> None:
        async with self._db.begin() as connection:
            rows = [
                {
                    "target_id": failure.target_id,
                    "at": failure.at,
                    "reason": failure.reason,
                    "evidence": dict(failure.evidence),
                }
                for failure in failures
            ]
            await connection.execute(insert(probe_failures), rows)
            for chunk in _chunks(sorted({failure.target_id for failure in failures})):
                await _drop_older(connection, chunk, keep)

    async def list(self, target_id: str, limit: int) -> Sequence[Failure]:
        statement = (
            select(probe_failures)
            .where(probe_failures.c.target_id == target_id)
            .order_by(probe_failures.c.id.desc())
            .limit(limit)
        )
        async with self._db.read() as connection:
            rows = await connection.execute(statement)
            return [Failure(row.target_id, row.at, row.reason, row.evidence) for row in rows]


async def _known(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for chunk in _chunks(ids):
        rows = await connection.execute(select(targets.c.id).where(targets.c.id.in_(chunk)))
        known.update(rows.scalars())
    return known


async def _drop_older(connection: AsyncConnection, ids: Sequence[str], keep: int) -> None:
    rank = func.row_number().over(
        partition_by=probe_failures.c.target_id, order_by=probe_failures.c.id.desc()
    )
    ranked = (
        select(probe_failures.c.id, rank.label("rank"))
        .where(probe_failures.c.target_id.in_(ids))
        .subquery()
    )
    old = select(ranked.c.id).where(ranked.c.rank > keep)
    await connection.execute(delete(probe_failures).where(probe_failures.c.id.in_(old)))


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]


def _row(target: Target) -> dict[str, Any]:
    spec, operator = target.spec, target.operator
    return {
        "id": target.id,
        "name": spec.name,
        "provenance": target.provenance.value,
        "url": spec.url,
        "address": spec.address,
        "module": spec.module,
        "interval": spec.interval,
        "labels": dict(spec.labels),
        "metrics_url": spec.metrics_url,
        "lease": spec.lease,
        "depends_on": [str(each) for each in spec.depends_on],
        "dashboard": spec.dashboard,
        "created_at": target.created_at,
        "updated_at": target.updated_at,
        "renewed_at": target.renewed_at,
        "operator_paused": operator.paused,
        "operator_labels": dict(operator.labels),
        "operator_actor": operator.actor,
        "operator_changed_at": operator.changed_at,
    }


def _target(row: Row[Any]) -> Target:
    return Target(
        id=row.id,
        spec=TargetSpec(
            name=row.name,
            url=row.url,
            address=row.address,
            module=row.module,
            interval=row.interval,
            labels=Labels(row.labels),
            metrics_url=row.metrics_url,
            lease=row.lease,
            depends_on=parse_dependencies(row.depends_on),
            dashboard=row.dashboard,
        ),
        provenance=Provenance(row.provenance),
        created_at=row.created_at,
        updated_at=row.updated_at,
        renewed_at=row.renewed_at,
        operator=Operator(
            paused=row.operator_paused,
            labels=row.operator_labels or EMPTY,
            actor=row.operator_actor,
            changed_at=row.operator_changed_at,
        ),
    )
