"""Rules: do they run, in time and without errors; which cannot tell; which are the noisiest."""

from dashboards.frame import (
    SELECTED,
    Sheet,
    Variable,
    cell,
    job_and_instance,
    to_alerts,
    to_dashboard,
)
from dashboards.panels import (
    BLUE,
    GREEN,
    NONE_IS_WELL,
    ORANGE,
    RED,
    Column,
    Panel,
    Query,
    Row,
    graph,
    heatmap,
    listing,
    number,
)
from dashboards.uids import ALERTING, RULES

_GROUP = f'{SELECTED}, rule_group=~"$rule_group"'
_ALERT = Column(
    "alertname",
    "Alert",
    links=(
        to_alerts(alertname=cell("Alert")),
        to_dashboard("What was sent", ALERTING),
    ),
)


def rules() -> Sheet:
    """Return the dashboard."""
    groups = Variable(
        "rule_group",
        f"label_values(controlplane_rule_group_rules{{{SELECTED}}}, rule_group)",
        label="rule group",
    )
    return Sheet(
        uid=RULES,
        title="Rules",
        description="Evaluation of rules: state, health, time, and which alerts are the noisiest.",
        folder="alerting",
        variables=(*job_and_instance("controlplane_rule_group_rules"), groups),
        top=_numbers(),
        rows=(
            Row("Alerts by rule", _alerts()),
            Row("Health", _health()),
            Row("Evaluation", _evaluation()),
            Row("Evaluated when samples come", _reactive(), folded=True),
        ),
    )


