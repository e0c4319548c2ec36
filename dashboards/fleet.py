"""Fleet overview: what is down, what is slow, what ends soon, at 10 targets as at 10,000.

Graphs of the whole fleet read what `alert_rules/fleet.rules.yml` records; tables
show the worst 50 of what was chosen.
"""

from dashboards.frame import SELECTED, Sheet, cell, job_and_instance, to_alerts, to_dashboard
from dashboards.panels import (
    BLUE,
    GREEN,
    GREY,
    NONE_IS_WELL,
    ORANGE,
    RED,
    Column,
    Panel,
    Query,
    Row,
    graph,
    listing,
    number,
)
from dashboards.uids import FLEET, TARGET

_DAY = 86_400
_JOB = Column("job", "Job")
_INSTANCE = Column(
    "instance",
    "Instance",
    links=(
        to_dashboard("The target", TARGET, job=cell("Job"), instance=cell("Instance")),
        to_alerts(job=cell("Job"), instance=cell("Instance")),
    ),
)


def fleet() -> Sheet:
    """Return the dashboard."""
    return Sheet(
        uid=FLEET,
        title="Fleet overview",
        description="Every target at a glance: what is down, what is slow, what ends soon.",
        folder="services",
        variables=job_and_instance("probe_success"),
        marks='job=~"$job"',
        top=_numbers(),
        rows=(
            Row("Now: the worst 50", _now()),
            Row("Over time: the whole fleet", _over_time()),
            Row("Availability and certificates: the worst 50", _availability(), folded=True),
        ),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        number(
            "Targets",
            "Targets that are probed.",
            "short",
            Query(f"count(probe_success{{{SELECTED}}})", now=True),
        ),
        number(
            "Down",
            "Targets whose last probe failed.",
            "short",
            Query(f"count(probe_success{{{SELECTED}}} == 0) or vector(0)", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Up",
            "The part of the targets whose last probe was a success.",
            "percentunit",
            Query(f"avg(probe_success{{{SELECTED}}})", now=True),
            base=RED,
            steps=((0.95, ORANGE), (1, GREEN)),
        ),
        number(
            "Scrapes that fail",
            "Targets whose metrics could not be read: alerts that need them are blind.",
            "short",
            Query(f"count(up{{{SELECTED}}} == 0) or vector(0)", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Firing alerts",
            "Alerts that fire and are meant for a person (severity none is for machines).",
            "short",
            Query(
                'count(ALERTS{alertstate="firing", severity!="none", job=~"$job"}) or vector(0)',
                now=True,
            ),
            steps=NONE_IS_WELL,
            links=(to_alerts(),),
        ),
        number(
            "Expired leases",
            "Targets whose service stopped renewing its registration. They are still probed, and "
            "removed after a day.",
            "short",
            Query(f"sum(controlplane_target_lease_expired{{{SELECTED}}}) or vector(0)", now=True),
            steps=((1, ORANGE),),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return (
        listing(
            "Down now",
            "Targets whose last probe failed, and why. A click leads to the target.",
            (_JOB, _INSTANCE, Column("reason", "Reason")),
            Query(f"topk(50, probe_failure_info{{{SELECTED}}} == 1)"),
        ),
        listing(
            "Firing now",
            "Alerts that fire. A click leads to their stories in the console.",
            (
                Column("alertname", "Alert", links=(to_alerts(alertname=cell("Alert")),)),
                _JOB,
                Column("severity", "Severity"),
                Column("Value", "Alerts"),
            ),
            Query(
                "topk(50, count by (alertname, job, severity) "
                '(ALERTS{alertstate="firing", job=~"$job"}))'
            ),
            sort="Alerts",
        ),
        listing(
            "Slowest now",
            "Targets whose last probe took longest.",
            (_JOB, _INSTANCE, Column("Value", "Took", unit="s", steps=((0.5, ORANGE), (2, RED)))),
            Query(f"topk(50, probe_duration_seconds{{{SELECTED}}})"),
            sort="Took",
        ),
        listing(
            "Unreadable metrics",
            "Targets whose last scrape failed.",
            (_JOB, _INSTANCE),
            Query(f"topk(50, up{{{SELECTED}}} == 0)"),
        ),
    )


def _over_time() -> tuple[Panel, ...]:
    return (
        graph(
            "Targets by state",
            "All targets, up and down.",
            "short",
            Query("fleet:probes_down:count", "down"),
            Query("fleet:probes:count - fleet:probes_down:count", "up"),
            stacked=True,
            colours={"down": RED, "up": GREEN},
        ),
        graph(
            "Why probes and scrapes fail",
            "Targets that are down by the reason, and those whose metrics cannot be read. One "
            "reason for many at once is the network or the names near us, not the targets.",
            "short",
            Query("fleet:probe_failures:count", "{{reason}}"),
            Query("fleet:scrapes_down:count", "metrics unreadable"),
            stacked=True,
        ),
        graph(
            "How long probes take",
            "Quantiles over all targets.",
            "s",
            Query("fleet:probe_duration_seconds:p50", "50 %"),
            Query("fleet:probe_duration_seconds:p95", "95 %"),
            Query("fleet:probe_duration_seconds:p99", "99 %"),
            steps=((0.5, ORANGE),),
            colours={"50 %": GREEN, "95 %": BLUE, "99 %": ORANGE},
        ),
        graph(
            "Firing alerts by severity",
            "All alerts that fire; severity none is for machines that scale.",
            "short",
            Query("fleet:alerts_firing:count", "{{severity}}"),
            stacked=True,
            colours={"critical": RED, "warning": ORANGE, "none": GREY},
            links=(to_alerts(),),
        ),
    )


def _availability() -> tuple[Panel, ...]:
    return (
        listing(
            "Least available",
            "The part of the probes that were successes, over the time shown, in steps of five "
            "minutes.",
            (
                _JOB,
                _INSTANCE,
                Column("Value", "Up", unit="percentunit", steps=((0.99, ORANGE), (0.999, GREEN))),
            ),
            Query(
                f"bottomk(50, avg_over_time(instance:probe_success:avg5m{{{SELECTED}}}[$__range]))"
            ),
            unit="percentunit",
        ),
        listing(
            "Certificates that end soonest",
            "Time until the first certificate of the chain ends.",
            (
                _JOB,
                _INSTANCE,
                Column(
                    "Value",
                    "Ends in",
                    unit="s",
                    steps=((3 * _DAY, ORANGE), (14 * _DAY, GREEN)),
                ),
            ),
            Query(f"bottomk(50, probe_ssl_earliest_cert_expiry{{{SELECTED}}} - time())"),
            unit="s",
        ),
    )
