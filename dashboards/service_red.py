"""Service RED: rate, errors and duration of a service's requests, and what it has left.

Reads what the usual client libraries expose and what `alert_rules/service.rules.yml`
records of it. Counters call the status `code` or `status`, by library.
"""

import hashlib
from typing import Final

from dashboards.frame import (
    PREFIX,
    SELECTED,
    Sheet,
    job_and_instance,
    of_series,
    to_alerts,
    to_dashboard,
)
from dashboards.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Panel,
    Query,
    Row,
    graph,
    heatmap,
    number,
)
from dashboards.uids import AUTOSCALING, SERVICE, TARGET

_JOB = 'job=~"$job"'
_BY_CODE: Final = {"2..": GREEN, "3..": BLUE, "4..": ORANGE, "5..": RED}
_LINKS = (
    to_alerts(job=of_series("job")),
    to_dashboard("Its targets", TARGET, job=of_series("job")),
    to_dashboard("Its scaling", AUTOSCALING, service=of_series("job")),
)
_BUCKETS = f"rate(http_request_duration_seconds_bucket{{{SELECTED}}}[$__rate_interval])"


def service_red() -> Sheet:
    """Return the dashboard of all services."""
    return _sheet(
        SERVICE, "Service RED", "Rate, errors and duration of the services' requests.", ""
    )


def red_of(job: str) -> Sheet:
    """Return a service's own dashboard, made of the same panels, with its job chosen."""
    digest = hashlib.sha256(job.encode()).hexdigest()[:16]
    name = job.replace("\\", "\\\\").replace('"', '\\"')
    return _sheet(
        f"{PREFIX}red-{digest}",
        job,
        f"Rate, errors and duration of the requests to {job}.",
        f'job="{name}"',
    )


def _sheet(uid: str, title: str, description: str, matchers: str) -> Sheet:
    return Sheet(
        uid=uid,
        title=title,
        description=description,
        folder="services",
        variables=job_and_instance("http_requests_total", matchers),
        marks=_JOB,
        top=_numbers(),
        rows=(
            Row("Rate and errors", _rate()),
            Row("Duration", _duration()),
            Row("What is left", _saturation(), folded=True),
        ),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        number(
            "Requests",
            "Requests a second.",
            "reqps",
            Query(f"sum(rate(http_requests_total{{{SELECTED}}}[$__rate_interval]))"),
            width=6,
            base=BLUE,
        ),
        number(
            "Error ratio",
            "The part of the requests that ended in a 5xx, over 5 minutes; of several services, "
            "the worst.",
            "percentunit",
            Query(f"max(service:errors:ratio_rate5m{{{_JOB}}})"),
            width=6,
            steps=((0.01, ORANGE), (0.05, RED)),
        ),
        number(
            "Duration, 95 %",
            "The time within which 95 % of the requests are answered, over 5 minutes; of several "
            "services, the slowest.",
            "s",
            Query(f"max(service:latency_seconds:p95{{{_JOB}}})"),
            width=6,
            steps=((0.3, ORANGE), (0.5, RED)),
        ),
        number(
            "Replicas",
            "Replicas that run.",
            "short",
            Query(f"sum(service:replicas:current{{{_JOB}}})", now=True),
            width=6,
            base=BLUE,
            none="not told",
        ),
    )


def _rate() -> tuple[Panel, ...]:
    counted = f"rate(http_requests_total{{{SELECTED}}}[$__rate_interval])"
    return (
        graph(
            "Requests by service",
            "Requests a second.",
            "reqps",
            Query(f"sum by (job) ({counted})", "{{job}}"),
            links=_LINKS,
        ),
        graph(
            "Requests by status",
            "Requests a second by the status of their answer.",
            "reqps",
            Query(f"sum by (code, status) ({counted})", "{{code}}{{status}}"),
            stacked=True,
            colours=_BY_CODE,
        ),
        graph(
            "Errors",
            "The part of the requests that ended in a 5xx, over 5 minutes. Above the line for 2 "
            "minutes, ServiceErrorRateHigh fires.",
            "percentunit",
            Query(f"service:errors:ratio_rate5m{{{_JOB}}}", "{{job}}"),
            width=24,
            steps=((0.05, RED),),
            links=_LINKS,
        ),
    )


def _duration() -> tuple[Panel, ...]:
    def quantile(part: float) -> str:
        return f"histogram_quantile({part}, sum by (le) ({_BUCKETS}))"

    return (
        graph(
            "Duration of all chosen",
            "The time within which 50, 95 and 99 % of the requests are answered. Points are "
            "exemplars: a click leads to the trace.",
            "s",
            Query(quantile(0.5), "50 %"),
            Query(quantile(0.95), "95 %", exemplars=True),
            Query(quantile(0.99), "99 %"),
            steps=((0.5, RED),),
            colours={"50 %": GREEN, "95 %": BLUE, "99 %": ORANGE},
        ),
        graph(
            "Duration by service, 95 %",
            "The time within which 95 % of the requests are answered, over 5 minutes. Above the "
            "line for 2 minutes, ServiceLatencyHigh fires.",
            "s",
            Query(f"service:latency_seconds:p95{{{_JOB}}}", "{{job}}"),
            steps=((0.5, RED),),
            links=_LINKS,
        ),
        heatmap(
            "How durations are spread",
            "Requests by how long they took. Two bands are two kinds of request, or a part of the "
            "replicas that is ill.",
            "s",
            Query(
                "sum by (le) (increase("
                f"http_request_duration_seconds_bucket{{{SELECTED}}}[$__rate_interval]))",
                "{{le}}",
                cells=True,
            ),
            width=24,
        ),
    )


def _saturation() -> tuple[Panel, ...]:
    return (
        graph(
            "CPU",
            "Used cores as a part of what the replicas may use.",
            "percentunit",
            Query(f"service:cpu_utilisation:ratio{{{_JOB}}}", "{{job}}"),
            width=8,
            steps=((0.7, ORANGE),),
            links=_LINKS,
        ),
        graph(
            "Memory",
            "Used memory as a part of what the replicas may use.",
            "percentunit",
            Query(f"service:memory_utilisation:ratio{{{_JOB}}}", "{{job}}"),
            width=8,
            steps=((0.8, ORANGE),),
            links=_LINKS,
        ),
        graph(
            "Replicas of each",
            "Replicas that run, and how many always must.",
            "short",
            Query(f"service:replicas:current{{{_JOB}}}", "{{job}}"),
            Query(f"service:replicas:minimum{{{_JOB}}}", "{{job}} at least"),
            width=8,
            links=_LINKS,
        ),
    )
