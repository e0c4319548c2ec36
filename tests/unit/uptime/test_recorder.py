"""Results of probes become minutes, hours and days."""

import pytest

from controlplane.clock import Timestamp
from controlplane.model.duration import DAY, HOUR, MINUTE
from controlplane.uptime.cells import Level
from controlplane.uptime.reading import Bar, Span, Uptime, total
from tests.support.clock import ManualClock
from tests.unit.uptime.world import NOON, Rollups, probe, recorder_of


async def minutes(rollups: Rollups, start: Timestamp, count: int, subject: str = "t") -> list[Bar]:
    end = start + count * MINUTE
    return list(await Uptime(rollups).history(subject, Level.MINUTE, start, end, end))


def seconds(bar: Bar) -> tuple[float, float, float, float]:
    return bar.up, bar.down, bar.maintenance, bar.unknown


async def test_seconds_up_and_down_are_counted_to_the_change() -> None:
    """A result holds until the next one; the change cuts the minute where it was seen."""
    rollups, clock = Rollups(), ManualClock(NOON)
    recorder = recorder_of(rollups, clock)
    await probe(recorder, clock, 90)
    await probe(recorder, clock, 30, well=False)
    assert [seconds(bar) for bar in await minutes(rollups, NOON, 2)] == [
        (60, 0, 0, 0),
        (30, 30, 0, 0),
    ]


async def test_what_is_overdue_is_unknown() -> None:
    """No result, no uptime: after the last one's time nothing is counted, up or down."""
    rollups, clock = Rollups(), ManualClock(NOON)
    recorder = recorder_of(rollups, clock)
    recorder.observe("t", NOON, True, 0.1, NOON + 25_000)
    assert recorder.well("t", NOON + 25_000) is True
    assert recorder.well("t", NOON + 25_001) is None
    assert recorder.well("other", NOON) is None
    clock.set(NOON + 2 * MINUTE)
    await recorder.turn()
    assert [seconds(bar) for bar in await minutes(rollups, NOON, 2)] == [
        (25, 0, 0, 35),
        (0, 0, 0, 60),
    ]


async def test_a_result_may_hold_for_many_minutes() -> None:
    """A probe an hour apart fills all minutes between, over the end of an hour."""
    rollups, start = Rollups(), NOON - 2 * MINUTE
    clock = ManualClock(start)
    recorder = recorder_of(rollups, clock)
    recorder.observe("t", start, True, 0.1, start + HOUR)
    clock.set(NOON + 2 * MINUTE)
    await recorder.turn()
    assert [bar.up for bar in await minutes(rollups, start, 4)] == [60, 60, 60, 60]


async def test_latency_is_the_mean_of_good_results_and_the_largest() -> None:
    """Failures do not count; a minute without a result goes by the last one."""
    rollups, clock = Rollups(), ManualClock(NOON)
    recorder = recorder_of(rollups, clock)
    for place, (well, latency) in enumerate([(True, 0.2), (False, 9.0), (True, 0.4)]):
        clock.set(NOON + place * 20_000)
        recorder.observe("t", clock.now(), well, latency, NOON + 10 * MINUTE)
    clock.set(NOON + 2 * MINUTE)
    await recorder.turn()
    first, second = await minutes(rollups, NOON, 2)
    assert (first.up, first.down) == (40, 20)
    assert first.latency_avg == pytest.approx(0.3)
    assert first.latency_max == pytest.approx(0.4)
    assert second.latency_avg == pytest.approx(0.4)


async def test_a_killed_process_costs_its_minute_and_nothing_else() -> None:
    """What a new process writes of the hour keeps what the old one had written."""
    rollups, clock = Rollups(), ManualClock(NOON)
    await probe(recorder_of(rollups, clock), clock, 90)
    again = recorder_of(rollups, clock)
    await again.turn()
    await probe(again, clock, 90)
    assert [seconds(bar) for bar in await minutes(rollups, NOON, 3)] == [
        (60, 0, 0, 0),
        (30, 0, 0, 30),
        (60, 0, 0, 0),
    ]


async def test_a_process_that_ends_well_loses_nothing() -> None:
    """The minute under way is written, and the next process adds its part."""
    rollups, clock = Rollups(), ManualClock(NOON)
    first = recorder_of(rollups, clock)
    await first.turn()
    await probe(first, clock, 30)
    await first.drain()
    second = recorder_of(rollups, clock)
    await second.turn()
    await probe(second, clock, 30, well=False)
    assert [seconds(bar) for bar in await minutes(rollups, NOON, 1)] == [(30, 30, 0, 0)]


async def test_maintenance_takes_whole_minutes() -> None:
    """Whatever was seen in it, up or down, is planned maintenance."""
    rollups, clock = Rollups(), ManualClock(NOON)

    def maintained(at: Timestamp) -> frozenset[str]:
        return frozenset({"t", "never-probed"} if at == NOON + MINUTE else ())

    recorder = recorder_of(rollups, clock, maintained)
    await probe(recorder, clock, 60)
    await probe(recorder, clock, 60, well=False)
    await probe(recorder, clock, 60)
    bars = await minutes(rollups, NOON, 3)
    assert [seconds(bar) for bar in bars] == [(60, 0, 0, 0), (0, 0, 60, 0), (60, 0, 0, 0)]
    assert total(bars).ratio == 1.0
    assert (await minutes(rollups, NOON + MINUTE, 1, "never-probed"))[0].maintenance == 60


