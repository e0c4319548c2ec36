"""Autoscaling: what was recommended, what runs, and the metrics and thresholds behind it."""

from dashboards.frame import (
    SELECTED,
    Mark,
    Sheet,
    Variable,
    job_and_instance,
    of_series,
    to_alerts,
    to_dashboard,
)
from dashboards.panels import (
    BLUE,
    GREEN,
    NONE_IS_WELL,
    ORANGE,
    RED,
    Link,
    Panel,
    Query,
    Row,
    graph,
    number,
)
from dashboards.uids import AUTOSCALING, SERVICE

_POLICY = f'{SELECTED}, policy=~"$policy"'
# A service that is scaled is a job of its own; `job` is that of the control plane.
_JOB = 'job=~"$service"'
_LINKS = (
    to_dashboard("Its requests", SERVICE, job=of_series("job")),
    to_alerts(job=of_series("job")),
)
_MINIMUM = f'max by (policy) (controlplane_autoscaling_bound_replicas{{{_POLICY}, bound="min"}})'
_MAXIMUM = f'max by (policy) (controlplane_autoscaling_bound_replicas{{{_POLICY}, bound="max"}})'
_WITHIN_BOUNDS = (
    f"(max by (policy) (controlplane_autoscaling_desired_replicas{{{_POLICY}}}) - {_MINIMUM})"
    f" / ({_MAXIMUM} - {_MINIMUM} > 0)"
)
_CONSOLE = Link("Every decision in words", "${console}/autoscaling", new_tab=True)


def autoscaling() -> Sheet:
    """Return the dashboard."""
    policies = f"label_values(controlplane_autoscaling_bound_replicas{{{SELECTED}}}, policy)"
    return Sheet(
        uid=AUTOSCALING,
        title="Autoscaling",
        description="Recommended against actual replicas, and the metrics behind each decision.",
        folder="services",
        variables=(
            *job_and_instance("controlplane_build_info"),
            Variable("policy", policies),
            Variable("service", "label_values(service:replicas:current, job)"),
        ),
        marks=_JOB,
        also=(
            Mark(
                "Scaled",
                f"changes(controlplane_autoscaling_current_replicas{{{_POLICY}}}[1m]) > 0",
                "{{policy}} was scaled",
                BLUE,
            ),
        ),
        top=_numbers(),
        rows=(
            Row("Policies", _policies()),
            Row("Behind the decisions", _behind()),
            Row("What services use", _pressure()),
        ),
    )


