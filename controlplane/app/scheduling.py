"""Coarse jobs by the clock. The only place that knows APScheduler."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.clock import Clock, Duration
from controlplane.model.cron import Cron
from controlplane.model.time_interval import time_zone
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_LONGEST_SECONDS: Final = 600.0
_JITTER_SHARE: Final = 0.1
# A run that could not begin within so many seconds of its time is left out.
_LATEST_SECONDS: Final = 60


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
        jitter = round(seconds * _JITTER_SHARE) or None
        self._add(IntervalTrigger(seconds=seconds, jitter=jitter), name, work)

    def at(self, when: Cron | Duration, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Have `work()` run at the times of a calendar, or each so many milliseconds, exactly."""
        trigger = IntervalTrigger(seconds=when / 1000) if isinstance(when, int) else calendar(when)
        self._add(trigger, name, work)

    def drop(self, name: str) -> None:
        """Begin no more runs of a job; one under way goes on."""
        self._scheduler.remove_job(name)

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(self, trigger: BaseTrigger, name: str, work: Callable[[], Awaitable[object]]) -> None:
        self._scheduler.add_job(
            partial(self._run, name, work),
            trigger,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=_LATEST_SECONDS,
        )

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


def calendar(cron: Cron) -> BaseTrigger:
    """Return the trigger of a crontab(5) line, in whose words Sunday is 0 and for APScheduler 6."""
    shared = {
        "minute": _listed(cron.minutes),
        "hour": _listed(cron.hours),
        "month": _listed(cron.months),
        "timezone": time_zone(cron.location),
    }
    days = _listed(cron.days)
    weekdays = _listed(tuple((day + 6) % 7 for day in cron.weekdays))
    if cron.any_day or cron.any_weekday:
        return CronTrigger(day=days, day_of_week=weekdays, **shared)
    # With both named a day of either is meant, and APScheduler means one of both.
    either = [CronTrigger(day=days, **shared), CronTrigger(day_of_week=weekdays, **shared)]
    return OrTrigger(either)


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
