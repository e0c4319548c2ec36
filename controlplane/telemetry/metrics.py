"""What a process says of itself: memory, CPU, files, version, and a late event loop."""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from controlplane import __version__
from controlplane.clock import Clock

_PERIOD: Final = 0.5
_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class ProcessMetrics:
    """The metrics of one process; `run` watches its event loop."""

    def __init__(
        self, registry: CollectorRegistry, clock: Clock, *, replica: str, external_url: str
    ) -> None:
        self._clock = clock
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Gauge(
            "controlplane_build_info",
            "1, with the version and the replica's name as labels.",
            ["version", "replica"],
            registry=registry,
        ).labels(__version__, replica).set(1)
        Gauge(
            "controlplane_console_info",
            "1, with the address of the console as a label: dashboards lead there.",
            ["url"],
            registry=registry,
        ).labels(external_url).set(1)
        self._late = Histogram(
            "controlplane_event_loop_lag_seconds",
            "How much later than asked the event loop woke a sleeper.",
            buckets=_BUCKETS,
            registry=registry,
        )

    async def run(self) -> None:
        """Measure the loop's lag until cancelled."""
        while True:
            begin = self._clock.monotonic()
            await self._clock.sleep(_PERIOD)
            self._late.observe(max(0.0, self._clock.monotonic() - begin - _PERIOD))
