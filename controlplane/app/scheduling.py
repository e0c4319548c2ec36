"""Coarse jobs by the clock. The only place that knows APScheduler."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from apscheduler.events import (
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model.cron import Cron
from controlplane.model.duration import format_duration
from controlplane.model.job import JobResult, JobStatus
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
            "Runs of scheduled jobs, by result; those left out are `missed`.",
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
        self._statuses: dict[str, JobStatus] = {}
        self._scheduler.add_listener(self._note_due, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._note_missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def every(self, interval: Duration, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Have `work()` run every `interval` milliseconds, a little off so that jobs spread."""
        seconds = interval / 1000
        jitter = round(seconds * _JITTER_SHARE) or None
        trigger = IntervalTrigger(seconds=seconds, jitter=jitter)
        self._add(trigger, name, format_duration(interval), work)

    def at(self, when: Cron | Duration, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Have `work()` run at the times of a calendar, or each so many milliseconds, exactly."""
        if isinstance(when, int):
            schedule = format_duration(when)
            self._add(IntervalTrigger(seconds=when / 1000), name, schedule, work)
        else:
            self._add(calendar(when), name, f"{when.text} {when.location}", work)

    def drop(self, name: str) -> None:
        """Begin no more runs of a job; one under way goes on."""
        self._scheduler.remove_job(name)
        del self._statuses[name]

    def statuses(self) -> Sequence[JobStatus]:
        """Return all jobs by name, each with its last run since the start."""
        return [
            replace(status, next_at=self._next(name))
            for name, status in sorted(self._statuses.items())
        ]

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(
        self, trigger: BaseTrigger, name: str, schedule: str, work: Callable[[], Awaitable[object]]
    ) -> None:
        self._statuses[name] = JobStatus(name, schedule)
        self._scheduler.add_job(
            partial(self._run, name, work),
            trigger,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=_LATEST_SECONDS,
        )

    async def _run(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        correlation_id = new_correlation_id()
        with correlated(correlation_id):
            begun = self._clock.monotonic()
            self._change(
                name, running=True, started_at=self._clock.now(), correlation_id=correlation_id
            )
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    await work()
            except Exception as error:
                log.exception("job failed", job=name)
                self._note_end(name, begun, JobResult.FAILURE, _words(error))
            else:
                self._metrics.last_success.labels(name).set(self._clock.now() / 1000)
                self._note_end(name, begun, JobResult.SUCCESS)

    def _note_end(self, name: str, begun: float, result: JobResult, failure: str = "") -> None:
        self._metrics.runs.labels(name, result.value).inc()
        if (before := self._statuses.get(name)) is None:
            return  # it was dropped meanwhile
        self._change(
            name,
            running=False,
            ended_at=self._clock.now(),
            seconds=self._clock.monotonic() - begun,
            result=result,
            failure=failure,
            runs=before.runs + 1,
            failures=before.failures + (result is JobResult.FAILURE),
        )

    def _note_due(self, event: JobSubmissionEvent) -> None:
        self._change(event.job_id, due_at=_instant(event.scheduled_run_times[-1]))

    def _note_missed(self, event: JobEvent) -> None:
        """Count runs that are left out: too late, or while the one before is under way."""
        late = isinstance(event, JobExecutionEvent)
        times = [event.scheduled_run_time] if late else event.scheduled_run_times
        self._metrics.runs.labels(event.job_id, "missed").inc(len(times))
        log.warning("job missed", job=event.job_id, runs=len(times), late=late)
        if (before := self._statuses.get(event.job_id)) is not None:
            self._change(event.job_id, missed=before.missed + len(times))

    def _change(self, name: str, **changed: Any) -> None:
        if (before := self._statuses.get(name)) is not None:
            self._statuses[name] = replace(before, **changed)

    def _next(self, name: str) -> Timestamp | None:
        """Return when a job runs next; before the start nobody knows."""
        job = self._scheduler.get_job(name)
        time = getattr(job, "next_run_time", None)
        return None if time is None else _instant(time)


def _instant(time: datetime) -> Timestamp:
    return round(time.timestamp() * 1000)


def _words(error: Exception) -> str:
    """Return why a run failed; what is none of our errors is told by the log alone."""
    if isinstance(error, TimeoutError):
        return f"not over within {format_duration(round(_LONGEST_SECONDS * 1000))}"
    return str(error) if isinstance(error, ControlPlaneError) else type(error).__name__


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
