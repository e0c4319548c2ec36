"""What tests of receivers, fire drills and check-ins tell of themselves."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY: Final = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class TryingMetrics:
    """Counters of all that is tried before it matters, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.tests = Counter(
            "controlplane_receiver_tests_total",
            "Tests of receivers that somebody asked for, by how the attempt ended.",
            ["receiver", "integration", "outcome"],
            registry=registry,
        )
        self.drills = Counter(
            "controlplane_drill_runs_total",
            "Runs of fire drills, by how they ended.",
            ["drill", "result"],
            registry=registry,
        )
        self.drill_latency = Histogram(
            "controlplane_drill_delivery_seconds",
            "From the alert of a drill until the last of its receivers was told.",
            ["drill"],
            registry=registry,
            buckets=_LATENCY,
        )
        self.drill_success = Gauge(
            "controlplane_drill_last_success_timestamp_seconds",
            "When a drill last came back delivered and resolved.",
            ["drill"],
            registry=registry,
        )
        self.check_ins = Counter(
            "controlplane_check_ins_total",
            "Turns of check-ins: sent, failed on the way, or withheld because all is not well.",
            ["check_in", "result"],
            registry=registry,
        )
        self.check_in_success = Gauge(
            "controlplane_check_in_last_success_timestamp_seconds",
            "When a monitor last heard that all is well.",
            ["check_in"],
            registry=registry,
        )
        self.well = Gauge(
            "controlplane_check_in_condition_ok",
            "1 while a condition holds that check-ins vouch for.",
            ["condition"],
            registry=registry,
        )
