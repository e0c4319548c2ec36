"""Coarse jobs: due by interval or calendar, each run kept, missed ones made up for once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.job_runner import JobMetrics, JobRunner
from controlplane.app.scheduling import Jobs, calendar
from controlplane.errors import Unavailable
from controlplane.model.cron import parse_cron
from controlplane.model.duration import DAY, HOUR
from controlplane.model.job import JobResult, JobStatus
from controlplane.storage.database import Database
from controlplane.storage.jobs import SqlJobRuns
from tests.support.clock import ManualClock
from tests.support.sqlite import migrated


class Replica:
    """The jobs of one replica over a database."""

    def __init__(self, database: Database, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.registry = CollectorRegistry()
        metrics = JobMetrics(self.registry)
        runs = SqlJobRuns(database)
        self.runner = JobRunner(runs, self.clock, metrics, owner="r0")
        self.jobs = Jobs(self.runner, self.clock, metrics)

    def counted(self, result: str) -> float:
        """Return how many runs of `trim` had this result."""
        labels = {"job": "trim", "result": result}
        return self.registry.get_sample_value("controlplane_job_runs_total", labels) or 0

    async def status(self, wanted: Callable[[JobStatus], bool], name: str = "trim") -> JobStatus:
        """Return the status of a job as soon as it is as wanted."""
        async with asyncio.timeout(20):
            while True:
                found = next(each for each in await self.jobs.statuses() if each.name == name)
                if wanted(found):
                    return found


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database for runs."""
    database = Database(migrated(tmp_path / "controlplane.db"))
    yield database
    await database.close()


@pytest.fixture
def replica(database: Database) -> Replica:
    """Give a replica's jobs."""
    return Replica(database)


def failing_once() -> Callable[[], Awaitable[None]]:
    """Return work that fails the first time."""
    tries = iter(range(1_000_000))

    async def work() -> None:
        if next(tries) == 0:
            raise Unavailable("the database is away")

    return work


def times(line: str, count: int, location: str = "UTC") -> list[str]:
    """Return the next times of a crontab line from Friday, 30 January 2026, 10:00 UTC on."""
    trigger = calendar(parse_cron(line, location))
    now: datetime | None = datetime(2026, 1, 30, 10, tzinfo=UTC)
    found: list[datetime] = []
    while len(found) < count and now is not None:
        previous = found[-1] if found else None
        now = trigger.get_next_fire_time(previous, now)
        if now is not None:
            found.append(now)
            now += timedelta(seconds=1)
    return [each.astimezone(UTC).strftime("%a %d %b %H:%M") for each in found]


def test_a_calendar_is_read_as_cron_reads_it() -> None:
    """Monday is 1, and with day and weekday both named a day of either is meant."""
    assert times("30 9 * * 1", 2) == ["Mon 02 Feb 09:30", "Mon 09 Feb 09:30"]
    assert times("0 0 * * 0", 1) == times("0 0 * * sun", 1) == ["Sun 01 Feb 00:00"]
    assert times("0 0 1,3 * fri", 4) == [
        "Sun 01 Feb 00:00",
        "Tue 03 Feb 00:00",
        "Fri 06 Feb 00:00",
        "Fri 13 Feb 00:00",
    ]
    assert times("*/25 10 31 * *", 3) == [
        "Sat 31 Jan 10:00",
        "Sat 31 Jan 10:25",
        "Sat 31 Jan 10:50",
    ]


def test_a_calendar_is_that_of_its_zone() -> None:
    """Nine in Berlin, in winter and, after the clocks were changed, in summer."""
    found = times("0 9 28-29 mar *", 2, "Europe/Berlin")
    assert found == ["Sat 28 Mar 08:00", "Sun 29 Mar 07:00"]


