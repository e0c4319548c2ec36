"""The list of targets: searched, filtered, sorted; several paused or resumed at once."""

import asyncio
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from controlplane.errors import ControlPlaneError, InvalidInput, NotFound
from controlplane.targets.index import State
from controlplane.ui.console import Page
from controlplane.ui.forms import read_form
from controlplane.ui.listing import PAGE, Listing, Readings, Wanted, listed, wanted
from controlplane.ui.pages.overview import standing
from controlplane.ui.pages.targets_readings import NO_READINGS, readings, window

# How long a filled list may take to read; it is shown without numbers then.
_READING_SECONDS: Final = 5.0


async def show(page: Page) -> Response:
    """Show the page of targets that the address asks for."""
    error, status = "", 200
    try:
        asked = wanted(page.request.query_params)
        found, numbers = await _find(page, asked)
    except InvalidInput as refusal:
        error, status = str(refusal), 422
        asked = Wanted(
            search=page.request.query_params.get("search", ""),
            match=page.request.query_params.get("match", ""),
        )
        found, numbers = Listing((), 0, None), True
    counts = standing(page).counts
    context = {
        "asked": asked,
        "found": found,
        "error": error,
        "has_numbers": numbers,
        "window": window(page),
        "total": len(page.on.targets),
        "counts": {state.value: counts.get(state, 0) for state in State},
        "page_size": PAGE,
    }
    return page.render("targets.html", context, status=status)


async def act(page: Page) -> Response:
    """Pause or resume the targets that are ticked."""
    form = await read_form(page.request)
    what, ids = form.text("do"), form.all("id")
    if what not in ("pause", "resume"):
        raise InvalidInput("what is to be done is `pause` or `resume`")
    done = 0
    for target_id in ids[:PAGE]:
        try:
            await pause(page, target_id, paused=what == "pause")
            done += 1
        except NotFound:
            continue  # it was removed since the list was shown
    said = page.say("%d targets paused") if what == "pause" else page.say("%d targets resumed")
    return page.redirect(f"/targets?{form.text('back')}", said % done)


async def pause(page: Page, target_id: str, *, paused: bool) -> None:
    """Pause a target, or probe it again. Raises NotFound, Unavailable."""
    await page.on.targets.update(
        target_id, lambda edit: replace(edit, paused=paused), actor=page.actor, now=page.now
    )


async def _find(page: Page, asked: Wanted) -> tuple[Listing, bool]:
    """Return the page, and whether samples could be read for it."""
    entries, stand = page.on.targets.entries(), standing(page)
    numbers: Readings = NO_READINGS
    has_numbers = True
    try:
        async with asyncio.timeout(_READING_SECONDS):
            numbers = await readings(page)
    except (TimeoutError, ControlPlaneError):
        has_numbers = False
    found = await page.on.queries.run(lambda: listed(entries, stand.states, numbers, asked))
    return found, has_numbers
