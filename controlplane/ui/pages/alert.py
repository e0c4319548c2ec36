"""One alert: how it stands, its story, its expression around the moment, who was told."""

from collections.abc import Sequence

from markupsafe import Markup
from starlette.responses import Response

from controlplane.api.v1 import alerts as api
from controlplane.api.v1.schemas import AlertOut
from controlplane.model import links
from controlplane.model.labels import Labels
from controlplane.mute.silence import Silence
from controlplane.plot.axis import number_words
from controlplane.ui.console import Page
from controlplane.ui.drawing import line_chart
from controlplane.ui.pages import alert_story
from controlplane.ui.pages.alert_filter import SEVERITY, Standing
from controlplane.ui.pages.alert_groups import causes, standing, summary
from controlplane.ui.pages.alert_plot import AlertPlot, alert_plot, window
from controlplane.ui.pages.grafana import GrafanaLink, of_labels


async def show(page: Page) -> Response:
    """Show all that is known of an alert, also of one that has ended."""
    fingerprint = page.request.path_params["fingerprint"]
    story = await api.story(fingerprint, page.on)
    alert = story.alert
    # The plot is not in any part that is read anew: it costs a query.
    plot = None if alert is None or page.part else await alert_plot(page, alert)
    context = {
        "fingerprint": fingerprint,
        "alert": alert,
        "name": fingerprint if alert is None else alert.labels.get("alertname", fingerprint),
        "standing": None if alert is None else _standing(page, alert),
        "silences": () if alert is None else _silences(page, alert),
        "causes": () if alert is None else causes(page.on, alert.inhibited_by),
        "summary": "" if alert is None else summary(alert.annotations),
        "severity": "" if alert is None else alert.labels.get(SEVERITY, ""),
        "reading": "" if alert is None else _reading(page, alert),
        "labels": () if alert is None else alert_story.alike(alert.labels),
        "notes": () if alert is None else alert_story.notes(alert.annotations),
        "runbook": "" if alert is None else alert_story.runbook(alert.annotations),
        "grafana": None if alert is None else _grafana(page, alert),
        "generator": "" if alert is None else _generator(page, alert),
        "silence_link": "" if alert is None else links.silence("", alert.labels),
        "plot": plot,
        "drawn": _drawn(plot, page),
        "limit": "" if plot is None else _limit(plot, page),
        "lines": alert_story.lines(story.entries),
        "tellings": alert_story.tellings(story.notifications),
    }
    return page.render("alert.html", context)


def _drawn(plot: AlertPlot | None, page: Page) -> Markup:
    if plot is None or plot.figure is None:
        return Markup("")
    return line_chart(plot.figure, title=page.say("The expression around the moment it fired"))


def _grafana(page: Page, alert: AlertOut) -> GrafanaLink | None:
    start, end = window(alert.starts_at, alert.ends_at, page.now)
    return of_labels(page, alert.labels, start, None if alert.ends_at is None else end)


def _limit(plot: AlertPlot, page: Page) -> str:
    seen = plot.subject
    if seen.threshold is None:
        return ""
    return f"{page.say('limit')} {seen.comparison} {number_words(seen.threshold)}"


def _standing(page: Page, alert: AlertOut) -> Standing:
    ended = alert.ends_at is not None
    hours = () if ended else _hours(page, Labels(alert.labels))
    return standing(_silences(page, alert), alert.inhibited_by, hours, ended=ended)


def _hours(page: Page, labels: Labels) -> Sequence[str]:
    """Return the hours that keep an alert from being told, if those of all its groups do."""
    groups = page.on.groups(page.now)
    own = [group for group in groups if any(alert.labels == labels for alert in group.alerts)]
    muted_by = [page.on.outside_hours(group) for group in own]
    return [name for names in muted_by for name in names] if muted_by and all(muted_by) else ()


def _silences(page: Page, alert: AlertOut) -> list[Silence]:
    return [page.on.silences.get(name) for name in alert.silenced_by]


def _reading(page: Page, alert: AlertOut) -> str:
    if alert.ends_at is not None:
        return ""
    return alert_story.reading(page.on.rules(), Labels(alert.labels), page.on.external_labels())


def _generator(page: Page, alert: AlertOut) -> str:
    """Return where the alert comes from: a page of ours by its path, or a page elsewhere."""
    base = page.on.flags.get("web.external-url", "").rstrip("/")
    if base and alert.generator_url.startswith(f"{base}/"):
        return alert.generator_url.removeprefix(base)
    return alert_story.web_link(alert.generator_url)