async def test_a_job_that_was_dropped_runs_no_more(replica: Replica) -> None:
    """Another one may take its name."""
    ran = asyncio.Event()

    async def never() -> None:
        raise AssertionError("it was dropped")

    async def work() -> None:
        ran.set()

    replica.jobs.at(20, "drill", never)
    replica.jobs.drop("drill")
    replica.jobs.at(20, "drill", work)
    replica.jobs.start()
    async with asyncio.timeout(10):
        await ran.wait()
    replica.jobs.stop()


async def test_what_came_of_a_run_can_be_read(replica: Replica) -> None:
    """When it was due, began and ended, by whom, why it failed, and when it is tried again."""
    replica.jobs.at(20, "trim", failing_once())
    [before] = await replica.jobs.statuses()
    assert (before.schedule, before.runs, before.next_at) == ("20ms", 0, None)
    replica.jobs.start()
    failed = await replica.status(lambda status: status.result is JobResult.FAILURE)
    assert (failed.failure, failed.replica) == ("the database is away", "r0")
    assert failed.started_at == failed.ended_at == replica.clock.now()
    assert failed.retry_at is not None
    well = await replica.status(lambda status: status.result is JobResult.SUCCESS)
    replica.jobs.stop()
    assert (well.failure, well.dead, well.failures) == ("", False, 1)
    assert well.correlation_id not in ("", failed.correlation_id)
    assert well.due_at is not None
    assert well.next_at is not None
    assert well.next_at > well.due_at
    assert replica.counted("failure") == 1


async def test_a_run_under_way_is_told_and_those_left_out_for_it_are_counted(
    replica: Replica,
) -> None:
    """The next times of a job that lasts are missed, in its status and as a metric."""
    going_on = asyncio.Event()

    async def work() -> None:
        await going_on.wait()

    replica.jobs.at(250, "trim", work)
    replica.jobs.start()
    lasting = await replica.status(lambda status: status.missed >= 2)
    assert (lasting.running, lasting.result) == (True, None)
    assert replica.counted("missed") >= 2
    going_on.set()
    over = await replica.status(lambda status: status.result is not None)
    replica.jobs.stop()
    assert over.result is JobResult.SUCCESS


async def test_schedules_are_told_as_they_were_written(replica: Replica) -> None:
    """A calendar with its zone, an interval as a duration; what fails strangely by its class."""

    async def work() -> None:
        raise ValueError("secret")

    replica.jobs.every(3_600_000, "retention", work)
    replica.jobs.at(parse_cron("30  9 * * mon", "Europe/Berlin"), "drill", work)
    replica.jobs.at(20, "odd", work)
    replica.jobs.start()
    odd = await replica.status(lambda status: status.result is not None, "odd")
    replica.jobs.stop()
    schedules = {status.name: status.schedule for status in await replica.jobs.statuses()}
    assert schedules == {
        "drill": "30 9 * * mon Europe/Berlin",
        "odd": "20ms",
        "retention": "1h",
    }
    assert odd.failure == "ValueError"


async def test_missed_times_are_made_up_for_by_one_run(database: Database) -> None:
    """Two days away are one run of a daily job; one that was never due is not run at once."""
    clock = ManualClock(1_800_000_000_000)  # Friday, 15 January 2027, 08:00 UTC
    daily, runs = parse_cron("0 7 * * *", "UTC"), 0

    async def work() -> None:
        nonlocal runs
        runs += 1

    before = Replica(database, clock)
    before.jobs.at(daily, "trim", work)
    await before.jobs.catch_up()
    assert runs == 0, "it is new: nobody missed it"
    await before.runner.due("trim", clock.now() - HOUR)
    assert runs == 1
    clock.set(clock.now() + 2 * DAY)
    after = Replica(database, clock)
    after.jobs.at(daily, "trim", work)
    await after.jobs.catch_up()
    assert runs == 2
    [status] = await after.jobs.statuses()
    assert status.due_at == 1_800_000_000_000 - HOUR + 2 * DAY
    again = Replica(database, clock)
    again.jobs.at(daily, "trim", work)
    await again.jobs.catch_up()
    assert runs == 2, "that was made up for"
