"""What routing tells of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class RoutingMetrics:
    """Counters of the dispatcher, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.groups = Gauge(
            "controlplane_aggregation_groups",
            "Aggregation groups that hold alerts, those that other replicas tell of included.",
            registry=registry,
        )
        self.flushes = Counter(
            "controlplane_group_flushes_total",
            "Aggregation groups handed on, by receiver.",
            ["receiver"],
            registry=registry,
        )
        self.flush_failures = Counter(
            "controlplane_group_flush_failures_total",
            "Batches of groups that could not be handed on and will be tried again.",
            registry=registry,
        )
        self.lateness = Histogram(
            "controlplane_group_flush_lateness_seconds",
            "How long after it was due a group was handed on.",
            registry=registry,
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
        )
