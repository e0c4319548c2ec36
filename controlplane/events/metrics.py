"""What a bus counts of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class BusMetrics:
    """The counters of a bus, whichever it is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter(
            "controlplane_events_published_total",
            "Events told to whoever listens, by kind.",
            ["kind"],
            registry=registry,
        )
        self.unshared = Counter(
            "controlplane_events_unshared_total",
            "Events that only this replica's listeners heard of, as Redis did not answer.",
            registry=registry,
        )
        self.resets = Counter(
            "controlplane_event_resets_total",
            "Listeners that had missed events and were told to start over.",
            registry=registry,
        )
        self.listeners = Gauge(
            "controlplane_event_listeners", "Listeners on the event bus.", registry=registry
        )
