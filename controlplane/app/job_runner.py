"""The runs of jobs: each time at which one is due is claimed by one replica, and kept.

A run that fails is tried again, later each time; one whose replica died is
taken on by another when its lease has run out. What fails too often is dead:
it is listed until somebody has it run again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from random import Random, SystemRandom
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.clock import Clock, Duration, Timestamp, sleep_unless
from controlplane.errors import Conflict, ControlPlaneError, NotFound, Unavailable
from controlplane.model.duration import MINUTE, SECOND, format_duration
from controlplane.model.job import JobPast, JobResult, JobRun, RunState
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage
from controlplane.transport.backoff import backoff

log = get_logger(__name__)

Work = Callable[[], Awaitable[object]]

# An attempt may take so long.
_LONGEST: Final[Duration] = 10 * MINUTE
# Who has not renewed it for so long has lost a run.
_LEASE: Final[Duration] = MINUTE
_RENEW_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 5.0
# Attempts before a run is given up, and the waits between them.
_ATTEMPTS: Final = 5
_FIRST_WAIT: Final[Duration] = 30 * SECOND
_LONGEST_WAIT: Final[Duration] = 30 * MINUTE


class JobRuns(Protocol):
    """Where runs are kept. All raise Unavailable."""

    async def claim(self, run: JobRun) -> JobRun | None:
        """Store a new run; None when there is one of that job for that time."""
        ...

    async def change(self, before: JobRun, after: JobRun) -> bool:
        """Store `after` if the run's attempt and state still are those of `before`."""
        ...

    async def unfinished(self, names: Collection[str], now: Timestamp) -> Sequence[JobRun]:
        """Return runs of these jobs to be tried again now, or whose lease has run out."""
        ...

    async def past(self) -> Mapping[str, JobPast]:
        """Return what is on record of each job."""
        ...

    async def dead(self, *, before: int | None, limit: int) -> Sequence[JobRun]:
        """Return runs that were given up, the newest first, with ids below `before`."""
        ...

    async def get(self, run_id: int) -> JobRun | None: ...


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
        self.dead = Counter(
            "controlplane_job_runs_dead_total",
            "Runs of scheduled jobs that were given up, by job.",
            ["job"],
            registry=registry,
        )


