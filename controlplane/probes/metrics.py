"""What the prober tells of itself. The samples of probes are elsewhere, in the store."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class ProbeMetrics:
    """Counters and gauges of one schedule."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.missed = Counter(
            "controlplane_probe_ticks_missed",
            "Ticks at which no probe was started: it came a whole interval too late (late), "
            "or the probe before still ran (running).",
            ["cause"],
            registry=registry,
        )
        self.lateness = Histogram(
            "controlplane_probe_lateness_seconds",
            "How long after its tick a probe was started.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
            registry=registry,
        )
        self.probes = Counter(
            "controlplane_probes", "Probes that ended.", ["result"], registry=registry
        )
        self.failures = Counter(
            "controlplane_probe_failures",
            "Probes that failed, by reason.",
            ["reason"],
            registry=registry,
        )
        self.dropped = Counter(
            "controlplane_probe_writes_dropped",
            "Results of probes that the store would not take.",
            registry=registry,
        )
        self.clock_jumps = Counter(
            "controlplane_probe_clock_jumps",
            "Jumps of the wall clock after which all ticks were set anew.",
            registry=registry,
        )
        self.targets = Gauge(
            "controlplane_probe_targets", "Targets on the schedule.", registry=registry
        )
        self.running = Gauge("controlplane_probes_running", "Probes under way.", registry=registry)
