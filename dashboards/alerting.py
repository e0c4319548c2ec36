"""Alerting pipeline: from an alert that fires to a person who knows, and what was lost."""

from dashboards.frame import SELECTED, Sheet, job_and_instance, of_series, to_alerts, to_dashboard
from dashboards.panels import (
    BLUE,
    GREEN,
    GREY,
    NONE_IS_WELL,
    ORANGE,
    RED,
    Panel,
    Query,
    Row,
    graph,
    heatmap,
    number,
)
from dashboards.uids import ALERTING, RECEIVERS

_RECEIVER = to_dashboard("The receiver", RECEIVERS, receiver=of_series("receiver"))
_DELIVERY = "controlplane_notification_delivery_seconds_bucket"


def alerting() -> Sheet:
    """Return the dashboard."""
    return Sheet(
        uid=ALERTING,
        title="Alerting pipeline",
        description="Alerts by state, what keeps them quiet, what was sent, failed and given up.",
        folder="alerting",
        variables=job_and_instance("controlplane_alerts"),
        top=_numbers(),
        rows=(
            Row("Alerts", _alerts()),
            Row("Notifications", _notifications()),
            Row("Groups and the outbox", _outbox()),
            Row("Our own network, and what is written down", _keeping(), folded=True),
        ),
    )


def _numbers() -> tuple[Panel, ...]:
    failed = f"rate(controlplane_notifications_failed_total{{{SELECTED}}}[$__rate_interval])"
    return (
        number(
            "Active alerts",
            "Alerts that are kept and fire.",
            "short",
            Query(f'sum(controlplane_alerts{{{SELECTED}, state="active"}})'),
            base=BLUE,
            links=(to_alerts(),),
        ),
        number(
            "Waiting to be sent",
            "Messages in the outbox that wait for their turn, or for a receiver.",
            "short",
            Query(f'sum(controlplane_outbox_messages{{{SELECTED}, state="queued"}}) or vector(0)'),
            steps=((10, ORANGE), (100, RED)),
        ),
        number(
            "Dead letters",
            "Messages that were given up: somebody was not told.",
            "short",
            Query(
                f'sum(controlplane_outbox_messages{{{SELECTED}, state="dead"}}) or vector(0)',
                now=True,
            ),
            steps=NONE_IS_WELL,
        ),
        number(
            "Failed attempts",
            "Attempts a second that failed; they are repeated until they succeed or are given up.",
            "ops",
            Query(f"sum({failed}) or vector(0)"),
            steps=((0.01, ORANGE),),
        ),
        number(
            "Held",
            "Alerts whose notifications are held until it is known whether our network fails.",
            "short",
            Query(f"sum(controlplane_alerts_held{{{SELECTED}}})", now=True),
            steps=((1, ORANGE),),
        ),
        number(
            "Silences",
            "Silences in force.",
            "short",
            Query(f'sum(controlplane_silences{{{SELECTED}, state="active"}})', now=True),
            base=BLUE,
        ),
    )


def _alerts() -> tuple[Panel, ...]:
    return (
        graph(
            "Alerts by state",
            "Alerts that are kept: those that fire, and those whose end is not forgotten yet.",
            "short",
            Query(f"sum by (state) (controlplane_alerts{{{SELECTED}}})", "{{state}}"),
            width=8,
            colours={"active": RED, "resolved": GREEN},
            links=(to_alerts(),),
        ),
        graph(
            "Alerts received",
            "Alerts a second from rules and senders, by what they say, and those refused.",
            "ops",
            Query(
                "sum by (status) (rate("
                f"controlplane_alerts_received_total{{{SELECTED}}}[$__rate_interval]))",
                "{{status}}",
            ),
            Query(
                f"sum(rate(controlplane_alerts_refused_total{{{SELECTED}}}[$__rate_interval]))",
                "refused",
            ),
            width=8,
            colours={"firing": ORANGE, "resolved": GREEN, "refused": RED},
        ),
        graph(
            "Kept quiet",
            "Alerts a second that were left out of a message, by what mutes them.",
            "ops",
            Query(
                "sum by (reason) (rate("
                f"controlplane_notifications_suppressed_total{{{SELECTED}}}[$__rate_interval]))",
                "{{reason}}",
            ),
            width=8,
            stacked=True,
        ),
    )


