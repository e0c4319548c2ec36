"""The page of scheduled jobs."""

from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.model.job import JobResult, JobStatus
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
    assert "not run since the start drill <weekly> 30 9 * * mon UTC – – in" in text
    assert "retention 1h" in text
    assert "<html" not in part
    assert "retention" in part
