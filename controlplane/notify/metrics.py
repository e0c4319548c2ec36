"""What delivery tells of itself."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class NotifyMetrics:
    """Counters of the pipeline and the worker, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        channel = ["receiver", "integration"]
        self.queued = Counter(
            "controlplane_notifications_queued_total",
            "Messages put into the outbox, by why.",
            ["reason"],
            registry=registry,
        )
        self.suppressed = Counter(
            "controlplane_notifications_suppressed_total",
            "Alerts that fired and were left out of what an integration is told, by what mutes.",
            ["reason"],
            registry=registry,
        )
        self.sent = Counter(
            "controlplane_notifications_sent_total",
            "Messages delivered.",
            channel,
            registry=registry,
        )
        self.attempts = Counter(
            "controlplane_notification_attempts_total",
            "Attempts to deliver a message.",
            channel,
            registry=registry,
        )
        self.failed = Counter(
            "controlplane_notifications_failed_total",
            "Attempts that failed, by why.",
            [*channel, "reason"],
            registry=registry,
        )
        self.cut = Counter(
            "controlplane_notification_parts_cut_total",
            "Parts of delivered messages, fields and buttons, that the service has no room for.",
            channel,
            registry=registry,
        )
        self.changes = Counter(
            "controlplane_change_events_total",
            "Attempts to tell receivers of a change, by what came of them.",
            [*channel, "outcome"],
            registry=registry,
        )
        self.fenced = Counter(
            "controlplane_notification_decisions_fenced_total",
            "Decisions dropped because another replica has taken them over, by what decided.",
            ["decision"],
            registry=registry,
        )
        self.dead = Counter(
            "controlplane_notifications_dead_total",
            "Messages given up.",
            channel,
            registry=registry,
        )
        self.request_latency = Histogram(
            "controlplane_notification_request_seconds",
            "How long one attempt took.",
            channel,
            registry=registry,
            buckets=_LATENCY,
        )
        self.delivery_latency = Histogram(
            "controlplane_notification_delivery_seconds",
            "From the decision to the delivery, retries and waiting included.",
            channel,
            registry=registry,
            buckets=_LATENCY,
        )
        self.outbox = Gauge(
            "controlplane_outbox_messages",
            "Messages in the outbox that are not done with: queued, sending or dead.",
            ["state"],
            registry=registry,
        )
        self.breaker_open = Gauge(
            "controlplane_notification_breaker_open",
            "1 while deliveries are held back because the receiver fails.",
            channel,
            registry=registry,
        )
        self.open_incidents = Gauge(
            "controlplane_open_incidents",
            "Incidents that a receiver may have open.",
            registry=registry,
        )