def _numbers() -> tuple[Panel, ...]:
    failing = f"increase(controlplane_rule_evaluation_failures_total{{{_GROUP}}}[$__range])"
    missed = f"increase(controlplane_rule_group_iterations_missed_total{{{_GROUP}}}[$__range])"
    return (
        number(
            "Rules",
            "Rules of the chosen groups.",
            "short",
            Query(f"sum(controlplane_rule_group_rules{{{_GROUP}}})", now=True),
            base=BLUE,
        ),
        number(
            "Groups",
            "Rule groups, each evaluated at its own interval.",
            "short",
            Query(f"count(controlplane_rule_group_rules{{{_GROUP}}})", now=True),
            base=BLUE,
        ),
        number(
            "Firing",
            "Alerts that fire, of all rules.",
            "short",
            Query('count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)', now=True),
            steps=NONE_IS_WELL,
            links=(to_alerts(),),
        ),
        number(
            "Failed evaluations",
            "Evaluations that failed in the time shown: their alerts are blind.",
            "short",
            Query(f"round(sum({failing}) or vector(0))", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Missed slots",
            "Slots of the time shown that passed while an earlier evaluation still ran.",
            "short",
            Query(f"round(sum({missed}) or vector(0))", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Cannot tell",
            "Alerting rules that read series that cannot be read: their alerts stay as they were.",
            "short",
            Query(f"sum(controlplane_rule_group_unknown_rules{{{_GROUP}}}) or vector(0)", now=True),
            steps=((1, ORANGE),),
        ),
    )


def _alerts() -> tuple[Panel, ...]:
    return (
        listing(
            "Pending and firing",
            "Alerts that are active now, by rule. A click leads to their stories.",
            (
                _ALERT,
                Column(
                    "alertstate",
                    "State",
                    words={"firing": ("firing", RED), "pending": ("pending", ORANGE)},
                ),
                Column("Value", "Alerts"),
            ),
            Query("topk(50, count by (alertname, alertstate) (ALERTS))"),
            width=8,
            sort="Alerts",
        ),
        listing(
            "The noisiest",
            "How often alerts became active in the time shown. What comes and goes all day wants a "
            "longer `for`, another threshold, or to be deleted.",
            (_ALERT, Column("Value", "Times", steps=((10, ORANGE), (50, RED)))),
            Query("topk(20, sum by (alertname) (changes(ALERTS_FOR_STATE[$__range]) + 1))"),
            width=8,
            sort="Times",
        ),
        graph(
            "Alerts over time",
            "Alerts that fire, by rule: the 10 with most.",
            "short",
            Query(
                'topk(10, count by (alertname) (ALERTS{alertstate="firing", severity!="none"}))',
                "{{alertname}}",
            ),
            width=8,
            stacked=True,
        ),
    )


def _health() -> tuple[Panel, ...]:
    return (
        graph(
            "Rules that cannot tell",
            "Alerting rules that read series that cannot be read, and those whose evaluation "
            "failed.",
            "short",
            Query(
                f"sum by (rule_group, condition) (controlplane_rule_group_unknown_rules{{{_GROUP}}}"
                " > 0)",
                "{{rule_group}} {{condition}}",
            ),
            width=8,
            stacked=True,
        ),
        graph(
            "Failures of evaluations",
            "Evaluations a second that ended in an error.",
            "ops",
            Query(
                "sum by (rule_group) (rate("
                f"controlplane_rule_evaluation_failures_total{{{_GROUP}}}[$__rate_interval]))",
                "{{rule_group}}",
            ),
            width=8,
        ),
        graph(
            "Missed evaluations",
            "Slots a second that passed while an earlier evaluation still ran.",
            "ops",
            Query(
                "sum by (rule_group) (rate("
                f"controlplane_rule_group_iterations_missed_total{{{_GROUP}}}[$__rate_interval]))",
                "{{rule_group}}",
            ),
            width=8,
        ),
    )


def _evaluation() -> tuple[Panel, ...]:
    took = "controlplane_rule_evaluation_duration_seconds_bucket"

    def quantile(part: float) -> str:
        summed = f"sum by (le) (rate({took}{{{SELECTED}}}[$__rate_interval]))"
        return f"histogram_quantile({part}, {summed})"

    return (
        graph(
            "Time of groups",
            "How long the last evaluation of a group took: the 10 slowest. Near the group's "
            "interval, slots will be missed.",
            "s",
            Query(
                "topk(10, max by (rule_group) "
                f"(controlplane_rule_group_last_duration_seconds{{{_GROUP}}}))",
                "{{rule_group}}",
            ),
        ),
        graph(
            "Time of single rules",
            "Quantiles over the evaluations of all rules.",
            "s",
            Query(quantile(0.5), "50 %"),
            Query(quantile(0.99), "99 %"),
            steps=((1, RED),),
            colours={"50 %": GREEN, "99 %": ORANGE},
        ),
        graph(
            "Age of the last evaluation",
            "How long ago a group was evaluated: the 10 oldest. It should stay below the interval.",
            "s",
            Query(
                "topk(10, time() - max by (rule_group) "
                f"(controlplane_rule_group_last_evaluation_timestamp_seconds{{{_GROUP}}}))",
                "{{rule_group}}",
            ),
        ),
        graph(
            "Evaluations",
            "Evaluations of rules a second, by the clock and as samples came.",
            "ops",
            Query(
                "sum by (rule_group) (rate("
                f"controlplane_rule_evaluations_total{{{_GROUP}}}[$__rate_interval]))",
                "{{rule_group}}",
            ),
            stacked=True,
        ),
        heatmap(
            "How times of rules are spread",
            "Evaluations by how long they took.",
            "s",
            Query(
                f"sum by (le) (increase({took}{{{SELECTED}}}[$__rate_interval]))",
                "{{le}}",
                cells=True,
            ),
        ),
        graph(
            "Samples given",
            "Samples that the last evaluation of a group gave: the 10 with most.",
            "short",
            Query(
                "topk(10, max by (rule_group) "
                f"(controlplane_rule_group_last_evaluation_samples{{{_GROUP}}}))",
                "{{rule_group}}",
            ),
        ),
    )


def _reactive() -> tuple[Panel, ...]:
    return (
        graph(
            "Passes that samples set off",
            "Evaluations a second that a commit of samples set off, ahead of the clock.",
            "ops",
            Query(
                "sum by (instance) (rate("
                f"controlplane_rule_reactive_passes_total{{{SELECTED}}}[$__rate_interval]))",
                "{{instance}}",
            ),
        ),
        graph(
            "Time for them",
            "The part of a core that they take. It is held below a tenth; at that bound alerts "
            "wait for the clock.",
            "percentunit",
            Query(
                "sum by (instance) (rate("
                f"controlplane_rule_reactive_seconds_total{{{SELECTED}}}[$__rate_interval]))",
                "{{instance}}",
            ),
            steps=((0.1, RED),),
        ),
    )
