"""The expression of an alert around the moment it fired, with its limit."""

from dataclasses import dataclass
from typing import Final

from controlplane.api.v1.schemas import AlertOut
from controlplane.clock import Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model import links
from controlplane.model.duration import DAY, HOUR, MINUTE
from controlplane.model.labels import Labels
from controlplane.plot.plotter import Scene, chart_of
from controlplane.plot.subject import Subject, threshold_of
from controlplane.promql.values import Matrix
from controlplane.ui.asking import over_range, step_for
from controlplane.ui.console import Page
from controlplane.ui.figures import Figure, Series

_BEFORE: Final = HOUR
_AFTER: Final = 15 * MINUTE
_LONGEST: Final = DAY


@dataclass(frozen=True, slots=True)
class AlertPlot:
    """What is drawn: a figure of `expr`, or why there is none."""

    expr: str
    subject: Subject
    figure: Figure | None = None
    trouble: str = ""


def expression_of(page: Page, alert: AlertOut) -> str:
    """Return the expression of the rule of ours that raised an alert, else an empty text."""
    base = page.on.flags.get("web.external-url", "").rstrip("/")
    return links.expression(base, alert.generator_url)


async def alert_plot(page: Page, alert: AlertOut) -> AlertPlot | None:
    """Return the plot of an alert; None for one that no rule of ours raised. Never raises."""
    expr = expression_of(page, alert)
    if not expr:
        return None
    seen = threshold_of(expr)
    start, end = window(alert.starts_at, alert.ends_at, page.now)
    try:
        result = await over_range(page, seen.expr, start, end, step_for(end - start))
    except ControlPlaneError as error:
        return AlertPlot(expr, seen, trouble=str(error))
    figure = None
    if isinstance(result.value, Matrix) and len(result.value.labels):
        figure = figure_around(alert, seen, result.value, end, page)
    return AlertPlot(expr, seen, figure)


def window(
    fired: Timestamp, ended: Timestamp | None, now: Timestamp
) -> tuple[Timestamp, Timestamp]:
    """Return the span around the beginning of an alert, and its end as far as a day reaches."""
    until = now if ended is None else min(now, ended + _AFTER)
    start = fired - _BEFORE
    return start, max(start + MINUTE, min(until, start + _LONGEST))


def figure_around(
    alert: AlertOut, seen: Subject, matrix: Matrix, until: Timestamp, page: Page
) -> Figure | None:
    """Return the figure of the alert's own series, or of all where none is; None for nothing."""
    scene = Scene(seen.expr, (Labels(alert.labels),), alert.starts_at, until, alert.ends_at)
    chart = chart_of(scene, seen, matrix)
    if chart is None:
        return None
    # Of what has just happened there is no point yet.
    last = int(chart.times[-1])
    marks = [(min(alert.starts_at, last) / 1000, page.say("fired"))]
    if alert.ends_at is not None:
        marks.append((min(alert.ends_at, last) / 1000, page.say("ended")))
    return Figure(
        times=(chart.times / 1000).tolist(),
        series=[Series(line.name, line.values.tolist()) for line in chart.lines],
        threshold=chart.threshold,
        unseen=chart.unseen,
        marks=marks,
    )
