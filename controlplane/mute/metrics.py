"""What muting tells of itself."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class MuteMetrics:
    """Counters of silences, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._kept = Gauge(
            "controlplane_silences",
            "Silences that are kept, by state.",
            ["state"],
            registry=registry,
        )
        self.changes = Counter(
            "controlplane_silence_changes_total",
            "Silences created, changed and expired.",
            ["action"],
            registry=registry,
        )

    def observe(self, state: str, count: Callable[[], float]) -> None:
        """Have the gauge of a state ask `count` at each scrape."""
        self._kept.labels(state).set_function(count)
