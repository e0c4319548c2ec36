"""Coarse jobs: each run counted, one that fails is run again at its next time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from controlplane.app.scheduling import Jobs, calendar
from controlplane.errors import Unavailable
from controlplane.model.cron import parse_cron
from controlplane.model.job import JobResult, JobStatus
from tests.support.clock import ManualClock


async def test_runs_are_counted_by_their_result() -> None:
    """A job that fails at first is run again, and both results are counted."""
    registry, runs, well = CollectorRegistry(), 0, asyncio.Event()
    jobs = Jobs(ManualClock(), registry)

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("the first time")
        well.set()

    jobs.every(20, "trim", work)
    jobs.start()
    async with asyncio.timeout(10):
        await well.wait()
        while _runs(registry, "success") == 0:
            await asyncio.wait([asyncio.create_task(well.wait())], timeout=0.01)
            await asyncio.to_thread(lambda: None)
    jobs.stop()
    assert _runs(registry, "failure") == 1


def _runs(registry: CollectorRegistry, result: str) -> float:
    labels = {"job": "trim", "result": result}
    return registry.get_sample_value("controlplane_job_runs_total", labels) or 0


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


async def test_a_job_that_was_dropped_runs_no_more() -> None:
    """Another one may take its name."""
    jobs, ran = Jobs(ManualClock(), CollectorRegistry()), asyncio.Event()

    async def never() -> None:
        raise AssertionError("it was dropped")

    async def work() -> None:
        ran.set()

    jobs.at(20, "drill", never)
    jobs.drop("drill")
    jobs.at(20, "drill", work)
    jobs.start()
    async with asyncio.timeout(10):
        await ran.wait()
    jobs.stop()


async def test_what_came_of_a_run_can_be_read() -> None:
    """When it was due, began and ended, why it failed, and when the next one is."""
    clock = ManualClock()
    jobs, tries = Jobs(clock, CollectorRegistry()), 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Unavailable("the database is away")

    jobs.at(20, "trim", work)
    (before,) = jobs.statuses()
    assert (before.schedule, before.runs, before.next_at) == ("20ms", 0, None)
    jobs.start()
    failed = await _status(jobs, lambda status: status.runs == 1)
    assert failed.result is JobResult.FAILURE
    assert failed.failure == "the database is away"
    assert failed.failures == 1
    assert failed.started_at == failed.ended_at == clock.now()
    well = await _status(jobs, lambda status: status.result is JobResult.SUCCESS)
    jobs.stop()
    assert well.failure == ""
    assert well.correlation_id not in ("", failed.correlation_id)
    assert well.due_at is not None
    assert well.next_at is not None
    assert well.next_at > well.due_at


async def test_a_run_under_way_is_told_and_those_left_out_for_it_are_counted() -> None:
    """The next times of a job that lasts are missed, in its status and as a metric."""
    registry, going_on = CollectorRegistry(), asyncio.Event()
    jobs = Jobs(ManualClock(), registry)

    async def work() -> None:
        await going_on.wait()

    jobs.at(20, "trim", work)
    jobs.start()
    lasting = await _status(jobs, lambda status: status.missed >= 2)
    assert lasting.running
    assert lasting.result is None
    assert _runs(registry, "missed") >= 2
    going_on.set()
    over = await _status(jobs, lambda status: status.runs > 0)
    jobs.stop()
    assert over.result is JobResult.SUCCESS


async def test_schedules_are_told_as_they_were_written() -> None:
    """A calendar with its zone, an interval as a duration; what fails strangely by its class."""
    jobs = Jobs(ManualClock(), CollectorRegistry())

    async def work() -> None:
        raise ValueError("secret")

    jobs.every(3_600_000, "retention", work)
    jobs.at(parse_cron("30  9 * * mon", "Europe/Berlin"), "drill", work)
    jobs.at(20, "odd", work)
    jobs.start()
    odd = await _status(jobs, lambda status: status.runs > 0, "odd")
    jobs.stop()
    schedules = {status.name: status.schedule for status in jobs.statuses()}
    assert schedules == {
        "drill": "30 9 * * mon Europe/Berlin",
        "odd": "20ms",
        "retention": "1h",
    }
    assert odd.failure == "ValueError"


async def _status(jobs: Jobs, wanted: Callable[[JobStatus], bool], name: str = "trim") -> JobStatus:
    """Return the status of a job as soon as it is as wanted."""
    async with asyncio.timeout(10):
        while True:
            status = next(each for each in jobs.statuses() if each.name == name)
            if wanted(status):
                return status
            await asyncio.to_thread(lambda: None)
