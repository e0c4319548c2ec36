"""Receivers: does each get what it is sent, how fast, and if not, why."""

from dashboards.frame import (
    SELECTED,
    Sheet,
    Variable,
    cell,
    job_and_instance,
    to_dashboard,
)
from dashboards.panels import (
    GREEN,
    NONE_IS_WELL,
    ORANGE,
    RED,
    Column,
    Link,
    Panel,
    Query,
    Row,
    graph,
    listing,
    number,
    states,
)
from dashboards.uids import ALERTING, RECEIVERS

_CHOSEN = f'{SELECTED}, receiver=~"$receiver"'
_NAME = "{{receiver}} {{integration}}"
_BREAKER = {"0": ("closed", GREEN), "1": ("open", RED)}
_CONSOLE = Link("The receiver in the console", "${console}/receivers", new_tab=True)


def receivers() -> Sheet:
    """Return the dashboard."""
    receiver = Variable(
        "receiver",
        f"label_values(controlplane_notification_attempts_total{{{SELECTED}}}, receiver)",
    )
    return Sheet(
        uid=RECEIVERS,
        title="Receivers",
        description="By receiver: sent, failed and why, latency, breaker, dead letters, drills.",
        folder="alerting",
        variables=(*job_and_instance("controlplane_notification_attempts_total"), receiver),
        top=_numbers(),
        rows=(
            Row("By receiver", _by_receiver()),
            Row("Latency", _latency()),
            Row("Breakers and dead letters", _trouble()),
            Row("Tests, drills and check-ins", _drills(), folded=True),
        ),
    )


def _increase(metric: str, by: str = "receiver, integration") -> str:
    return f"sum by ({by}) (increase({metric}{{{_CHOSEN}}}[$__range]))"


def _rate(metric: str, by: str = "receiver, integration") -> str:
    return f"sum by ({by}) (rate({metric}{{{_CHOSEN}}}[$__rate_interval]))"


def _numbers() -> tuple[Panel, ...]:
    attempts = f"rate(controlplane_notification_attempts_total{{{_CHOSEN}}}[$__range])"
    sent = f"rate(controlplane_notifications_sent_total{{{_CHOSEN}}}[$__range])"
    dead = f"increase(controlplane_notifications_dead_total{{{_CHOSEN}}}[$__range])"
    return (
        number(
            "Attempts that succeed",
            "The part of the attempts in the time shown that delivered their message.",
            "percentunit",
            Query(f"sum({sent}) / sum({attempts})", now=True),
            width=6,
            base=RED,
            steps=((0.9, ORANGE), (0.99, GREEN)),
            none="no attempts",
        ),
        number(
            "Open breakers",
            "Integrations whose deliveries are held back because the receiver fails.",
            "short",
            Query(f"sum(controlplane_notification_breaker_open{{{_CHOSEN}}}) or vector(0)"),
            width=6,
            steps=NONE_IS_WELL,
        ),
        number(
            "Given up in the time shown",
            "Messages that were given up: somebody was not told.",
            "short",
            Query(f"round(sum({dead}) or vector(0))", now=True),
            width=6,
            steps=NONE_IS_WELL,
        ),
        number(
            "Open incidents",
            "Incidents that a receiver may have open, of all receivers.",
            "short",
            Query(f"sum(controlplane_open_incidents{{{SELECTED}}})", now=True),
            width=6,
            steps=((1, ORANGE),),
        ),
    )


