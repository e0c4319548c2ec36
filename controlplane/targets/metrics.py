"""What the registry tells of itself on `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class TargetMetrics:
    """The registry's own numbers; those of single targets are series in the store."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.targets = Gauge(
            "controlplane_targets",
            "Registered targets by who owns them.",
            ["provenance"],
            registry=registry,
        )
        self.renewals = Counter(
            "controlplane_target_lease_renewals_total",
            "Leases renewed, by registration or renewal.",
            registry=registry,
        )
        self.leases_expired = Gauge(
            "controlplane_target_leases_expired",
            "Targets whose lease has run out and that are not yet removed.",
            registry=registry,
        )
        self.leases_removed = Counter(
            "controlplane_target_leases_removed_total",
            "Targets removed because their lease had run out long ago.",
            registry=registry,
        )
        self.listener_errors = Counter(
            "controlplane_target_listener_errors_total",
            "Changes of targets that a listener could not take.",
            registry=registry,
        )
        self.failures_dropped = Counter(
            "controlplane_target_failures_dropped_total",
            "Evidence of failed probes given up because the database did not keep up.",
            registry=registry,
        )
        self.outcomes_waiting = Gauge(
            "controlplane_target_outcomes_waiting",
            "States of targets that the other replicas cannot read yet.",
            registry=registry,
        )
