"""One silence: what it hides, what was done to it; end it, extend it, say more."""

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.alert import Alert, AlertStatus
from controlplane.mute.silence import Silence
from controlplane.ui.console import Page
from controlplane.ui.forms import Form, own_path, read_form
from controlplane.ui.pages.alert_filter import SEVERITY
from controlplane.ui.pages.alert_groups import summary
from controlplane.ui.pages.silence_draft import LENGTHS, parse_length
from controlplane.ui.pages.silence_view import view

# Alerts that are shown; the number tells of the others.
_MOST: Final = 100


async def show(page: Page) -> Response:
    """Show a silence, the alerts that it matches now, and its history."""
    silence = page.on.silences.get(page.request.path_params["silence_id"])
    alerts = matching(silence, page.on.alerts.list(AlertStatus.FIRING))
    hidden = {silence.id: len(alerts) if silence.mutes_at(page.now) else 0}
    context = {
        "view": view(silence, page.now, hidden),
        "silence": silence,
        "alerts": [(alert, alert.labels.value(SEVERITY), _said(alert)) for alert in alerts[:_MOST]],
        "matched": len(alerts),
        "history": await page.on.silences.history(silence.id),
        "lengths": LENGTHS,
    }
    return page.render("silence.html", context)


async def act(page: Page) -> Response:
    """End a silence, put its end off, or change its comment."""
    silence_id = page.request.path_params["silence_id"]
    form = await read_form(page.request)
    done = await _done(page, silence_id, form)
    return page.redirect(own_path(form.text("next"), f"/silences/{silence_id}"), done)


async def _done(page: Page, silence_id: str, form: Form) -> str:
    action = form.text("action")
    if action == "expire":
        await page.on.silences.expire(silence_id, by=page.actor)
        return page.say("The silence has ended: what it hid is told again.")
    if action == "extend":
        longer = parse_length(form.text("lasts"))
        await page.on.silences.change(
            silence_id, lambda old: extended(old, longer, page.now), by=page.actor
        )
        return page.say("The silence ends later now.")
    if action == "comment":
        comment = form.text("comment")
        if not comment:
            raise InvalidInput("say why: whoever comes at night wants to know", pointer="/comment")
        await page.on.silences.change(
            silence_id, lambda old: replace(old, comment=comment), by=page.actor
        )
        return page.say("The comment is changed.")
    raise InvalidInput(f"nothing is known to do as {action!r}")


def extended(silence: Silence, longer: int, now: Timestamp) -> Silence:
    """Return a silence that ends so much later."""
    return replace(silence, ends_at=max(silence.ends_at, now) + longer)


def matching(silence: Silence, alerts: list[Alert]) -> list[Alert]:
    """Return the alerts that a silence matches."""
    return [alert for alert in alerts if silence.matches(alert.labels)]


def _said(alert: Alert) -> str:
    return summary(alert.annotations) or str(alert.labels)
