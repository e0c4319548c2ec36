"""What the active alerts tell of themselves."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class AlertMetrics:
    """Counters of the alerts kept, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "controlplane_alerts_received_total",
            "Alerts accepted, by what they said.",
            ["status"],
            registry=registry,
        )
        self.refused = Counter(
            "controlplane_alerts_refused_total",
            "Alerts refused because too many are active.",
            registry=registry,
        )
        self._kept = Gauge(
            "controlplane_alerts",
            "Alerts that are kept, by state.",
            ["state"],
            registry=registry,
        )

    def observe(self, state: str, count: Callable[[], float]) -> None:
        """Have the gauge of a state ask `count` at each scrape."""
        self._kept.labels(state).set_function(count)


class LedgerMetrics:
    """Counters of the decision ledger, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.written = Counter(
            "controlplane_ledger_decisions_total",
            "Decisions on alerts that were kept.",
            registry=registry,
        )
        self.lost = Counter(
            "controlplane_ledger_lost_total",
            "Decisions that were not kept because too many waited to be written.",
            registry=registry,
        )
        self._waiting = Gauge(
            "controlplane_ledger_waiting",
            "Decisions that wait to be written.",
            registry=registry,
        )

    def observe(self, count: Callable[[], float]) -> None:
        """Have the gauge ask `count` at each scrape."""
        self._waiting.set_function(count)
