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


class StormMetrics:
    """What tells failures of our own network from those of others."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.canary_up = Gauge(
            "controlplane_canary_up",
            "1 when a canary answered when it was last asked, else 0.",
            ["canary"],
            registry=registry,
        )
        self.down = Gauge(
            "controlplane_own_network_down",
            "1 while many targets in many networks fail, and all canaries too; "
            "once other replicas probe them, while all canaries fail.",
            registry=registry,
        )
        self.holds = Counter(
            "controlplane_own_network_holds_total",
            "Times that notifications began to be held because our own network seemed to fail.",
            registry=registry,
        )
        self._held = Gauge(
            "controlplane_alerts_held",
            "Alerts whose notifications are held until it is known whether our network fails.",
            registry=registry,
        )

    def observe_held(self, count: Callable[[], float]) -> None:
        """Have the gauge ask `count` at each scrape."""
        self._held.set_function(count)
