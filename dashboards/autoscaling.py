"""Autoscaling: what was recommended, what runs, and the metrics and thresholds behind it."""

from dashboards.frame import Sheet, job_and_instance, of_series, to_alerts, to_dashboard
from dashboards.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Panel,
    Query,
    Row,
    graph,
    number,
)
from dashboards.uids import AUTOSCALING, SERVICE

_JOB = 'job=~"$job"'
_LINKS = (
    to_dashboard("Its requests", SERVICE, job=of_series("job")),
    to_alerts(job=of_series("job")),
)


def autoscaling() -> Sheet:
    """Return the dashboard."""
    return Sheet(
        uid=AUTOSCALING,
        title="Autoscaling",
        description="Recommended against actual replicas, and the metrics behind each decision.",
        folder="services",
        variables=job_and_instance("service_replicas"),
        marks=_JOB,
        top=_numbers(),
        rows=(Row("What services use", _pressure()),),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        number(
            "Replicas that run",
            "Replicas of the chosen services.",
            "short",
            Query(f"sum(service:replicas:current{{{_JOB}}})"),
            width=6,
            base=BLUE,
            none="not told",
        ),
        number(
            "CPU, the highest",
            "Used cores as a part of what may be used, of the service that uses most.",
            "percentunit",
            Query(f"max(service:cpu_utilisation:ratio{{{_JOB}}})"),
            width=6,
            steps=((0.7, ORANGE), (0.9, RED)),
        ),
        number(
            "Memory, the highest",
            "Used memory as a part of what may be used, of the service that uses most.",
            "percentunit",
            Query(f"max(service:memory_utilisation:ratio{{{_JOB}}})"),
            width=6,
            steps=((0.8, ORANGE), (0.9, RED)),
        ),
        number(
            "Rules that ask for more",
            "Alerts of the shipped rules that ask for more replicas.",
            "short",
            Query(
                f'count(ALERTS{{alertstate="firing", action="scale_up", {_JOB}}}) or vector(0)',
                now=True,
            ),
            width=6,
            steps=((1, ORANGE),),
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