def _notifications() -> tuple[Panel, ...]:
    def quantile(part: float) -> str:
        rates = f"rate({_DELIVERY}{{{SELECTED}}}[$__rate_interval])"
        return f"histogram_quantile({part}, sum by (le, integration) ({rates}))"

    return (
        graph(
            "Sent",
            "Messages delivered, a second, by receiver and integration.",
            "ops",
            Query(
                "sum by (receiver, integration) (rate("
                f"controlplane_notifications_sent_total{{{SELECTED}}}[$__rate_interval]))",
                "{{receiver}} {{integration}}",
            ),
            stacked=True,
            links=(_RECEIVER,),
        ),
        graph(
            "Failed",
            "Attempts a second that failed, by integration and reason.",
            "ops",
            Query(
                "sum by (receiver, integration, reason) (rate("
                f"controlplane_notifications_failed_total{{{SELECTED}}}[$__rate_interval]))",
                "{{receiver}} {{integration}} {{reason}}",
            ),
            stacked=True,
            links=(_RECEIVER,),
        ),
        graph(
            "Latency by integration, 95 %",
            "From the decision to the delivery, retries and waiting included.",
            "s",
            Query(quantile(0.95), "{{integration}}"),
            steps=((30, ORANGE),),
        ),
        heatmap(
            "How latencies are spread",
            "Deliveries by how long they took from the decision on.",
            "s",
            Query(
                f"sum by (le) (increase({_DELIVERY}{{{SELECTED}}}[$__rate_interval]))",
                "{{le}}",
                cells=True,
            ),
        ),
        graph(
            "Given up",
            "Messages a second that were given up: each is a dead letter.",
            "ops",
            Query(
                "sum by (receiver, integration) (rate("
                f"controlplane_notifications_dead_total{{{SELECTED}}}[$__rate_interval]))",
                "{{receiver}} {{integration}}",
            ),
            links=(_RECEIVER,),
        ),
        graph(
            "Why messages are sent",
            "Messages a second put into the outbox, by the reason.",
            "ops",
            Query(
                "sum by (reason) (rate("
                f"controlplane_notifications_queued_total{{{SELECTED}}}[$__rate_interval]))",
                "{{reason}}",
            ),
            stacked=True,
        ),
    )


def _outbox() -> tuple[Panel, ...]:
    late = "controlplane_group_flush_lateness_seconds_bucket"
    return (
        graph(
            "The outbox",
            "Messages that are not done with.",
            "short",
            Query(f"sum by (state) (controlplane_outbox_messages{{{SELECTED}}})", "{{state}}"),
            width=8,
            stacked=True,
            colours={"queued": ORANGE, "sending": BLUE, "dead": RED},
        ),
        graph(
            "Groups and incidents",
            "Aggregation groups that hold alerts, and incidents that a receiver may have open.",
            "short",
            Query(f"sum(controlplane_aggregation_groups{{{SELECTED}}})", "groups"),
            Query(f"sum(controlplane_open_incidents{{{SELECTED}}})", "open incidents"),
            width=8,
        ),
        graph(
            "Lateness of groups, 99 %",
            "How long after it was due a group was handed on.",
            "s",
            Query(
                "histogram_quantile(0.99, sum by (le) "
                f"(rate({late}{{{SELECTED}}}[$__rate_interval])))",
                "99 %",
            ),
            width=8,
            steps=((1, RED),),
        ),
    )


def _keeping() -> tuple[Panel, ...]:
    return (
        graph(
            "Our network",
            "1 while many targets in many networks fail, and all canaries too; then alerts are "
            "held.",
            "short",
            Query(f"max(controlplane_own_network_down{{{SELECTED}}})", "our network is down"),
            Query(f"sum(controlplane_alerts_held{{{SELECTED}}})", "alerts held"),
            width=8,
            colours={"our network is down": RED},
        ),
        graph(
            "Silences by state",
            "Silences that are kept.",
            "short",
            Query(f"sum by (state) (controlplane_silences{{{SELECTED}}})", "{{state}}"),
            width=8,
            colours={"active": BLUE, "expired": GREY, "pending": ORANGE},
        ),
        graph(
            "Decisions not yet written",
            "Decisions on alerts that wait for the database. Stories lag by as much.",
            "short",
            Query(f"sum(controlplane_ledger_waiting{{{SELECTED}}})", "waiting"),
            width=8,
        ),
    )
