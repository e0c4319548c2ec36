"""`/api/v1/jobs`: what runs by the clock besides probes and rules, and how it went."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from controlplane.api.fields import TimeText
from controlplane.api.responses import problems
from controlplane.api.surface import On
from controlplane.api.v1.cursor import decode_row_id, encode_cursor, is_row_id
from controlplane.api.v1.filters import PageFilter
from controlplane.api.v1.schemas import Page
from controlplane.errors import NotFound
from controlplane.model.job import JobResult, JobRun, JobStatus

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"], responses=problems())


class JobOut(BaseModel):
    """A scheduled job and its last run, whichever `replica` made it.

    While it is `running`, `ended_at` and `seconds` are null. `retry_at` is when
    a run that failed is tried again; one that is `dead` was given up.
    """

    name: str
    schedule: str
    running: bool
    replica: str
    due_at: TimeText | None
    started_at: TimeText | None
    ended_at: TimeText | None
    seconds: float | None
    next_at: TimeText | None
    result: JobResult | None
    failure: str
    correlation_id: str
    retry_at: TimeText | None
    dead: bool
    runs: int
    failures: int
    missed: int

    @classmethod
    def of(cls, status: JobStatus) -> "JobOut":
        """Return the answer for a job."""
        return cls(
            name=status.name,
            schedule=status.schedule,
            running=status.running,
            replica=status.replica,
            due_at=status.due_at,
            started_at=status.started_at,
            ended_at=status.ended_at,
            seconds=status.seconds,
            next_at=status.next_at,
            result=status.result,
            failure=status.failure,
            correlation_id=status.correlation_id,
            retry_at=status.retry_at,
            dead=status.dead,
            runs=status.runs,
            failures=status.failures,
            missed=status.missed,
        )


class JobRunOut(BaseModel):
    """One run of a job, for one time at which it was due."""

    id: str
    name: str
    state: str
    due_at: TimeText
    attempts: int
    replica: str
    started_at: TimeText
    ended_at: TimeText | None
    failure: str
    correlation_id: str

    @classmethod
    def of(cls, run: JobRun) -> "JobRunOut":
        """Return the answer for a run."""
        return cls(
            id=str(run.id),
            name=run.name,
            state=run.state.value,
            due_at=run.due_at,
            attempts=run.attempt,
            replica=run.owner,
            started_at=run.started_at,
            ended_at=run.ended_at,
            failure=run.failure,
            correlation_id=run.correlation_id,
        )


@router.get("")
async def list_jobs(on: On) -> Page[JobOut]:
    """List the scheduled jobs by name, each with its last run and when it is run next."""
    return Page(items=[JobOut.of(status) for status in await on.jobs.statuses()])


@router.get("/dead")
async def list_dead(on: On, given: Annotated[PageFilter, Query()]) -> Page[JobRunOut]:
    """List the runs that were given up, the newest first."""
    runs = await on.jobs.dead(before=decode_row_id(given.cursor), limit=given.limit + 1)
    shown = runs[: given.limit]
    more = encode_cursor(str(shown[-1].id)) if len(runs) > given.limit else None
    return Page(items=[JobRunOut.of(run) for run in shown], next_cursor=more)


@router.post("/dead/{run_id}/redrive", status_code=202, responses=problems(404, 409))
async def redrive(run_id: str, on: On) -> JobRunOut:
    """Have a run that was given up tried again; 409 when it is not dead any more."""
    if not is_row_id(run_id):
        raise NotFound(f"there is no run {run_id!r} of a job")
    return JobRunOut.of(await on.jobs.redrive(int(run_id)))
