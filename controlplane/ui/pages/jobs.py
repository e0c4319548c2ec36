"""The scheduled jobs: what runs by the clock besides probes and rules, and how it went."""

from typing import Final

from starlette.responses import Response

from controlplane.api.v1.cursor import is_row_id
from controlplane.errors import Conflict, NotFound
from controlplane.model.job import JobResult, JobStatus
from controlplane.telemetry.logs import get_logger
from controlplane.ui.console import Page
from controlplane.ui.forms import read_form

log = get_logger(__name__)

# The signs of the console, by how a job stands.
_RUNNING, _WELL, _FAILED, _NEW = "queued", "ok", "error", "unknown"
_ORDER: Final = (_FAILED, _RUNNING, _WELL, _NEW)
_DEAD_SHOWN: Final = 50


async def show(page: Page) -> Response:
    """Show the jobs, those that failed first, and the runs that were given up."""
    rows = [(state_of(job), job) for job in await page.on.jobs.statuses()]
    rows.sort(key=lambda row: (_ORDER.index(row[0]), row[1].name))
    context = {
        "rows": rows,
        "dead": await page.on.jobs.dead(before=None, limit=_DEAD_SHOWN),
        "failed": sum(state == _FAILED for state, _ in rows),
        "words_of": {
            _RUNNING: page.say("running"),
            _WELL: page.say("ok"),
            _FAILED: page.say("failed"),
            _NEW: page.say("never run yet"),
        },
    }
    return page.render("jobs.html", context)


async def act(page: Page) -> Response:
    """Have a run that was given up tried again."""
    text = (await read_form(page.request)).text("id")
    if not is_row_id(text):
        return page.redirect("/jobs", page.say("There is no such run."))
    try:
        run = await page.on.jobs.redrive(int(text))
    except (Conflict, NotFound) as error:
        # It changed since the page was drawn: the page as it is now says more than an error.
        return page.redirect("/jobs", str(error))
    log.info("run of a job asked for again", job=run.name, by=page.actor)
    return page.redirect("/jobs", page.say("It is tried again."))


def state_of(job: JobStatus) -> str:
    """Return the sign that stands for a job: under way, or how its last run ended."""
    if job.running:
        return _RUNNING
    if job.result is None:
        return _NEW
    return _WELL if job.result is JobResult.SUCCESS else _FAILED
