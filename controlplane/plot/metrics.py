"""What drawing tells of itself."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class PlotMetrics:
    """Pictures and their cost, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pictures = Counter(
            "controlplane_pictures_total",
            "Pictures of alerts asked for, by what came of it: drawn, empty, failed, late, busy.",
            ["outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "controlplane_picture_seconds",
            "How long it took to query and draw one picture.",
            registry=registry,
            buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
