"""Receivers: whom alerts are told to, how that goes, dead letters, drills and tests."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import Response

from controlplane.api.v1.cursor import is_row_id
from controlplane.errors import Conflict, InvalidInput, NotFound
from controlplane.notify.message import MessageState, Outcome
from controlplane.notify.receiver_tests import Trial
from controlplane.telemetry.logs import get_logger
from controlplane.ui.console import Page
from controlplane.ui.forms import Form, read_form
from controlplane.ui.pages.receivers_view import (
    DeadView,
    DrillView,
    ReceiverView,
    drill_view,
    receiver_view,
)

log = get_logger(__name__)

PATH: Final = "/receivers"
_MOST: Final = 100
_DEAD_AT_ONCE: Final = 50
_MOST_TOLD: Final = 120


async def show(page: Page) -> Response:
    """Show the receivers, the dead letters and the drills."""
    before = page.request.query_params.get("before", "")
    if before and not is_row_id(before):
        raise InvalidInput(page.say("There is no such page of dead letters."))
    dead = await page.on.notifications.list_messages(
        MessageState.DEAD, before=int(before) if before else None, limit=_DEAD_AT_ONCE + 1
    )
    names = sorted(page.on.receivers())
    context = {
        "receivers": await _receivers(page, names[:_MOST]),
        "unseen": max(0, len(names) - _MOST),
        "dead": [DeadView(message) for message in dead[:_DEAD_AT_ONCE]],
        "older": dead[_DEAD_AT_ONCE - 1].id if len(dead) > _DEAD_AT_ONCE else 0,
        "before": before,
        "drills": await _drills(page),
        "check_ins": page.on.trying.check_ins.statuses(),
        "words_of": _words(page),
    }
    return page.render("receivers.html", context)


async def act(page: Page) -> Response:
    """Test a receiver, send dead letters again, or begin a drill."""
    form = await read_form(page.request)
    deed = _DEEDS.get(form.text("do"))
    if deed is None:
        raise InvalidInput(page.say("There is no such action."))
    try:
        said = await deed(page, form)
    except (Conflict, NotFound) as error:
        # It changed since the page was drawn: the page as it is now says more than an error.
        said = str(error)
    return page.redirect(PATH, said)


async def _test(page: Page, form: Form) -> str:
    name = form.text("receiver")
    if name not in page.on.receivers():
        raise NotFound(page.say("There is no such receiver."))
    log.info("receiver test asked for", receiver=name, by=page.actor)
    trials = await page.on.trying.tests.test(name)
    if not trials:
        return page.say("%(name)s has no integrations: nobody is told.") % {"name": name}
    return "; ".join([f"{name}: {_trial(page, trials[0])}", *(_trial(page, t) for t in trials[1:])])


def _trial(page: Page, trial: Trial) -> str:
    if trial.fired.outcome is Outcome.DELIVERED:
        return page.say("%(name)s took it") % {"name": trial.integration}
    said = page.say("%(name)s did not take it: %(why)s")
    return said % {"name": trial.integration, "why": trial.fired.detail[:_MOST_TOLD]}


async def _redrive(page: Page, form: Form) -> str:
    """Put the chosen letters back into the queue; what happened since may have overtaken some."""
    queued = overtaken = 0
    for text in form.all("id")[:_DEAD_AT_ONCE]:
        if not is_row_id(text):
            raise InvalidInput(page.say("There is no such dead letter."))
        try:
            await page.on.redrive(int(text), page.now)
        except (Conflict, NotFound):
            overtaken += 1
        else:
            queued += 1
    log.info("dead letters sent again", by=page.actor, queued=queued, overtaken=overtaken)
    said = page.say("Queued again: %(count)s.") % {"count": queued}
    if not overtaken:
        return said
    left = page.say("Left alone, because what happened since overtook them: %(count)s.")
    return f"{said} {left % {'count': overtaken}}"


async def _drill(page: Page, form: Form) -> str:
    name = form.text("drill")
    await page.on.trying.drills.begin(name)
    log.info("fire drill asked for", drill=name, by=page.actor)
    return page.say("The drill %(name)s has begun.") % {"name": name}


_DEEDS: Final[Mapping[str, Callable[[Page, Form], Awaitable[str]]]] = {
    "test": _test,
    "redrive": _redrive,
    "drill": _drill,
}


async def _receivers(page: Page, names: list[str]) -> list[ReceiverView]:
    health = await page.on.trying.health.of(names)
    return [receiver_view(name, health[name]) for name in names]


async def _drills(page: Page) -> list[DrillView]:
    # The schedule names them so.
    nexts = {job.name.removeprefix("drill "): job.next_at for job in await page.on.jobs.statuses()}
    return [
        drill_view(status, nexts.get(status.drill.name))
        for status in page.on.trying.drills.statuses()
    ]


def _words(page: Page) -> dict[str, str]:
    return {
        "ok": page.say("delivers"),
        "error": page.say("fails"),
        "unknown": page.say("not used yet"),
        "sent": page.say("delivered"),
        "failed": page.say("refused"),
        "raised": page.say("raised"),
        "delivered": page.say("told, its end is awaited"),
        "resolved": page.say("told, and its end"),
        "drill failed": page.say("failed"),
        "never": page.say("not run since the start"),
        "closed": page.say("closed"),
        "open": page.say("open"),
        "half_open": page.say("half open"),
        "maybe": page.say("nobody knows whether it arrived"),
    }
