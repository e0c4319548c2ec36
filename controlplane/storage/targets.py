"""The registry's rows: implements targets.ports.TargetRepository and FailureRepository."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.clock import Timestamp
from controlplane.errors import Conflict, Outdated
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

    async def find(self, ids: Collection[str]) -> Sequence[Target]:
        found: list[Target] = []
        async with self._db.read() as connection:
            for chunk in _chunks(sorted(ids)):
                rows = await connection.execute(select(targets).where(targets.c.id.in_(chunk)))
                found += map(_target, rows)
        return sorted(found, key=lambda target: target.name)

    async def renewed(self, ids: Collection[str]) -> Mapping[str, Timestamp]:
        found: dict[str, Timestamp] = {}
        async with self._db.read() as connection:
            for chunk in _chunks(sorted(ids)):
                wanted = select(targets.c.id, targets.c.renewed_at).where(targets.c.id.in_(chunk))
                found.update((row.id, row.renewed_at) for row in await connection.execute(wanted))
        return found

    async def save(
        self, changed: Sequence[Target], known: Mapping[str, Target] | None = None
    ) -> None:
        try:
            await self._save(changed, known)
        except Outdated:
            raise
        except Conflict as error:
            if known is None:
                raise
            # Another replica was quicker with one of the names.
            raise Outdated(str(error)) from error

    async def _save(self, changed: Sequence[Target], known: Mapping[str, Target] | None) -> None:
        async with self._db.begin() as connection:
            kept = await _locked(connection, [target.id for target in changed])
            if known is not None:
                _compare(kept, {t.id: known.get(t.id) for t in changed}, _without_renewal)
            # Old rows first: a name may pass from one of them to another.
            old = [
                {"key": t.id, **_row(t), "renewed_at": max(t.renewed_at, kept[t.id].renewed_at)}
                for t in changed
                if t.id in kept
            ]
            # In one order: two replicas that read the same file do not wait for each other.
            new = [_row(t) for t in sorted(changed, key=lambda t: t.name) if t.id not in kept]
            if old:
                statement = update(targets).where(targets.c.id == bindparam("key"))
                await connection.execute(statement, old)
            if new:
                await connection.execute(insert(targets), new)

    async def renew(self, renewals: Mapping[str, Timestamp]) -> Collection[str]:
        statement = (
            update(targets)
            .where(targets.c.id == bindparam("key"), targets.c.renewed_at < bindparam("at"))
            .values(renewed_at=bindparam("at"))
        )
        async with self._db.begin() as connection:
            rows = [{"key": key, "at": at} for key, at in sorted(renewals.items())]
            await connection.execute(statement, rows)
            if self._db.is_sqlite:
                return ()
            kept: set[str] = set()
            for chunk in _chunks(list(renewals)):
                wanted = select(targets.c.id).where(targets.c.id.in_(chunk))
                kept.update(await connection.scalars(wanted))
        return renewals.keys() - kept

    async def delete(self, gone: Sequence[Target]) -> None:
        async with self._db.begin() as connection:
            kept = await _locked(connection, [target.id for target in gone], to_delete=True)
            _compare(kept, {target.id: target for target in gone if target.id in kept})
            for chunk in _chunks([target.id for target in gone]):
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
        async with self._db.browse() as connection:
            rows = await connection.execute(statement)
            return [Failure(row.target_id, row.at, row.reason, row.evidence) for row in rows]


async def _locked(
    connection: AsyncConnection, ids: Collection[str], *, to_delete: bool = False
) -> Mapping[str, Target]:
    """Return targets as they are kept, by id; nobody else changes them until the end.

    All lock rows in one order, so that no two wait for each other. Who refers
    to a target waits only where that is to go.
    """
    kept: dict[str, Target] = {}
    for chunk in _chunks(sorted(ids)):
        wanted = select(targets).where(targets.c.id.in_(chunk)).order_by(targets.c.id)
        rows = await connection.execute(wanted.with_for_update(key_share=not to_delete))
        kept.update((row.id, _target(row)) for row in rows)
    return kept


def _compare(
    kept: Mapping[str, Target],
    known: Mapping[str, Target | None],
    part: Callable[[Target], Target] = lambda target: target,
) -> None:
    """Return when `part` of each target is kept as it is known. Raises Outdated."""
    different = {
        target_id
        for target_id, target in known.items()
        if (found := kept.get(target_id)) != target
        and (found is None or target is None or part(found) != part(target))
    }
    if different:
        raise Outdated("targets were changed meanwhile", different)


def _without_renewal(target: Target) -> Target:
    return replace(target, renewed_at=0)


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
