"""What the prober tells of itself. The samples of probes are elsewhere, in the store."""

from bisect import bisect_left
from collections.abc import Iterator
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

_LATENESS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LatenessHistogram(Collector):
    """A histogram that one thread observes: without locks, for thousands of ticks a second."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counts = [0] * (len(_LATENESS_BUCKETS) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float) -> None:
        """Count one tick that came so late."""
        self._counts[bisect_left(_LATENESS_BUCKETS, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram as it is now; called from any thread."""
        total, buckets = 0, []
        bounds = (*_LATENESS_BUCKETS, inf)
        for bound, count in zip(bounds, tuple(self._counts), strict=True):
            total += count
            buckets.append(("+Inf" if bound == inf else str(bound), float(total)))
        yield HistogramMetricFamily(
            "controlplane_probe_lateness_seconds",
            "How long after its tick a probe was started.",
            buckets=buckets,
            sum_value=self._sum,
        )


class ProbeMetrics:
    """Counters and gauges of one schedule."""

    def __init__(self, registry: CollectorRegistry) -> None:
        missed = Counter(
            "controlplane_probe_ticks_missed",
            "Ticks at which no probe was started: it came a whole interval too late (late), "
            "the probe before still ran (running), or the replica whose it was had died "
            "(taken_over).",
            ["cause"],
            registry=registry,
        )
        self.missed_late, self.missed_running = missed.labels("late"), missed.labels("running")
        self.missed_taken_over = missed.labels("taken_over")
        self.lateness = LatenessHistogram(registry)
        probes = Counter("controlplane_probes", "Probes that ended.", ["result"], registry=registry)
        self.succeeded, self.failed = probes.labels("success"), probes.labels("failure")
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
