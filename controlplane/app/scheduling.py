"""Coarse jobs by the clock. The only place that knows APScheduler."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

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

from controlplane.app.job_runner import JobMetrics, JobRunner, Work
from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model.cron import Cron
from controlplane.model.duration import DAY, HOUR, format_duration
from controlplane.model.job import JobPast, JobResult, JobRun, JobStatus, RunState
from controlplane.model.time_interval import time_zone
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_JITTER_SHARE: Final = 0.1
# A run that could not begin within so many seconds of its time is left out.
_LATEST_SECONDS: Final = 60
# Where the newest of missed times is looked for, one after the other.
_STRETCHES: Final = (HOUR, DAY, 32 * DAY, 366 * DAY)


class Jobs:
    """Has each job run when it is due; of several replicas one makes the run.

    Times at which nobody was there are made up for by one run, once `run` begins.
    """

    def __init__(self, runner: JobRunner, clock: Clock, metrics: JobMetrics) -> None:
        self._runner = runner
        self._clock = clock
        self._metrics = metrics
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._planned: dict[str, _Planned] = {}
        self._scheduler.add_listener(self._note_due, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._note_missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def every(self, interval: Duration, name: str, work: Work) -> None:
        """Have `work()` run once in each interval, a little off so that jobs spread."""
        seconds = interval / 1000
        jitter = round(seconds * _JITTER_SHARE) or None
        trigger = IntervalTrigger(seconds=seconds, jitter=jitter)
        self._add(_Planned(name, format_duration(interval), trigger, interval), work)

    def at(self, when: Cron | Duration, name: str, work: Work) -> None:
        """Have `work()` run at the times of a calendar, or once in each so many milliseconds."""
        if isinstance(when, int):
            trigger = IntervalTrigger(seconds=when / 1000)
            self._add(_Planned(name, format_duration(when), trigger, when), work)
        else:
            self._add(_Planned(name, f"{when.text} {when.location}", calendar(when)), work)

    def drop(self, name: str) -> None:
        """Begin no more runs of a job; one under way goes on."""
        self._scheduler.remove_job(name)
        self._runner.drop(name)
        del self._planned[name]

    async def statuses(self) -> Sequence[JobStatus]:
        """Return all jobs by name, each with its last run. Raises Unavailable."""
        past = await self._runner.runs.past()
        return [
            _status(planned, past.get(name), self._next(name))
            for name, planned in sorted(self._planned.items())
        ]

    async def dead(self, *, before: int | None, limit: int) -> Sequence[JobRun]:
        """Return runs that were given up, the newest first. Raises Unavailable."""
        return await self._runner.runs.dead(before=before, limit=limit)

    async def redrive(self, run_id: int) -> JobRun:
        """Have a run that was given up tried again. Raises NotFound, Conflict, Unavailable."""
        return await self._runner.redrive(run_id)

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def run(self) -> None:
        """Make up for what was missed, then look after runs that failed, until cancelled."""
        await self.catch_up()
        await self._runner.run()

    async def drain(self) -> None:
        """Begin no more runs, and end those under way; they are taken on later."""
        self.stop()
        await self._runner.drain()

    async def catch_up(self) -> None:
        """Make one run of each job that came due while no replica was there."""
        try:
            past = await self._runner.runs.past()
        except ControlPlaneError as error:
            log.warning("missed runs of jobs are not known", reason=str(error))
            return
        now = self._clock.now()
        for name, planned in tuple(self._planned.items()):
            if name in past and (due_at := planned.missed(past[name].latest.due_at, now)):
                log.info("missed run of a job is made up for", job=name)
                await self._runner.due(name, due_at)

    def _add(self, planned: "_Planned", work: Work) -> None:
        self._planned[planned.name] = planned
        self._runner.put(planned.name, work)
        self._scheduler.add_job(
            partial(self._run, planned.name),
            planned.trigger,
            id=planned.name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=_LATEST_SECONDS,
        )

    async def _run(self, name: str) -> None:
        if (planned := self._planned.get(name)) is not None:
            await self._runner.due(name, planned.slot(planned.due_at or self._clock.now()))

    def _note_due(self, event: JobSubmissionEvent) -> None:
        if (planned := self._planned.get(event.job_id)) is not None:
            planned.due_at = _instant(event.scheduled_run_times[-1])

    def _note_missed(self, event: JobEvent) -> None:
        """Count runs that are left out: too late, or while the one before is under way."""
        late = isinstance(event, JobExecutionEvent)
        times = [event.scheduled_run_time] if late else event.scheduled_run_times
        self._metrics.runs.labels(event.job_id, "missed").inc(len(times))
        log.warning("job missed", job=event.job_id, runs=len(times), late=late)
        if (planned := self._planned.get(event.job_id)) is not None:
            planned.left_out += len(times)

    def _next(self, name: str) -> Timestamp | None:
        """Return when a job runs next; before the start nobody knows."""
        job = self._scheduler.get_job(name)
        time = getattr(job, "next_run_time", None)
        return None if time is None else _instant(time)


@dataclass(slots=True)
class _Planned:
    """A job on the schedule. `interval` is None for one that follows a calendar."""

    name: str
    schedule: str
    trigger: BaseTrigger
    interval: Duration | None = None
    due_at: Timestamp | None = None
    left_out: int = 0

    def slot(self, due_at: Timestamp) -> Timestamp:
        """Return the time that stands for a run: replicas of other beats have the same."""
        return due_at if self.interval is None else due_at - due_at % self.interval

    def missed(self, last: Timestamp, now: Timestamp) -> Timestamp | None:
        """Return the newest time after the last run that has passed, None when there is none."""
        if self.interval is not None:
            current = self.slot(now)
            return current if last < current else None
        until = now - _LATEST_SECONDS * 1000
        # The newest lies in the shortest stretch that holds any: few have to be looked at.
        for stretch in _STRETCHES:
            if found := self._times(max(last, until - stretch), until):
                return found[-1]
            if until - stretch <= last:
                break
        return None

    def _times(self, after: Timestamp, until: Timestamp) -> list[Timestamp]:
        found: list[Timestamp] = []
        previous = datetime.fromtimestamp(after / 1000, UTC)
        while True:
            time = self.trigger.get_next_fire_time(previous, previous + timedelta(milliseconds=1))
            if time is None or _instant(time) > until:
                return found
            found.append(_instant(time))
            previous = time


def _status(planned: _Planned, past: JobPast | None, next_at: Timestamp | None) -> JobStatus:
    status = JobStatus(planned.name, planned.schedule, next_at=next_at, missed=planned.left_out)
    if past is None:
        return status
    run, ended = past.latest, past.latest.ended_at
    result = JobResult.FAILURE if run.failure else JobResult.SUCCESS
    return replace(
        status,
        running=run.state is RunState.RUNNING,
        replica=run.owner,
        due_at=run.due_at,
        started_at=run.started_at,
        ended_at=ended,
        seconds=None if ended is None else max(0, ended - run.started_at) / 1000,
        result=None if ended is None else result,
        failure=run.failure,
        correlation_id=run.correlation_id,
        retry_at=run.retry_at if run.state is RunState.WAITING else None,
        dead=run.state is RunState.DEAD,
        runs=past.runs,
        failures=past.failures,
    )


def _instant(time: datetime) -> Timestamp:
    return round(time.timestamp() * 1000)


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
