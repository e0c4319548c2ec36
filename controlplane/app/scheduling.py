"""Coarse jobs by the clock. The only place that knows APScheduler."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.clock import Clock, Duration
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_LONGEST_SECONDS: Final = 600.0
_JITTER_SHARE: Final = 0.1


class JobMetrics:
    """What the scheduled jobs tell of themselves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.runs = Counter(
            "controlplane_job_runs_total",
            "Runs of scheduled jobs, by result.",
            ["job", "result"],
            registry=registry,
        )
        self.last_success = Gauge(
            "controlplane_job_last_success_timestamp_seconds",
            "When a scheduled job last ended well.",
            ["job"],
            registry=registry,
        )


class Jobs:
    """Runs each job at its interval, one run of it at a time, with a bound on its time."""

    def __init__(self, clock: Clock, registry: CollectorRegistry) -> None:
        self._clock = clock
        self._metrics = JobMetrics(registry)
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def every(self, interval: Duration, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Have `work()` run every `interval` milliseconds, a little off so that jobs spread."""
        seconds = interval / 1000
        trigger = IntervalTrigger(seconds=seconds, jitter=round(seconds * _JITTER_SHARE) or None)
        self._scheduler.add_job(
            partial(self._run, name, work), trigger, id=name, coalesce=True, max_instances=1
        )

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _run(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        with correlated(new_correlation_id()):
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    await work()
            except Exception:
                self._metrics.runs.labels(name, "failure").inc()
                log.exception("job failed", job=name)
            else:
                self._metrics.runs.labels(name, "success").inc()
                self._metrics.last_success.labels(name).set(self._clock.now() / 1000)
