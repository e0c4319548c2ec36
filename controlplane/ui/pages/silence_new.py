"""A new silence: the form, what it would hide, and the making of it."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from controlplane.api.v1.silences import create_silence
from controlplane.errors import InvalidInput
from controlplane.model.duration import DAY
from controlplane.mute.preview import Preview
from controlplane.ui.console import Page
from controlplane.ui.forms import Form, read_form
from controlplane.ui.pages.alert_groups import summary
from controlplane.ui.pages.silence_draft import (
    DAYS,
    LENGTHS,
    Draft,
    field_of,
    in_force,
    written,
)

# How far back the preview looks.
_WINDOW: Final = 7 * DAY
# Alerts that the preview shows; the number tells of the others.
_SHOWN: Final = 20
# The fields that errors of the API point at.
_FIELDS: Final[Mapping[str, str]] = {
    "comment": "comment",
    "ends_at": "ends",
    "force": "force",
    "matchers": "match",
    "until_resolved": "until_resolved",
}


async def show(page: Page) -> Response:
    """Show the form as the address fills it in, or only the preview."""
    params = page.request.query_params
    draft = Draft.read(Form({name: params.getlist(name) for name in params}))
    return await _form(page, draft, {})


async def act(page: Page) -> Response:
    """Make the silence, or show what it would hide."""
    form = await read_form(page.request)
    draft = Draft.read(form)
    if form.text("action") == "preview":
        return await _form(page, draft, {})
    silence, wrong = written(draft, page.actor, page.now)
    if silence is None:
        return await _form(page, draft, wrong)
    try:
        kept, new = await create_silence(page.on, silence, force=draft.force, by=page.actor)
    except InvalidInput as error:
        return await _form(page, draft, {field_of(error, _FIELDS): error.reason})
    if new:
        done = page.say("The silence is set.")
    else:
        done = page.say("This silence was there: it ends as asked for now.")
    return page.redirect(f"/silences/{kept.id}", done)


async def _form(page: Page, draft: Draft, wrong: Mapping[str, str]) -> Response:
    preview, problem = await _preview(page, draft)
    context = {
        "draft": draft,
        "wrong": wrong,
        "days": DAYS,
        "lengths": LENGTHS,
        "preview": preview,
        "problem": problem,
        "hidden": () if preview is None else preview.hidden[:_SHOWN],
        "summary": summary,
    }
    return page.render("silence_new.html", context, status=422 if wrong else 200)


async def _preview(page: Page, draft: Draft) -> tuple[Preview | None, str]:
    """Return what a draft hides, or why nobody can tell; neither for an empty one."""
    if not draft.match:
        return None, ""
    try:
        silence = in_force(draft, page.now)
        return await page.on.silences.preview(silence, max(0, page.now - _WINDOW)), ""
    except InvalidInput as error:
        return None, error.reason
