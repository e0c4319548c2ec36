"""All alerts: the groups as routing sees them, with what a person can do about them."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from controlplane.api.v1.silences import acknowledge_alert, acknowledge_all
from controlplane.errors import InvalidInput
from controlplane.model import links
from controlplane.mute.silence import LONGEST_ACKNOWLEDGED
from controlplane.ui.console import Page
from controlplane.ui.forms import own_path, read_form
from controlplane.ui.pages.alert_filter import AlertFilter, Standing
from controlplane.ui.pages.alert_groups import Survey, find_group, survey
from controlplane.ui.shelves import GROUPS

_NOTHING: Final = Survey((), {}, ())
# Of more alerts open pages are brought up to date less often: each time costs work.
_STORM: Final = 1_000


async def show(page: Page) -> Response:
    """Show the groups that hold alerts; the address says which."""
    error = ""
    try:
        wanted = AlertFilter.read(page.request.query_params)
        groups = page.on.groups(page.now)
        # A group may be made a moment after its alert was told of.
        held = sum(len(group.alerts) for group in groups)
        seen = await page.on.cache.get(
            GROUPS,
            f"{len(groups)} {held} {wanted}",
            lambda: survey(page.on, wanted, page.now),
        )
    except InvalidInput as problem:
        wanted = AlertFilter(match=page.request.query_params.get("match", ""))
        error, seen = problem.reason, _NOTHING
    context = {
        "wanted": wanted,
        "survey": seen,
        "error": error,
        "standings": list(Standing),
        "pause": "500ms" if seen.firing <= _STORM else "3s",
        "severities": _with(seen.severities, wanted.severity),
        "receivers": _with(page.on.receivers(), wanted.receiver),
    }
    return page.render("alerts.html", context, status=422 if error else 200)


def _with(names: Sequence[str], chosen: str) -> Sequence[str]:
    """Return what can be chosen, with what is chosen even if it is not there any more."""
    return [*names, chosen] if chosen and chosen not in names else names


async def act(page: Page) -> Response:
    """Acknowledge an alert, or those of a group that fire; go back to where the reader was."""
    form = await read_form(page.request)
    said = form.text("comment") or page.say("acknowledged in the console")
    if group := form.text("group"):
        alerts = find_group(page.on.groups(page.now), group).alerts
        await acknowledge_all(page.on, alerts, author=page.actor, comment=said, by=page.actor)
        done = page.say("The group is acknowledged: its alerts are not told again until they end.")
    else:
        await acknowledge_alert(
            page.on,
            form.text("fingerprint"),
            author=page.actor,
            comment=said,
            lasts=LONGEST_ACKNOWLEDGED,
            by=page.actor,
        )
        done = page.say("Acknowledged: nobody is told of it again until it has ended.")
    return page.redirect(own_path(form.text("next"), links.ALERTS), done)
