"""The scheduled jobs: what runs by the clock besides probes and rules, and how it went."""

from typing import Final

from starlette.responses import Response

from controlplane.model.job import JobResult, JobStatus
from controlplane.ui.console import Page

# The signs of the console, by how a job stands.
_RUNNING, _WELL, _FAILED, _NEW = "queued", "ok", "error", "unknown"
_ORDER: Final = (_FAILED, _RUNNING, _WELL, _NEW)


async def show(page: Page) -> Response:
    """Show the jobs, those that failed first."""
    rows = [(state_of(job), job) for job in page.on.jobs()]
    rows.sort(key=lambda row: (_ORDER.index(row[0]), row[1].name))
    context = {
        "rows": rows,
        "failed": sum(state == _FAILED for state, _ in rows),
        "words_of": {
            _RUNNING: page.say("running"),
            _WELL: page.say("ok"),
            _FAILED: page.say("failed"),
            _NEW: page.say("not run since the start"),
        },
    }
    return page.render("jobs.html", context)


def state_of(job: JobStatus) -> str:
    """Return the sign that stands for a job: under way, or how its last run ended."""
    if job.running:
        return _RUNNING
    if job.result is None:
        return _NEW
    return _WELL if job.result is JobResult.SUCCESS else _FAILED
