"""`/api/v1/jobs`: what runs by the clock besides probes and rules, and how it went."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from controlplane.api.fields import TimeText
from controlplane.api.responses import problems
from controlplane.api.surface import Surface, surface
from controlplane.api.v1.schemas import Page
from controlplane.model.job import JobResult, JobStatus

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"], responses=problems())

On = Annotated[Surface, Depends(surface)]


class JobOut(BaseModel):
    """A scheduled job and its last run since the start of the process.

    While it is `running`, `ended_at`, `seconds`, `result` and `failure` are of the run before.
    """

    name: str
    schedule: str
    running: bool
    due_at: TimeText | None
    started_at: TimeText | None
    ended_at: TimeText | None
    seconds: float | None
    next_at: TimeText | None
    result: JobResult | None
    failure: str
    correlation_id: str
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
            due_at=status.due_at,
            started_at=status.started_at,
            ended_at=status.ended_at,
            seconds=status.seconds,
            next_at=status.next_at,
            result=status.result,
            failure=status.failure,
            correlation_id=status.correlation_id,
            runs=status.runs,
            failures=status.failures,
            missed=status.missed,
        )


@router.get("")
async def list_jobs(on: On) -> Page[JobOut]:
    """List the scheduled jobs by name, each with its last run and when it is run next."""
    return Page(items=[JobOut.of(status) for status in on.jobs()])