def _by_receiver() -> tuple[Panel, ...]:
    story = to_dashboard("The pipeline", ALERTING)
    return (
        listing(
            "All receivers",
            "What each was sent in the time shown, what failed on the way, what was given up.",
            (
                Column(
                    "receiver",
                    "Receiver",
                    links=(
                        to_dashboard("Only this one", RECEIVERS, receiver=cell("Receiver")),
                        story,
                        _CONSOLE,
                    ),
                ),
                Column("integration", "Integration"),
                Column("Value #A", "Sent"),
                Column("Value #B", "Failed attempts", steps=((1, ORANGE),)),
                Column("Value #C", "Given up", steps=NONE_IS_WELL),
                Column("Value #D", "Breaker", words=_BREAKER),
            ),
            Query(f"round({_increase('controlplane_notifications_sent_total')})"),
            Query(f"round({_increase('controlplane_notifications_failed_total')})"),
            Query(f"round({_increase('controlplane_notifications_dead_total')})"),
            Query(
                "max by (receiver, integration) "
                f"(controlplane_notification_breaker_open{{{_CHOSEN}}})"
            ),
            width=24,
        ),
        graph(
            "Sent to each",
            "Messages delivered, a second.",
            "ops",
            Query(_rate("controlplane_notifications_sent_total"), _NAME),
            links=(_CONSOLE,),
        ),
        graph(
            "Failed by reason",
            "Attempts a second that failed. The reasons are Alertmanager's: authError is a token, "
            "rateLimited is too much, serverError is theirs.",
            "ops",
            Query(
                _rate("controlplane_notifications_failed_total", "receiver, integration, reason"),
                _NAME + " {{reason}}",
            ),
            stacked=True,
            links=(_CONSOLE,),
        ),
    )


def _latency() -> tuple[Panel, ...]:
    def quantile(metric: str) -> str:
        return f"histogram_quantile(0.95, {_rate(metric, 'le, receiver, integration')})"

    return (
        graph(
            "One attempt, 95 %",
            "How long one request to the receiver takes.",
            "s",
            Query(quantile("controlplane_notification_request_seconds_bucket"), _NAME),
        ),
        graph(
            "Decision to delivery, 95 %",
            "Retries and waiting included. Far above one attempt: messages wait for a back-off or "
            "an open breaker.",
            "s",
            Query(quantile("controlplane_notification_delivery_seconds_bucket"), _NAME),
            steps=((30, ORANGE),),
        ),
    )


def _trouble() -> tuple[Panel, ...]:
    return (
        states(
            "Breakers",
            "Red while deliveries are held back because the receiver fails.",
            Query(f"controlplane_notification_breaker_open{{{_CHOSEN}}}", _NAME),
            _BREAKER,
            width=8,
            links=(_CONSOLE,),
        ),
        graph(
            "Dead letters",
            "Messages a second that were given up.",
            "ops",
            Query(_rate("controlplane_notifications_dead_total"), _NAME),
            width=8,
            links=(_CONSOLE,),
        ),
        graph(
            "Parts that had no room",
            "Fields and buttons a second that the service has no room for.",
            "ops",
            Query(_rate("controlplane_notification_parts_cut_total"), _NAME),
            width=8,
        ),
    )


def _drills() -> tuple[Panel, ...]:
    return (
        listing(
            "Tests of receivers",
            "Tests that somebody asked for in the time shown, by how they ended.",
            (
                Column("receiver", "Receiver"),
                Column("integration", "Integration"),
                Column("outcome", "Outcome"),
                Column("Value", "Tests"),
            ),
            Query(
                "round("
                + _increase("controlplane_receiver_tests_total", "receiver, integration, outcome")
                + ")"
            ),
            width=8,
        ),
        graph(
            "Time since a drill last succeeded",
            "How long ago each fire drill came back delivered and resolved.",
            "s",
            Query(
                "time() - max by (drill) "
                f"(controlplane_drill_last_success_timestamp_seconds{{{SELECTED}}})",
                "{{drill}}",
            ),
            width=8,
        ),
        graph(
            "Time since a check-in",
            "How long ago an outside monitor last heard that all is well.",
            "s",
            Query(
                "time() - max by (check_in) "
                f"(controlplane_check_in_last_success_timestamp_seconds{{{SELECTED}}})",
                "{{check_in}}",
            ),
            width=8,
        ),
    )
