"""Two replicas count, one after the other: every second once, and none erased."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.clock import Timestamp
from controlplane.model.duration import HOUR, MINUTE
from controlplane.model.share import Role
from controlplane.uptime.cells import (
    DOWN,
    LATENCY_MAX,
    MAINTENANCE,
    UP,
    Level,
    empty_row,
    merged,
    pack,
    unpack,
)
from controlplane.uptime.gathering import group_key
from controlplane.uptime.reading import Bar, Uptime
from controlplane.uptime.recorder import Recorder
from tests.support.clock import ManualClock
from tests.support.share import SettableShare
from tests.unit.uptime.world import NOON, Rollups, recorder_of

FOLD = "uptime/fold"


class Pair:
    """Two recorders on one database and one clock; the first has everything."""

    def __init__(self, *keys: str) -> None:
        self.rollups = Rollups()
        self.clock = ManualClock(NOON)
        self.shares = [SettableShare(keys, role=Role.PROBER), SettableShare(role=Role.PROBER)]
        self.recorders = [self.recorder(share) for share in self.shares]

    def recorder(self, share: SettableShare) -> Recorder:
        return recorder_of(self.rollups, self.clock, share=share)

    async def probe(self, who: int, seconds: int, *, well: bool = True, target: str = "t") -> None:
        """Have one probe every second; both close the minutes that end."""
        for _ in range(seconds):
            now = self.clock.now()
            self.recorders[who].observe(target, now, well, 0.5, now + 2_000)
            self.clock.set(now + 1_000)
            if self.clock.now() % MINUTE == 0:
                for recorder in self.recorders:
                    await recorder.turn()

    async def pass_on(self, who: int, *keys: str) -> int:
        """Have one let go of keys and the other take them; return the other."""
        self.shares[who].take(*keys)
        await self.recorders[who].quiet()
        self.shares[1 - who].give(*keys)
        return 1 - who

    async def minutes(self, count: int, subject: str = "t", start: Timestamp = NOON) -> list[Bar]:
        end = start + count * MINUTE
        reader = Uptime(self.rollups)
        return list(await reader.history(subject, Level.MINUTE, start, end, end))


async def test_a_minute_that_two_have_counted_is_whole() -> None:
    """What the first saw of it is written as it lets go, and read by the next."""
    pair = Pair("t")
    await pair.probe(0, 80)
    await pair.pass_on(0, "t")
    assert not pair.recorders[0].counts("t")
    await pair.probe(1, 40, well=False)
    bars = await pair.minutes(2)
    assert [(bar.up, bar.down) for bar in bars] == [(60, 0), (20, 40)]


@given(st.lists(st.integers(1, 150), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_every_second_counts_once(spells: list[int]) -> None:
    """However often a target passes from one to the other, within a minute or an hour."""

    async def life() -> None:
        pair, who = Pair("t"), 0
        for spell in spells:
            await pair.probe(who, spell)
            who = await pair.pass_on(who, "t")
        rest = -sum(spells) % 60 + 60
        await pair.probe(who, rest)
        bars = await pair.minutes((sum(spells) + rest) // 60)
        assert [bar.up for bar in bars] == [60] * len(bars)

    asyncio.run(life())


async def test_while_the_database_is_away_nothing_is_lost() -> None:
    """Neither what the first could not write, nor what the next saw meanwhile."""
    pair = Pair("t")
    await pair.probe(0, 60)
    pair.rollups.away = True
    await pair.probe(0, 90)
    await pair.pass_on(0, "t")
    await pair.probe(1, 90, well=False)
    pair.rollups.away = False
    await pair.probe(1, 60, well=False)
    bars = await pair.minutes(5)
    assert [(bar.up, bar.down) for bar in bars] == [(60, 0), (60, 0), (30, 30), (0, 60), (0, 60)]


async def test_one_that_comes_to_itself_late_erases_nothing() -> None:
    """It writes what it saw before it was paused, beside what the other saw since.

    Of the minute in which both saw something the longer account counts: its
    last result held for a second more.
    """
    pair = Pair("t")
    await pair.probe(0, 60)
    await pair.probe(0, 30)
    pair.shares[0].take("t")
    pair.shares[1].give("t")
    paused, pair.recorders[0] = pair.recorders[0], pair.recorder(SettableShare())
    await pair.probe(1, 90)
    paused.forget("t")
    await paused.turn()
    assert [bar.up for bar in await pair.minutes(3)] == [60, 31, 60]


async def test_a_result_that_comes_after_all_is_passed_over() -> None:
    """It belongs to nobody: the new owner counts from its own first result."""
    pair = Pair()
    pair.recorders[0].observe("t", NOON, True, 0.1, NOON + 60_000)
    assert not pair.recorders[0].counts("t")


async def test_what_is_paused_and_goes_on_is_counted_once() -> None:
    """What this replica saw of the hour itself is not read again."""
    pair = Pair("t")
    await pair.probe(0, 90)
    pair.recorders[0].forget("t")
    await pair.recorders[0].turn()
    await pair.probe(0, 90)
    assert [bar.up for bar in await pair.minutes(3)] == [60, 60, 60]


async def test_maintenance_is_written_by_the_owner() -> None:
    """Whole minutes of it, whatever another saw in them."""
    pair = Pair()
    pair.shares[1].give("t")
    for place, share in enumerate(pair.shares):
        pair.recorders[place] = recorder_of(
            pair.rollups, pair.clock, lambda _at: frozenset(("t", "other")), share
        )
    pair.clock.set(NOON + MINUTE)
    for recorder in pair.recorders:
        await recorder.turn()
    assert set(pair.rollups.kept[Level.MINUTE, NOON]) == {"t"}
    assert [bar.maintenance for bar in await pair.minutes(1)] == [60]


async def test_a_group_is_the_average_over_all_replicas() -> None:
    """By the one who owns it, of what all have written; nothing is known of a silent member."""
    pair = Pair("t", group_key("g"), group_key("empty"))
    pair.shares[1].give("u")
    for recorder in pair.recorders:
        recorder.group({"g": ["t", "u", "v", "w"], "empty": ["x"]})
    for _ in range(240):
        now = pair.clock.now()
        pair.recorders[1].observe("u", now, False, 0.0, now + 2_000)
        await pair.probe(0, 1)
    bars = await pair.minutes(4, "g")
    assert [(bar.up, bar.down, bar.unknown) for bar in bars[:2]] == [(15, 15, 30)] * 2
    assert bars[3].unknown == 60
    assert await pair.minutes(1, "empty") != bars
    assert "empty" not in pair.rollups.kept[Level.MINUTE, NOON]


async def test_a_group_goes_on_over_the_end_of_an_hour() -> None:
    """The last minutes of an hour are averaged after it."""
    pair = Pair("t", group_key("g"), FOLD)
    pair.clock.set(NOON + HOUR - 2 * MINUTE)
    pair.recorders[0] = pair.recorder(pair.shares[0])
    pair.recorders[0].group({"g": ["t"]})
    await pair.probe(0, 8 * 60)
    bars = await pair.minutes(6, "g", NOON + HOUR - 2 * MINUTE)
    assert [bar.up for bar in bars] == [60] * 6
    hour = unpack(pair.rollups.kept[Level.HOUR, Level.HOUR.row_of(NOON)]["g"], Level.HOUR)
    assert hour[Level.HOUR.place_of(NOON), UP] == 120


async def test_only_one_adds_up() -> None:
    """Who has that key; and what comes late is added up once more."""
    pair = Pair("t", FOLD)
    await pair.probe(0, 66 * 60)
    day = Level.HOUR.row_of(NOON)
    place = Level.HOUR.place_of(NOON)

    def known() -> float:
        row = unpack(pair.rollups.kept[Level.HOUR, day]["t"], Level.HOUR)
        return float(row[place, UP] + row[place, DOWN])

    assert known() == 3_600
    late = empty_row(Level.MINUTE)
    late[:30, DOWN] = 60
    await pair.rollups.merge(Level.MINUTE, NOON, [("u", pack(late))])
    assert pair.rollups.until[Level.MINUTE] == NOON
    await pair.pass_on(0, FOLD)
    await pair.probe(0, 60)
    assert pair.rollups.until[Level.MINUTE] == NOON + HOUR
    row = unpack(pair.rollups.kept[Level.HOUR, day]["u"], Level.HOUR)
    assert row[place, DOWN] == 1_800
    assert known() == 3_600


def test_the_account_that_knows_more_counts() -> None:
    """Cell by cell, in whichever order; maintenance is knowledge too."""
    one, two = empty_row(Level.MINUTE), empty_row(Level.MINUTE)
    one[0] = (30, 0, 0, 15, 0.9)
    two[0] = (10, 10, 0, 5, 0.5)
    two[1, MAINTENANCE] = 60
    both = empty_row(Level.MINUTE)
    both[0], both[1, MAINTENANCE] = one[0], 60
    for kept, new in ((one, two), (two, one), (both, one), (one, both)):
        assert unpack(merged(pack(kept), pack(new), Level.MINUTE), Level.MINUTE).tolist() == (
            both.tolist()
        )
    same = one.copy()
    same[0, LATENCY_MAX] = 0.1
    assert merged(pack(one), pack(same), Level.MINUTE) == pack(same)
    assert merged(b"broken", pack(one), Level.MINUTE) == pack(one)


@pytest.mark.parametrize("broken", [b"", b"nonsense"])
async def test_a_row_that_cannot_be_read_costs_itself(broken: bytes) -> None:
    """The new owner's minutes are written in its place."""
    pair = Pair("t", group_key("g"))
    pair.recorders[0].group({"g": ["t", "u"]})
    pair.rollups.kept[Level.MINUTE, NOON] = {"t": broken, "u": broken}
    await pair.probe(0, 180)
    assert [bar.up for bar in await pair.minutes(2)] == [60, 60]
    assert [bar.up for bar in await pair.minutes(2, "g")] == [30, 30]