def _numbers() -> tuple[Panel, ...]:
    desired = f"controlplane_autoscaling_desired_replicas{{{_POLICY}}}"
    current = f"controlplane_autoscaling_current_replicas{{{_POLICY}}}"
    stale = f"time() - controlplane_autoscaling_metric_timestamp_seconds{{{_POLICY}}}"
    return (
        number(
            "Policies in force",
            "Policies that are evaluated.",
            "short",
            Query(
                f"count(count by (policy) (controlplane_autoscaling_bound_replicas{{{_POLICY}}}))",
                now=True,
            ),
            base=BLUE,
            links=(_CONSOLE,),
        ),
        number(
            "Replicas that run",
            "Replicas of all chosen policies.",
            "short",
            Query(f"sum({current})"),
            base=BLUE,
        ),
        number(
            "Replicas asked for",
            "Replicas that all chosen policies ask for.",
            "short",
            Query(f"sum({desired})"),
            base=BLUE,
        ),
        number(
            "At their maximum",
            "Policies that would ask for more than their maximum: more load finds no help.",
            "short",
            Query(f"sum(controlplane_autoscaling_limited_by_max{{{_POLICY}}})", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Oldest metric",
            "How long ago a metric of a policy last had a value. Without one the last decision "
            "holds.",
            "s",
            Query(f"max({stale})", now=True),
            steps=((120, ORANGE), (600, RED)),
        ),
        number(
            "Turns",
            "Times, in the time shown, that a policy asked for fewer after more or for more after "
            "fewer. Many are flapping.",
            "short",
            Query(
                "round(sum(increase("
                f"controlplane_autoscaling_turns_total{{{_POLICY}}}[$__range])) or vector(0))",
                now=True,
            ),
            steps=((4, ORANGE), (10, RED)),
        ),
    )


def _policies() -> tuple[Panel, ...]:
    return (
        graph(
            "Recommended and actual",
            "Replicas that a policy asks for and those that there are. In shadow mode the two go "
            "apart: nothing is carried out.",
            "short",
            Query(
                f"max by (policy) (controlplane_autoscaling_desired_replicas{{{_POLICY}}})",
                "{{policy}} recommended",
            ),
            Query(
                f"max by (policy) (controlplane_autoscaling_current_replicas{{{_POLICY}}})",
                "{{policy}} actual",
            ),
            links=(_CONSOLE,),
        ),
        graph(
            "Within their bounds",
            "The recommendation between the policy's least and most replicas: 0 is the minimum, "
            "100 % the maximum.",
            "percentunit",
            Query(_WITHIN_BOUNDS, "{{policy}}"),
            highest=1,
            links=(_CONSOLE,),
        ),
        graph(
            "Decisions",
            "Evaluations a second, by what came of them.",
            "ops",
            Query(
                "sum by (policy, outcome) (rate("
                f"controlplane_autoscaling_evaluations_total{{{_POLICY}}}[$__rate_interval]))",
                "{{policy}} {{outcome}}",
            ),
            stacked=True,
            links=(_CONSOLE,),
        ),
        graph(
            "Changes carried out",
            "Changes a second, up and down.",
            "ops",
            Query(
                "sum by (policy, direction) (rate("
                f"controlplane_autoscaling_actions_total{{{_POLICY}}}[$__rate_interval]))",
                "{{policy}} {{direction}}",
            ),
        ),
    )


def _behind() -> tuple[Panel, ...]:
    value = f"max by (policy, metric) (controlplane_autoscaling_metric_value{{{_POLICY}}})"
    limit = f"max by (policy, metric, limit) (controlplane_autoscaling_metric_limit{{{_POLICY}}})"
    return (
        graph(
            "Metrics and their limits",
            "The values that decisions were made of, dashed the targets and thresholds that they "
            "are held against. Choose one policy.",
            "none",
            Query(value, "{{policy}} {{metric}}"),
            Query(limit, "{{policy}} {{metric}} limit {{limit}}"),
            dashed=".* limit .*",
            links=(_CONSOLE,),
        ),
        graph(
            "Metrics as a part of their limit",
            "Above 100 % of `up` or of the target, a policy asks for more.",
            "percentunit",
            Query(
                f"{value} / on (policy, metric) group_right () {limit}",
                "{{policy}} {{metric}} of {{limit}}",
            ),
            steps=((1, RED),),
            links=(_CONSOLE,),
        ),
    )


def _pressure() -> tuple[Panel, ...]:
    return (
        graph(
            "CPU of services",
            "Used cores as a part of what may be used. The lines are where the shipped rules ask "
            "for fewer and for more replicas.",
            "percentunit",
            Query(f"service:cpu_utilisation:ratio{{{_JOB}}}", "{{job}}"),
            steps=((0.3, GREEN), (0.7, ORANGE)),
            links=_LINKS,
        ),
        graph(
            "Memory of services",
            "Used memory as a part of what may be used. The lines are where the shipped rules ask "
            "for fewer and for more replicas.",
            "percentunit",
            Query(f"service:memory_utilisation:ratio{{{_JOB}}}", "{{job}}"),
            steps=((0.5, GREEN), (0.8, ORANGE)),
            links=_LINKS,
        ),
        graph(
            "Replicas of services",
            "Replicas that run, and how many always must.",
            "short",
            Query(f"service:replicas:current{{{_JOB}}}", "{{job}}"),
            Query(f"service:replicas:minimum{{{_JOB}}}", "{{job}} at least"),
            links=_LINKS,
        ),
        graph(
            "What rules ask for",
            "Alerts of the shipped rules that ask for more or fewer replicas.",
            "short",
            Query(
                "sum by (job, action, resource) "
                f'(ALERTS{{alertstate="firing", action=~"scale_.+", {_JOB}}})',
                "{{job}} {{action}} {{resource}}",
            ),
            stacked=True,
        ),
    )
