"""What people tell the readers of status pages: incidents with updates, planned maintenance."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

from starlette.responses import Response

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput, ParseError
from controlplane.model.duration import HOUR
from controlplane.promql.parser import parse_selector
from controlplane.ui.console import Page
from controlplane.ui.forms import Form, read_form
from controlplane.uptime.incident import Impact, Stage
from controlplane.uptime.maintenance import Maintenance

Word = TypeVar("Word", bound=StrEnum)

_PATH: Final = "/incidents"
_FIELD_TIME: Final = "%Y-%m-%dT%H:%M"


async def show(page: Page) -> Response:
    """Show what is told now, what was, and the forms to tell more."""
    return _shown(page)


async def act(page: Page) -> Response:
    """Do what one of the forms asks for; a form that cannot be used is shown again."""
    form = await read_form(page.request)
    action = _ACTIONS.get(form.text("action"), _nothing)
    try:
        said = await action(page, form)
    except InvalidInput as error:
        return _shown(page, form, str(error))
    return page.redirect(_PATH, said)


def _shown(page: Page, form: Form | None = None, error: str = "") -> Response:
    incidents, now = page.on.incidents.list(), page.now
    names = page.on.status_pages.names()
    begin = now - now % HOUR + HOUR
    context = {
        "open": [each for each in incidents if each.resolved_at is None],
        "past": [each for each in incidents if each.resolved_at is not None],
        "plans": [
            (plan, len(page.on.maintenance.selected(plan)), plan.covers(now))
            for plan in page.on.maintenance
            if not plan.is_over(now)
        ],
        "pages": names,
        "services": page.on.status_pages.services(),
        "stages": list(Stage),
        "impacts": list(Impact),
        "named": _words(page),
        "given": {} if form is None else form.echo(),
        "error": error,
        "begin": _field(begin),
        "finish": _field(begin + 2 * HOUR),
    }
    return page.render("incidents.html", context, status=422 if error else 200)


async def _begin(page: Page, form: Form) -> str:
    await page.on.incidents.open(
        form.text("title"),
        form.text("text"),
        by=page.actor,
        impact=_choice(Impact, form.text("impact", Impact.DEGRADED)),
        pages=form.all("page"),
        services=form.all("service"),
        stage=_choice(Stage, form.text("stage", Stage.INVESTIGATING)),
    )
    return page.say("The incident is public.")


async def _update(page: Page, form: Form) -> str:
    stage = _choice(Stage, form.text("stage"))
    await page.on.incidents.update(
        form.text("incident"), form.text("text"), by=page.actor, stage=stage
    )
    if stage is Stage.RESOLVED:
        return page.say("The incident is over.")
    return page.say("The update is public.")


async def _delete(page: Page, form: Form) -> str:
    await page.on.incidents.delete(form.text("incident"))
    return page.say("The incident was removed.")


async def _plan(page: Page, form: Form) -> str:
    try:
        match = tuple(parse_selector(form.text("match")))
    except ParseError as error:
        raise InvalidInput(error.reason, pointer="/match") from None
    await page.on.maintenance.add(
        Maintenance(
            title=form.text("title"),
            match=(match,),
            starts_at=_time(form, "starts_at"),
            ends_at=_time(form, "ends_at"),
            text=form.text("text"),
            created_by=page.actor,
        )
    )
    return page.say("The maintenance is planned.")


async def _end(page: Page, form: Form) -> str:
    await page.on.maintenance.end(form.text("plan"))
    return page.say("The maintenance has ended.")


async def _nothing(_page: Page, _form: Form) -> str:
    raise InvalidInput("there is no such action")


_ACTIONS: Final[Mapping[str, Callable[[Page, Form], Awaitable[str]]]] = {
    "begin": _begin,
    "update": _update,
    "delete": _delete,
    "plan": _plan,
    "end": _end,
}


def _choice(kind: type[Word], text: str) -> Word:
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput(f"not one of {', '.join(kind)}: {text!r}") from None


def _time(form: Form, name: str) -> Timestamp:
    """Return the instant that a field for date and time holds, which is in UTC."""
    try:
        moment = datetime.strptime(form.text(name)[:16], _FIELD_TIME).replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput("not a date and a time", pointer=f"/{name}") from None
    return round(moment.timestamp() * 1000)


def _field(time: Timestamp) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime(_FIELD_TIME)


def _words(page: Page) -> Mapping[str, str]:
    return {
        Stage.INVESTIGATING: page.say("Investigating"),
        Stage.IDENTIFIED: page.say("Identified"),
        Stage.MONITORING: page.say("Monitoring"),
        Stage.RESOLVED: page.say("Resolved"),
        Impact.NONE: page.say("no impact"),
        Impact.DEGRADED: page.say("degraded"),
        Impact.DOWN: page.say("down"),
    }
