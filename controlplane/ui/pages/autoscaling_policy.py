"""One autoscaling policy: how it decided, step by step, and how the replicas went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from markupsafe import Markup
from starlette.responses import Response

from controlplane.autoscale.decision import Decision, Outcome
from controlplane.autoscale.options import MetricOptions, Policy
from controlplane.autoscale.sentence import Said, spoken
from controlplane.clock import Duration
from controlplane.errors import ControlPlaneError
from controlplane.model.duration import format_duration, parse_duration
from controlplane.promql.numbers import format_value
from controlplane.promql.values import Matrix
from controlplane.ui.asking import over_range, step_for
from controlplane.ui.console import Page
from controlplane.ui.drawing import line_chart
from controlplane.ui.figures import Figure, figure_of
from controlplane.ui.pages.autoscaling import SIGNS, row_of, words_of_mode, words_of_outcome
from controlplane.ui.pages.grafana import AUTOSCALING, link
from controlplane.ui.pages.query_form import Asked, Tab

RANGES: Final = tuple(parse_duration(text) for text in ("1h", "6h", "1d", "7d"))
_MOST_DECISIONS: Final = 30
_MOST_MARKS: Final = 12
_LINE: Final = "line"
_DESIRED, _CURRENT = "desired", "current"


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric: what it asks, what it is held against, and what it said last, if it was asked."""

    metric: MetricOptions
    limits: Sequence[str]
    value: str
    proposal: str
    because: Said
    missing: bool
    address: str


async def show(page: Page) -> Response:
    """Show a policy by its name."""
    scaler = page.on.autoscaler
    policy = scaler.policy(page.request.path_params["policy"])
    decision = scaler.decision(policy.name)
    context: dict[str, Any] = {
        "policy": policy,
        "owned": page.on.scaling_policies.get(policy.name),
        "row": row_of(page, policy, decision),
        "modes": words_of_mode(page),
        "spoken": partial(spoken, say=page.say),
        "metrics": [metric_row(each, decision) for each in policy.metrics],
        "grafana": link(
            page,
            AUTOSCALING,
            {"policy": policy.name},
            page.now - _span(page.request.query_params.get("range", "")),
            None,
        ),
        "way": way_out(page, policy),
        **await _past(page, policy),
    }
    return page.render("autoscaling_policy.html", context)


def metric_row(metric: MetricOptions, decision: Decision | None) -> MetricRow:
    """Return a metric with what it said in a decision."""
    verdicts = () if decision is None else decision.verdicts
    said = next((each for each in verdicts if each.metric == metric.name), None)
    return MetricRow(
        metric,
        limits(metric),
        "" if said is None or said.value is None else f"{said.value:.6g}",
        "" if said is None or said.proposal is None else str(said.proposal),
        "" if said is None else said.because,
        said is not None and said.missing,
        Asked(metric.query, Tab.GRAPH).address(),
    )


def limits(metric: MetricOptions) -> Sequence[str]:
    """Return what a metric is held against, as the file spells it."""
    if metric.target is not None:
        return [f"{metric.target.type.value} {format_value(metric.target.value)}"]
    found = []
    for name, sign, limit in zip(("up", "down"), "><", metric.thresholds, strict=True):
        if limit is not None:
            held = f" for {format_duration(limit.for_)}" if limit.for_ else ""
            found.append(f"{name} {sign} {format_value(limit.threshold)}{held}")
    return found


def way_out(page: Page, policy: Policy) -> str:
    """Return who carries out what the policy decides."""
    if policy.workload is not None:
        return page.say("the scale of %(workload)s") % {"workload": policy.workload}
    if policy.webhook is not None:
        return page.say("a signed webhook") if policy.webhook.secret else page.say("a webhook")
    return page.say("whoever asks: KEDA, by its metrics-api or external scaler")


async def _past(page: Page, policy: Policy) -> Mapping[str, Any]:
    span = _span(page.request.query_params.get("range", ""))
    try:
        found = await page.on.autoscaler.decisions(policy.name, before=None, limit=_MOST_DECISIONS)
    except ControlPlaneError:
        decisions = None
    else:
        decisions = [each for _, each in found]
    figure, trouble = await _figure(page, policy, span, decisions or ())
    title = page.say("Replicas: recommended and actual")
    words = words_of_outcome(page)
    return {
        "span": span,
        "ranges": [(each, format_duration(each)) for each in RANGES],
        "figure": figure,
        "trouble": trouble,
        "drawn": Markup("") if figure is None else line_chart(figure, title=title),
        "decisions": decisions,
        "signs": {outcome.value: SIGNS[outcome] for outcome in Outcome},
        "outcomes": {outcome.value: words[outcome] for outcome in Outcome},
    }


async def _figure(
    page: Page, policy: Policy, span: Duration, decisions: Sequence[Decision]
) -> tuple[Figure | None, str]:
    """Return the figure of a span, or None and why there is none, if something went wrong."""
    try:
        result = await over_range(
            page, history_of(policy), page.now - span, page.now, step_for(span)
        )
    except ControlPlaneError as error:
        return None, str(error)
    if not isinstance(result.value, Matrix) or not len(result.value.labels):
        return None, ""
    words = {_DESIRED: page.say("recommended"), _CURRENT: page.say("actual")}
    figure = figure_of(result.value, lambda labels: words[labels.value(_LINE)])
    marks = marks_of(decisions)
    return Figure(figure.times, figure.series, marks=marks), ""


def history_of(policy: Policy) -> str:
    """Return the expression of a policy's replicas, of whichever replica of ours decides."""
    lines = [
        f'label_replace(max(controlplane_autoscaling_{name}_replicas{{policy="{policy.name}"}}),'
        f' "{_LINE}", "{name}", "", "")'
        for name in (_DESIRED, _CURRENT)
    ]
    return " or ".join(lines)


def marks_of(decisions: Sequence[Decision]) -> Sequence[tuple[float, str]]:
    """Return when replicas were changed, in seconds, with the change; the newest few."""
    scaled = [each for each in decisions if each.outcome is Outcome.SCALED]
    return [(each.at / 1000, f"{each.current} → {each.desired}") for each in scaled[:_MOST_MARKS]]


def _span(text: str) -> Duration:
    return next((each for each in RANGES if format_duration(each) == text), RANGES[0])
