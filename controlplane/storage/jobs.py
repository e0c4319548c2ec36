"""The runs of scheduled jobs: implements app.job_runner.JobRuns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from controlplane.clock import Timestamp
from controlplane.model.job import JobPast, JobRun, RunState
from controlplane.storage.database import Database
from controlplane.storage.tables.jobs import job_runs


class SqlJobRuns:
    """A row for each run. Whoever changes one names the attempt at which they saw it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, run: JobRun) -> JobRun | None:
        make = sqlite.insert if self._db.is_sqlite else postgresql.insert
        statement = (
            make(job_runs)
            .values(_row(run))
            .on_conflict_do_nothing(index_elements=["name", "due_at"])
            .returning(job_runs)
        )
        async with self._db.begin() as connection:
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None else _run(row)

    async def change(self, before: JobRun, after: JobRun) -> bool:
        statement = (
            update(job_runs)
            .where(
                job_runs.c.id == before.id,
                job_runs.c.attempt == before.attempt,
                job_runs.c.state == before.state.value,
            )
            .values(_row(after))
        )
        async with self._db.begin() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def unfinished(self, names: Collection[str], now: Timestamp) -> Sequence[JobRun]:
        rows = job_runs.c
        waiting = and_(rows.state == RunState.WAITING.value, rows.retry_at <= now)
        abandoned = and_(rows.state == RunState.RUNNING.value, rows.lease_until <= now)
        statement = select(job_runs).where(
            rows.state.in_(("running", "waiting")),
            rows.name.in_(sorted(names)),
            or_(waiting, abandoned),
        )
        async with self._db.read() as connection:
            found = await connection.execute(statement.order_by(rows.due_at))
            return [_run(row) for row in found]

    async def past(self) -> Mapping[str, JobPast]:
        rows = job_runs.c
        failed = func.count().filter(or_(rows.failure != "", rows.attempt > 1))
        counted = (
            select(rows.name, func.max(rows.due_at).label("due_at"), func.count(), failed)
            .group_by(rows.name)
            .subquery()
        )
        statement = select(job_runs, *list(counted.c)[2:]).join(
            counted, and_(rows.name == counted.c.name, rows.due_at == counted.c.due_at)
        )
        async with self._db.browse() as connection:
            found = list(await connection.execute(statement))
        return {row.name: JobPast(_run(row), row[-2], row[-1]) for row in found}

    async def dead(self, *, before: int | None, limit: int) -> Sequence[JobRun]:
        rows = job_runs.c
        statement = select(job_runs).where(rows.state == RunState.DEAD.value)
        if before is not None:
            statement = statement.where(rows.id < before)
        async with self._db.browse() as connection:
            found = await connection.execute(statement.order_by(rows.id.desc()).limit(limit))
            return [_run(row) for row in found]

    async def get(self, run_id: int) -> JobRun | None:
        async with self._db.read() as connection:
            found = await connection.execute(select(job_runs).where(job_runs.c.id == run_id))
            row = found.one_or_none()
            return None if row is None else _run(row)


def _row(run: JobRun) -> dict[str, Any]:
    """Return all columns but the id, which the database counts."""
    row = {**asdict(run), "state": run.state.value}
    del row["id"]
    return row


def _run(row: Row[Any]) -> JobRun:
    return JobRun(
        id=row.id,
        name=row.name,
        due_at=row.due_at,
        state=RunState(row.state),
        attempt=row.attempt,
        owner=row.owner,
        lease_until=row.lease_until,
        retry_at=row.retry_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        failure=row.failure,
        correlation_id=row.correlation_id,
    )
