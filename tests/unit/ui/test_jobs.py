"""The page of scheduled jobs."""

from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.clock import SystemClock
from controlplane.model.job import JobResult, JobRun, JobStatus, RunState
from controlplane.storage.database import Database
from controlplane.storage.jobs import SqlJobRuns
from controlplane.ui.pages.jobs import state_of
from tests.unit.ui.console import console, words

_WELL = JobStatus("trim", "1h", result=JobResult.SUCCESS, runs=1)


@pytest.mark.parametrize(
    ("job", "state"),
    [
        (JobStatus("trim", "1h"), "unknown"),
        (_WELL, "ok"),
        (replace(_WELL, running=True), "queued"),
        (replace(_WELL, result=JobResult.FAILURE), "error"),
    ],
)
def test_the_state_of_a_job(job: JobStatus, state: str) -> None:
    """Under way, or how its last run ended."""
    assert state_of(job) == state


async def test_jobs_stand_with_their_next_run(tmp_path: Path) -> None:
    """Those of the program and the drills of the file, with their schedules."""
    drill = {"name": "<weekly>", "receiver": "ops", "schedule": "30 9 * * mon"}
    async with console(tmp_path, drills=[drill]) as reader:
        page = await reader.get("/jobs")
        part = await reader.get("/jobs?part=jobs")
    text = words(page)
    assert "<weekly>" not in page
    assert "never run yet drill <weekly> 30 9 * * mon UTC – – in" in text
    assert "retention 1h" in text
    assert "<html" not in part
    assert "retention" in part


async def test_a_run_that_was_given_up_can_be_run_again(tmp_path: Path) -> None:
    """It stands with its reason and a button; the page says what came of pressing it."""
    given_up = JobRun(
        id=0,
        name="retention",
        due_at=1,
        state=RunState.DEAD,
        attempt=5,
        owner="r0",
        lease_until=0,
        retry_at=0,
        started_at=1,
        ended_at=SystemClock().now(),
        failure="the <disk> is full",
        correlation_id="c0ffee",
    )
    async with console(tmp_path) as reader:
        database = Database(f"sqlite:///{tmp_path}/data/controlplane.db")
        assert await SqlJobRuns(database).claim(given_up)
        await database.close()
        page = await reader.get("/jobs")
        assert "the &lt;disk&gt; is full" in page
        await reader.send("/jobs", {"id": "1"})
        await reader.send("/jobs", {"id": "x"})
        assert "There is no such run." in words(await reader.get("/jobs"))
        [status] = [each for each in await reader.on.jobs.statuses() if each.name == "retention"]
    assert not status.dead