async def test_a_group_is_its_average_member() -> None:
    """One of two down is half a minute down; a member nobody knows of is unknown time."""
    rollups, clock = Rollups(), ManualClock(NOON)
    recorder = recorder_of(rollups, clock)
    recorder.group({"both": ["a", "b"], "some": ["a", "ghost"], "none": ["ghost"]})
    for target, well in (("a", True), ("b", False)):
        recorder.observe(target, NOON, well, 0.1, NOON + HOUR)
    clock.set(NOON + MINUTE)
    await recorder.turn()
    assert seconds((await minutes(rollups, NOON, 1, "both"))[0]) == (30, 30, 0, 0)
    assert seconds((await minutes(rollups, NOON, 1, "some"))[0]) == (30, 0, 0, 30)
    assert seconds((await minutes(rollups, NOON, 1, "none"))[0]) == (0, 0, 0, 60)


async def test_a_paused_target_is_unknown() -> None:
    """What is forgotten is counted to the moment and no further."""
    rollups, clock = Rollups(), ManualClock(NOON)
    recorder = recorder_of(rollups, clock)
    recorder.observe("t", NOON, True, 0.1, NOON + HOUR)
    clock.set(NOON + 20_000)
    recorder.forget("t")
    recorder.forget("t")
    clock.set(NOON + MINUTE)
    await recorder.turn()
    assert seconds((await minutes(rollups, NOON, 1))[0]) == (20, 0, 0, 40)


async def test_minutes_wait_for_the_database() -> None:
    """Nothing is lost while it is away, and what an earlier process wrote stays."""
    rollups, clock = Rollups(), ManualClock(NOON)
    await probe(recorder_of(rollups, clock), clock, 60)
    rollups.away = True
    recorder = recorder_of(rollups, clock)
    await probe(recorder, clock, 120)
    rollups.away = False
    await probe(recorder, clock, 60)
    assert [bar.up for bar in await minutes(rollups, NOON, 4)] == [60, 60, 60, 60]


async def test_hours_and_days_are_added_up_as_they_end() -> None:
    """Minutes become an hour, hours a day, in rows of their own; twice is as once."""
    rollups, start = Rollups(), NOON + 10 * HOUR
    clock = ManualClock(start)
    recorder = recorder_of(rollups, clock)
    await probe(recorder, clock, 3 * 3_600, every=60)
    day = Level.HOUR.row_of(start)
    assert (Level.HOUR, day) in rollups.kept
    assert (Level.DAY, Level.DAY.row_of(start)) in rollups.kept
    assert rollups.until[Level.MINUTE] == start + 3 * HOUR
    # Minutes are gone, as after two days: hours and days still tell.
    folded = {key: rows for key, rows in rollups.kept.items() if key[0] is not Level.MINUTE}
    before = {key: dict(rows) for key, rows in folded.items()}
    rollups.until.clear()
    again = recorder_of(rollups, clock)
    await again.turn()
    assert {key: rollups.kept[key] for key in before} == before
    rollups.kept = folded
    reader = Uptime(rollups)
    hours = await reader.history("t", Level.HOUR, start, start + 3 * HOUR, clock.now() + 5 * HOUR)
    assert [bar.up for bar in hours] == [3_600, 3_600, 3_600]
    days = await reader.history("t", Level.DAY, day, day + DAY, clock.now() + 5 * DAY)
    assert [bar.up for bar in days] == [7_200]


async def test_bars_know_the_time_that_is_not_added_up_yet() -> None:
    """The hour and the day under way are in every span, to the last minute."""
    rollups, clock = Rollups(), ManualClock(NOON + 50 * MINUTE)
    recorder = recorder_of(rollups, clock)
    await probe(recorder, clock, 1_200, every=60)
    reader = Uptime(rollups)
    for span in Span:
        bars = await reader.bars("t", span, clock.now())
        assert sum(bar.up for bar in bars) == 1_200
        assert len(bars) == span.length // span.step
        assert bars[-1].start <= clock.now() <= bars[-1].end
        assert await reader.percent("t", span, clock.now()) == 100.0
        assert await reader.percent("other", span, clock.now()) is None
    assert bars[-1].unknown == pytest.approx((clock.now() - bars[-1].start) / 1000 - 1_200)


async def test_a_clock_set_back_counts_nothing_twice() -> None:
    """Seconds that were counted are not counted again."""
    rollups, clock = Rollups(), ManualClock(NOON)
    recorder = recorder_of(rollups, clock)
    recorder.observe("t", NOON, True, 0.1, NOON + HOUR)
    recorder.observe("t", NOON + 50_000, True, 0.1, NOON + HOUR)
    recorder.observe("t", NOON + 10_000, True, 0.1, NOON + HOUR)
    clock.set(NOON + MINUTE)
    await recorder.turn()
    assert seconds((await minutes(rollups, NOON, 1))[0]) == (60, 0, 0, 0)


async def test_any_number_of_targets_share_a_minute() -> None:
    """All are in one write, and each has its own row."""
    rollups, clock = Rollups(), ManualClock(NOON)
    ids = [f"t{number}" for number in range(300)]
    recorder = recorder_of(rollups, clock, lambda _at: frozenset({"maintained"}))
    recorder.group({"all": ids, "first": ids[:1]})
    await recorder.turn()
    for place, target in enumerate(ids):
        recorder.observe(target, NOON, True, 0.1, NOON + place * 100)
    clock.set(NOON + MINUTE)
    writes = rollups.writes
    await recorder.turn()
    assert rollups.writes - writes == 1
    for place in (0, 63, 64, 128, 299):
        assert (await minutes(rollups, NOON, 1, f"t{place}"))[0].up == pytest.approx(place / 10)
    assert (await minutes(rollups, NOON, 1, "all"))[0].up == pytest.approx(14.95)
    again = recorder_of(rollups, clock)
    await again.turn()
    # The first was never up for any time, and is in no row.
    assert len(await rollups.block(Level.MINUTE, NOON)) == 301
