"""Target: one endpoint from outside. Is it up, where does the time go, what ends when."""

from dashboards.frame import (
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
    states,
)
from dashboards.uids import SERVICE, TARGET

_DAY = 86_400
_UP = {"1": ("up", GREEN), "0": ("down", RED)}
_ITS_ALERTS = to_alerts(job=of_series("job"), instance=of_series("instance"))
_ITS_REQUESTS = to_dashboard("Its requests", SERVICE, job=of_series("job"))


def target() -> Sheet:
    """Return the dashboard."""
    return Sheet(
        uid=TARGET,
        title="Target",
        description="One target from outside: state, uptime, phases of the latency, certificate.",
        folder="services",
        variables=job_and_instance("probe_success", first="one"),
        marks='job=~"$job"',
        top=_numbers(),
        rows=(
            Row("State", _state()),
            Row("Latency", _latency()),
            Row("Certificate and TLS", _tls()),
            Row("Response", _response(), folded=True),
            Row("Its metrics", _scrape(), folded=True),
        ),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        number(
            "State",
            "Whether the last probe was a success; of several targets, the worst.",
            "short",
            Query(f"min(probe_success{{{SELECTED}}})", now=True),
            base=RED,
            steps=((1, GREEN),),
            words=_UP,
        ),
        number(
            "Uptime",
            "The part of the probes that were successes over the time shown.",
            "percentunit",
            Query(f"avg(avg_over_time(probe_success{{{SELECTED}}}[$__range]))", now=True),
            base=RED,
            steps=((0.99, ORANGE), (0.999, GREEN)),
        ),
        number(
            "Latency",
            "How long the last probe took; of several targets, the slowest.",
            "s",
            Query(f"max(probe_duration_seconds{{{SELECTED}}})"),
            steps=((0.5, ORANGE), (2, RED)),
        ),
        number(
            "Status code",
            "The status of the last response.",
            "none",
            Query(f"max(probe_http_status_code{{{SELECTED}}})", now=True),
            steps=((400, ORANGE), (500, RED)),
        ),
        number(
            "Certificate ends in",
            "Time until the first certificate of the chain ends.",
            "s",
            Query(f"min(probe_ssl_earliest_cert_expiry{{{SELECTED}}} - time())", now=True),
            base=RED,
            steps=((3 * _DAY, ORANGE), (14 * _DAY, GREEN)),
            none="no TLS",
        ),
        number(
            "Firing alerts",
            "Alerts of this job that fire.",
            "short",
            Query('count(ALERTS{alertstate="firing", job=~"$job"}) or vector(0)', now=True),
            steps=NONE_IS_WELL,
        ),
    )


def _state() -> tuple[Panel, ...]:
    return (
        states(
            "Up and down",
            "Green while probes succeed. A click leads to the target's alerts.",
            Query(f"probe_success{{{SELECTED}}}", "{{job}} {{instance}}"),
            _UP,
            links=(_ITS_ALERTS, _ITS_REQUESTS),
        ),
        graph(
            "Why probes failed",
            "Failed probes by their reason.",
            "short",
            Query(f"sum by (job, reason) (probe_failure_info{{{SELECTED}}})", "{{job}} {{reason}}"),
            stacked=True,
        ),
        graph(
            "Uptime in steps of five minutes",
            "The part of the probes that were successes.",
            "percentunit",
            Query(f"instance:probe_success:avg5m{{{SELECTED}}}", "{{job}} {{instance}}"),
            width=24,
            height=6,
            highest=1,
        ),
    )


def _latency() -> tuple[Panel, ...]:
    return (
        graph(
            "Phases",
            "Where the time of an HTTP probe goes; of several targets, the mean.",
            "s",
            Query(f"avg by (phase) (probe_http_duration_seconds{{{SELECTED}}})", "{{phase}}"),
            stacked=True,
        ),
        graph(
            "Duration and time-out",
            "How long probes take, and how long they may.",
            "s",
            Query(f"probe_duration_seconds{{{SELECTED}}}", "{{job}} {{instance}}"),
            Query(f"max by (job) (probe_timeout_seconds{{{SELECTED}}})", "{{job}} time-out"),
            colours={".* time-out": RED},
            links=(_ITS_ALERTS,),
        ),
        graph(
            "Name lookup",
            "How long it takes to find the target's address.",
            "s",
            Query(f"probe_dns_lookup_time_seconds{{{SELECTED}}}", "{{job}} {{instance}}"),
            width=24,
            height=6,
        ),
    )


def _tls() -> tuple[Panel, ...]:
    return (
        graph(
            "Time until the certificate ends",
            "The first certificate of the chain, and the last chain that can be trusted.",
            "s",
            Query(f"probe_ssl_earliest_cert_expiry{{{SELECTED}}} - time()", "{{instance}} first"),
            Query(
                f"probe_ssl_last_chain_expiry_timestamp_seconds{{{SELECTED}}} - time()",
                "{{instance}} chain",
            ),
            steps=((14 * _DAY, ORANGE),),
        ),
        listing(
            "What the certificate says",
            "The leaf certificate of each target that speaks TLS.",
            (
                Column("instance", "Instance"),
                Column("subject", "Subject"),
                Column("issuer", "Issuer"),
                Column("subjectalternative", "Names"),
            ),
            Query(f"probe_ssl_last_chain_info{{{SELECTED}}}"),
        ),
        listing(
            "TLS in use",
            "The version of TLS that was agreed on.",
            (Column("instance", "Instance"), Column("version", "Version")),
            Query(f"probe_tls_version_info{{{SELECTED}}}"),
            width=24,
            height=5,
        ),
    )


def _response() -> tuple[Panel, ...]:
    name = "{{job}} {{instance}}"
    return (
        graph(
            "Status codes",
            "The status of each response.",
            "none",
            Query(f"probe_http_status_code{{{SELECTED}}}", name),
            width=8,
            steps=((400, ORANGE), (500, RED)),
        ),
        graph(
            "Size of the body",
            "The length of the body, decompressed.",
            "bytes",
            Query(f"probe_http_uncompressed_body_length{{{SELECTED}}}", name),
            width=8,
        ),
        graph(
            "Redirects",
            "How many redirects were followed.",
            "short",
            Query(f"probe_http_redirects{{{SELECTED}}}", name),
            width=8,
        ),
    )


def _scrape() -> tuple[Panel, ...]:
    name = "{{job}} {{instance}}"
    return (
        states(
            "Metrics could be read",
            "Green while scrapes succeed.",
            Query(f"up{{{SELECTED}}}", name),
            _UP,
            width=8,
        ),
        graph(
            "Duration of scrapes",
            "How long it takes to read the target's metrics.",
            "s",
            Query(f"scrape_duration_seconds{{{SELECTED}}}", name),
            width=8,
        ),
        graph(
            "Samples of a scrape",
            "Samples in the body, and series that were not in the scrape before.",
            "short",
            Query(f"scrape_samples_scraped{{{SELECTED}}}", name),
            Query(f"scrape_series_added{{{SELECTED}}}", f"{name} new"),
            width=8,
            colours={".* new": BLUE},
        ),
    )