class JobRunner:
    """Makes the runs that this replica is first to claim."""

    def __init__(
        self,
        runs: JobRuns,
        clock: Clock,
        metrics: JobMetrics,
        *,
        owner: str,
        chance: Random | None = None,
    ) -> None:
        self._runs = runs
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._chance = chance or SystemRandom()
        self._work: dict[str, Work] = {}
        # Times that came while the database was away: the newest of each job.
        self._unclaimed: dict[str, Timestamp] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        self._woken = asyncio.Event()
        self._outage = Outage(log, clock.monotonic)

    @property
    def runs(self) -> JobRuns:
        return self._runs

    def put(self, name: str, work: Work) -> None:
        """Have runs of a job, also of earlier times, done by `work()`."""
        self._work[name] = work

    def drop(self, name: str) -> None:
        """Begin no more runs of a job; one under way goes on."""
        self._work.pop(name, None)
        self._unclaimed.pop(name, None)

    async def due(self, name: str, due_at: Timestamp) -> None:
        """Make the run of a job for a time, unless another replica does or did."""
        task = asyncio.create_task(self._claim(name, due_at))
        self._watch(task)
        await task

    async def redrive(self, run_id: int) -> JobRun:
        """Have a run that was given up tried again. Raises NotFound, Conflict, Unavailable."""
        before = await self._runs.get(run_id)
        if before is None:
            raise NotFound(f"there is no run {run_id} of a job")
        if before.state is not RunState.DEAD:
            raise Conflict(f"run {run_id} of {before.name!r} is {before.state.value}, not dead")
        now = self._clock.now()
        after = replace(before, state=RunState.WAITING, retry_at=now, ended_at=None)
        if not await self._runs.change(before, after):
            raise Conflict(f"run {run_id} of {before.name!r} was changed meanwhile")
        self._woken.set()
        return after

    async def run(self) -> None:
        """Take on what is to be tried again and what others left behind, until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.turn()
                self._outage.works("runs of jobs are read again")
            except ControlPlaneError as error:
                self._outage.fails("runs of jobs cannot be read", reason=str(error))
            await sleep_unless(self._clock, self._woken, _LOOK_SECONDS)

    async def turn(self) -> None:
        """Do so once. Raises Unavailable."""
        for name, due_at in tuple(self._unclaimed.items()):
            del self._unclaimed[name]
            await self.due(name, due_at)
        now = self._clock.now()
        for before in await self._runs.unfinished(self._work, now):
            # One that takes long holds up no other.
            self._watch(asyncio.create_task(self._take_on(before, now)))

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await asyncio.wait(tuple(self._under_way))

    async def drain(self) -> None:
        """End what is under way; another process takes it on when its lease has run out."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _claim(self, name: str, due_at: Timestamp) -> None:
        now = self._clock.now()
        new = JobRun(
            id=0,
            name=name,
            due_at=due_at,
            state=RunState.RUNNING,
            attempt=1,
            owner=self._owner,
            lease_until=now + _LEASE,
            retry_at=0,
            started_at=now,
            ended_at=None,
            failure="",
            correlation_id=new_correlation_id(),
        )
        try:
            run = await self._runs.claim(new)
        except Unavailable as error:
            log.warning("job waits for the database", job=name, reason=str(error))
            self._unclaimed[name] = due_at
            return
        if run is not None:
            await self._make(run)

    def _watch(self, task: asyncio.Task[Any]) -> None:
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _take_on(self, before: JobRun, now: Timestamp) -> None:
        after = replace(
            before,
            state=RunState.RUNNING,
            attempt=before.attempt + 1,
            owner=self._owner,
            lease_until=now + _LEASE,
            started_at=now,
            correlation_id=new_correlation_id(),
        )
        if before.state is RunState.RUNNING and before.attempt >= _ATTEMPTS:
            # Whoever runs it dies of it, as it seems.
            words = "the process ended while it ran"
            await self._end(before, replace(before, state=RunState.DEAD, failure=words))
        elif await self._runs.change(before, after):
            await self._make(after)

    async def _make(self, run: JobRun) -> None:
        """Do the work and write down how it went."""
        with correlated(run.correlation_id):
            work = asyncio.ensure_future(self._work[run.name]())
            holding = asyncio.create_task(self._hold(run, work))
            try:
                await asyncio.wait([work], timeout=_LONGEST / 1000)
                lost = holding.done()
            finally:
                holding.cancel()
                work.cancel()
            if not lost:
                await self._ended(run, _failure_of(run, work))

    async def _hold(self, run: JobRun, work: asyncio.Future[object]) -> None:
        """Renew the lease while the work goes on; end the work when somebody else has the run."""
        while True:
            await self._clock.sleep(_RENEW_SECONDS)
            held = replace(run, lease_until=self._clock.now() + _LEASE)
            try:
                if not await self._runs.change(run, held):
                    log.warning("job lost to another replica", job=run.name)
                    work.cancel()
                    return
            except ControlPlaneError as error:
                log.warning("lease of a job not renewed", job=run.name, reason=str(error))

    async def _ended(self, run: JobRun, failure: str) -> None:
        now, name = self._clock.now(), run.name
        result = JobResult.FAILURE if failure else JobResult.SUCCESS
        self._metrics.runs.labels(name, result.value).inc()
        ended = replace(run, ended_at=now, failure=failure)
        if not failure:
            self._metrics.last_success.labels(name).set(now / 1000)
            ended = replace(ended, state=RunState.SUCCESS)
        elif run.attempt < _ATTEMPTS:
            wait = backoff(
                run.attempt, first=_FIRST_WAIT, longest=_LONGEST_WAIT, chance=self._chance
            )
            ended = replace(ended, state=RunState.WAITING, retry_at=now + wait)
        else:
            ended = replace(ended, state=RunState.DEAD)
        await self._end(run, ended)

    async def _end(self, run: JobRun, ended: JobRun) -> None:
        if ended.state is RunState.DEAD:
            self._metrics.dead.labels(run.name).inc()
            log.error("job given up", job=run.name, attempts=run.attempt, failure=ended.failure)
        try:
            await self._runs.change(run, ended)
        except ControlPlaneError as error:
            # The lease runs out, and the run is made once more.
            log.warning("end of a job not written down", job=run.name, reason=str(error))


def _failure_of(run: JobRun, work: asyncio.Future[object]) -> str:
    """Return why an attempt failed, nothing when it did not.

    What is none of our errors is told by the log alone.
    """
    if not work.done() or work.cancelled():
        log.error("job took too long", job=run.name, attempt=run.attempt)
        return f"not over within {format_duration(_LONGEST)}"
    error = work.exception()
    if error is None:
        return ""
    log.error("job failed", job=run.name, attempt=run.attempt, exc_info=error)
    return str(error) if isinstance(error, ControlPlaneError) else type(error).__name__
