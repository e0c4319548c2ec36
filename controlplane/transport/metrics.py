"""What the engine tells of itself."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from controlplane.transport.engine import Engine


class EngineMetrics(Collector):
    """Reads an engine's own counts when it is asked: a transfer costs nothing more."""

    def __init__(self, registry: CollectorRegistry, engine: Engine) -> None:
        self._engine = engine
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as they are now."""
        engine = self._engine
        yield GaugeMetricFamily(
            "controlplane_transfers_in_flight",
            "HTTP transfers under way: probes, scrapes and deliveries.",
            engine.in_flight,
        )
        yield GaugeMetricFamily(
            "controlplane_transfers_waiting",
            "HTTP transfers that wait for room.",
            engine.waiting,
        )
        yield CounterMetricFamily(
            "controlplane_transfer_faults",
            "Errors of our own inside HTTP transfers; each is logged.",
            engine.faults,
        )
