"""The runs of jobs, on both databases: claimed once, kept, tried again, given up."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.job_runner import JobMetrics, JobRunner
from controlplane.errors import Conflict, NotFound, Unavailable
from controlplane.model.duration import HOUR, MINUTE
from controlplane.model.job import RunState
from controlplane.storage.database import Database
from controlplane.storage.jobs import SqlJobRuns
from tests.support.clock import ManualClock

NOW = 1_800_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def runner(database: Database, clock: ManualClock, owner: str) -> JobRunner:
    """Return the runner of a replica."""
    metrics = JobMetrics(CollectorRegistry())
    return JobRunner(SqlJobRuns(database), clock, metrics, owner=owner, chance=Random(1))


class Work:
    """A job that fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.runs = 0
        self._failures = failures

    async def __call__(self) -> None:
        self.runs += 1
        if self.runs <= self._failures:
            raise Unavailable("not today")


async def turn(one: JobRunner) -> None:
    """Have a runner look once, and wait for what it took on."""
    await one.turn()
    await one.idle()


async def test_of_several_replicas_one_makes_a_run(database: Database, clock: ManualClock) -> None:
    """A time at which a job is due is one run, however many are there for it."""
    work = Work()
    replicas = [runner(database, clock, f"r{number}") for number in range(3)]
    for each in replicas:
        each.put("trim", work)
    await asyncio.gather(*(each.due("trim", NOW) for each in replicas))
    assert work.runs == 1
    past = (await replicas[0].runs.past())["trim"]
    assert (past.runs, past.failures, past.latest.state) == (1, 0, RunState.SUCCESS)
    assert past.latest.owner in {"r0", "r1", "r2"}


async def test_a_failed_run_is_tried_again_later(database: Database, clock: ManualClock) -> None:
    """By whichever replica looks first, and only when its time has come."""
    work = Work(failures=2)
    one, two = runner(database, clock, "one"), runner(database, clock, "two")
    one.put("trim", work)
    two.put("trim", work)
    await one.due("trim", NOW)
    await turn(two)
    assert work.runs == 1, "it waits"
    for _ in range(2):
        await clock.advance(MINUTE / 1000)
        await turn(two)
        await turn(one)
    assert work.runs == 3
    past = (await one.runs.past())["trim"]
    assert (past.latest.state, past.latest.attempt, past.failures) == (RunState.SUCCESS, 3, 1)


async def test_what_fails_too_often_is_dead_until_somebody_redrives_it(
    database: Database, clock: ManualClock
) -> None:
    """It is listed with its reason; redriven it is tried at once."""
    work = Work(failures=5)
    one = runner(database, clock, "one")
    one.put("trim", work)
    await one.due("trim", NOW)
    for _ in range(6):
        await clock.advance(HOUR / 1000)
        await turn(one)
    assert work.runs == 5
    [dead] = await one.runs.dead(before=None, limit=10)
    assert (dead.name, dead.state, dead.failure) == ("trim", RunState.DEAD, "not today")
    await one.redrive(dead.id)
    await turn(one)
    assert work.runs == 6
    assert await one.runs.dead(before=None, limit=10) == []
    with pytest.raises(Conflict, match="not dead"):
        await one.redrive(dead.id)
    with pytest.raises(NotFound):
        await one.redrive(dead.id + 1)


async def test_a_run_whose_replica_died_is_taken_on(database: Database, clock: ManualClock) -> None:
    """When its lease has run out; the one who comes back after that changes nothing."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await go_on.wait()

    lost, other = runner(database, clock, "lost"), runner(database, clock, "other")
    lost.put("trim", slow)
    work = Work()
    other.put("trim", work)
    late = asyncio.create_task(lost.due("trim", NOW))
    await begun.wait()
    await turn(other)
    assert work.runs == 0, "its lease has not run out"
    await _without_renewals(clock, other, lambda: work.runs == 1)
    go_on.set()
    await late
    past = (await other.runs.past())["trim"]
    assert (past.latest.owner, past.latest.attempt) == ("other", 2)
    assert past.latest.state is RunState.SUCCESS


async def _without_renewals(clock: ManualClock, other: JobRunner, over: Callable[[], bool]) -> None:
    """Let the lease run out in one leap, so that nobody renews it in between."""
    clock.set(NOW + 2 * MINUTE)
    await turn(other)
    assert over()
