"""One rule: what it says, what it gives now and gave lately, its alerts, its last evaluations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from starlette.responses import Response

from controlplane.clock import Duration, Timestamp
from controlplane.errors import ControlPlaneError, NotFound
from controlplane.model.duration import format_duration, parse_duration
from controlplane.plot.subject import Subject, threshold_of
from controlplane.promql.numbers import format_value
from controlplane.rules.state import RuleAlert
from controlplane.rules.status import GroupStatus, RuleStatus
from controlplane.ui.asking import at_instant, over_range, step_for
from controlplane.ui.console import Page
from controlplane.ui.drawing import line_chart
from controlplane.ui.figures import Figure
from controlplane.ui.pages.query_answer import Table, chart_of, table_of
from controlplane.ui.pages.query_form import Asked, Tab
from controlplane.ui.pages.rules import words_of_state
from controlplane.ui.pages.rules_list import RuleRow, row_of

RANGES: Final = tuple(parse_duration(text) for text in ("1h", "6h", "1d", "7d"))
_MOST_VALUES: Final = 20
_MOST_ALERTS: Final = 100


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert of the rule; `fingerprint` is that of the alert as it is sent."""

    alert: RuleAlert
    fingerprint: str
    labels: Sequence[tuple[str, str]]
    value: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the expression gave over a span, or why that cannot be drawn."""

    subject: Subject
    figure: Figure | None = None
    drawing: Markup | None = None
    shared: str = ""
    trouble: str = ""


async def show(page: Page) -> Response:
    """Show a rule by its id."""
    group, status = _find(page, page.request.path_params["rule_id"])
    row, span = row_of(status), _span(page.request.query_params.get("range", ""))
    context = {
        "group": group,
        "row": row,
        "rule": status.rule,
        "words_of_state": words_of_state(page),
        "alerts": _alerts(page, row)[:_MOST_ALERTS],
        "drawn": await _drawn(page, status.rule.expr, span),
        "now_given": await _given(page, status.rule.expr),
        "span": span,
        "ranges": [(each, format_duration(each)) for each in RANGES],
        "asked": Asked(status.rule.expr, Tab.GRAPH, span).address(),
        "history": list(reversed(status.history)),
        "words_of": format_duration,
        "number_words": format_value,
    }
    return page.render("rule.html", context)


def _find(page: Page, rule_id: str) -> tuple[GroupStatus, RuleStatus]:
    for group in page.on.rules():
        for status in group.rules:
            if status.rule_id == rule_id:
                return group, status
    raise NotFound(page.say("There is no such rule. It may have been changed or taken out."))


def _span(text: str) -> Duration:
    return next((span for span in RANGES if format_duration(span) == text), RANGES[0])


def _alerts(page: Page, row: RuleRow) -> list[AlertRow]:
    outside = page.on.external_labels()
    name = row.status.rule.alert
    found = []
    for alert in row.alerts:
        sent = outside.merge(alert.labels) if outside else alert.labels
        apart = [pair for pair in alert.labels.items() if pair != ("alertname", name)]
        found.append(AlertRow(alert, sent.fingerprint(), apart, format_value(alert.value)))
    return found


async def _given(page: Page, expr: str) -> Table | None:
    """Return what the expression gives right now; None when it cannot be told."""
    try:
        return table_of(await at_instant(page, expr, page.now), _MOST_VALUES)
    except ControlPlaneError:
        return None  # the drawing says why


async def _drawn(page: Page, expr: str, span: Duration) -> Drawn:
    seen = threshold_of(expr)
    end: Timestamp = page.now
    try:
        result = await over_range(page, seen.expr, end - span, end, step_for(span))
    except ControlPlaneError as error:
        return Drawn(seen, trouble=str(error))
    figure, shared = chart_of(result, threshold=seen.threshold)
    drawing = None if figure is None else line_chart(figure, 960, 280, title=expr)
    return Drawn(seen, figure, drawing, shared)
