"""What uptime tells of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class UptimeMetrics:
    """Counters and gauges of rollups and status pages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.targets = Gauge(
            "controlplane_uptime_targets",
            "Targets whose time up and down is counted.",
            registry=registry,
        )
        self.rows = Counter(
            "controlplane_uptime_rows_written_total",
            "Rows of rollups written, by level.",
            ["level"],
            registry=registry,
        )
        self.flush = Histogram(
            "controlplane_uptime_flush_duration_seconds",
            "Time to write the rollups of a minute.",
            registry=registry,
        )
        self.failures = Counter(
            "controlplane_uptime_write_failures_total",
            "Times that rollups could not be written; they wait.",
            registry=registry,
        )
        self.lost = Counter(
            "controlplane_uptime_rows_lost_total",
            "Rows of rollups given up because the database was away for hours.",
            registry=registry,
        )
        self.last_flush = Gauge(
            "controlplane_uptime_last_flush_timestamp_seconds",
            "When rollups were last written.",
            registry=registry,
        )
        self.page_age = Gauge(
            "controlplane_status_page_last_good_timestamp_seconds",
            "When what a status page shows was last read from the database.",
            ["page"],
            registry=registry,
        )
