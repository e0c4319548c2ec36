"""Blocks of a store over time: cut, compacted, dropped, deleted from, damaged."""

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.histogram import Buckets, FloatHistogram
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.tsdb.blocks import keeper as keeper_module
from controlplane.tsdb.blocks.meta import CHUNKS, META, BlockMeta
from controlplane.tsdb.blocks.planning import levels, plan
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 472_222 * HOUR
EVER = 2**46
ALL = [Matcher("__name__", MatchOp.REGEX, ".+")]
ONE = [Matcher("n", MatchOp.EQUAL, "1")]


class House:
    """A store whose blocks are worked on when the test says so."""

    def __init__(self, directory: Path, **options: int) -> None:
        self.directory = directory
        self.clock = ManualClock(START)
        self.options = StoreOptions(
            **{"retention": 0, "maintenance_interval": 10**9, "commit_interval": 0, **options}
        )
        self.open()

    def open(self) -> None:
        self.registry = CollectorRegistry()
        self.store = Store.open(self.directory, self.options, self.clock, self.registry)

    def restart(self) -> None:
        self.store.stop()
        self.open()

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(f"controlplane_tsdb_{name}", labels)
        assert value is not None
        return value

    def fill(self, until: int, since: int = START, series: int = 3, step: int = MINUTE) -> None:
        """Write a sample a minute of each series, its value the minute's number."""
        labels = [Labels({"__name__": "m", "n": str(n)}) for n in range(series)]
        for time in range(since, until, 10 * step):
            refs = self.store.refs(labels)
            times = np.tile(np.arange(time, min(time + 10 * step, until), step), series)
            each = np.repeat(refs, len(times) // series)
            self.store.append([Write("t", times, each, times / step)])
        assert self.store.flush()
        self.clock.set(max(self.clock.now(), until))

    def seen(self, matchers: list[Matcher] = ALL, start: int = -EVER) -> dict[str, list[int]]:
        """Return the minutes since the start at which each series has its sample."""
        querier = self.store.querier().reaching(start)
        refs = querier.select(matchers)
        window = querier.window(refs, start, EVER)
        assert (window.values == window.times / MINUTE).all()
        minutes = ((window.times - START) // MINUTE).tolist()
        return {
            labels["n"]: minutes[low:high]
            for labels, low, high in zip(
                querier.labels(refs), window.offsets[:-1], window.offsets[1:], strict=True
            )
        }

    @property
    def blocks(self) -> list[Path]:
        return sorted(self.directory.glob("blocks/*"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.store.stop()


def minutes(hours: int, since: int = 0) -> list[int]:
    return list(range(since, hours * 60))


def test_what_is_old_goes_into_blocks_and_the_log_shrinks(house: House) -> None:
    """The head keeps its window; the rest is in aligned blocks, and the log forgets it."""
    house.fill(START + 9 * HOUR)
    house.store.maintain()
    assert house.metric("blocks") >= 1
    assert house.metric("wal_segments") <= 2
    assert house.seen() == dict.fromkeys("012", minutes(9))
    head = house.store.querier()
    assert head.reaching(house.clock.now() - HOUR) is head
    assert head.reaching(START) is not head
    house.fill(START + 13 * HOUR, START + 9 * HOUR)
    house.store.maintain()
    house.restart()
    assert house.metric("wal_replayed_samples_total") <= 3 * 9 * 60
    assert house.seen() == dict.fromkeys("012", minutes(13))


def test_series_that_ended_are_found_in_blocks(house: House) -> None:
    """A series that memory has given up is selected, named and read where blocks are asked."""
    house.fill(START + 2 * HOUR, series=2)
    house.clock.set(START + 8 * HOUR)
    house.fill(START + 9 * HOUR, START + 8 * HOUR, series=1)
    house.store.maintain()
    head, whole = house.store.querier(), house.store.querier().reaching(START - 1)
    assert len(head.select(ONE)) == 0
    refs = whole.select(ALL)
    assert sorted(labels["n"] for labels in whole.labels(refs)) == ["0", "1"]
    assert sorted(whole.label_values("n")) == ["0", "1"]
    assert sorted(whole.label_names()) == ["__name__", "n"]
    at = np.array([START + 30 * MINUTE], dtype=np.int64)
    assert whole.instants(refs, at, 5 * MINUTE).present.all()
    assert whole.counters(refs[::-1], at, HOUR).count.tolist() == [[31], [31]]
    assert whole.generation != head.generation
    assert whole.generation == house.store.querier().reaching(START - 1).generation


def test_small_blocks_become_large_ones(house: House) -> None:
    """Three neighbours become one, up to a tenth of the retention; nothing is lost."""
    for hour in range(0, 30, 2):
        house.fill(START + (hour + 2) * HOUR, START + hour * HOUR)
        house.store.maintain()
    assert house.metric("compactions_total") > 2
    assert house.metric("blocks") < 8
    assert house.metric("blocks") == len(house.blocks)
    assert house.seen() == dict.fromkeys("012", minutes(30))
    house.restart()
    assert house.seen() == dict.fromkeys("012", minutes(30))


def test_the_retention_drops_what_is_old(tmp_path: Path) -> None:
    """Blocks wholly older than the retention go; so do the oldest when all are too large."""
    house = House(tmp_path, retention=20 * HOUR)
    for hour in range(0, 40, 2):
        house.fill(START + (hour + 2) * HOUR, START + hour * HOUR)
        house.store.maintain()
    oldest = house.seen()["0"][0]
    assert 16 * 60 <= oldest <= 20 * 60
    assert house.metric("blocks_dropped_total") >= 9
    size = house.metric("block_bytes")
    house.options = StoreOptions(
        retention=0, retention_size=int(size / 2) + 100_000, maintenance_interval=10**9
    )
    house.restart()
    house.store.maintain()
    assert house.metric("block_bytes") <= size
    house.options = StoreOptions(retention=0, retention_size=1, maintenance_interval=10**9)
    house.restart()
    house.store.maintain()
    assert house.metric("blocks") == 0
    assert house.blocks == []
    house.store.stop()


def test_late_samples_are_seen_at_once_and_kept(house: House) -> None:
    """What is too old for the head is read, logged, put into blocks, and joined with them."""
    house.fill(START + 9 * HOUR, series=1)
    house.store.maintain()
    cut = house.metric("blocks")
    for hour in (1, 3):  # an hour at a time, of two series nobody knew
        house.fill(START + hour * HOUR, START + (hour - 1) * HOUR, series=3)
    want = {"0": minutes(9), "1": minutes(1) + minutes(3, 120), "2": minutes(1) + minutes(3, 120)}
    assert house.seen() == want
    house.store.maintain()
    assert house.metric("late_samples") == 240
    house.restart()
    assert house.seen() == want
    house.clock.set(house.clock.now() + HOUR)
    house.store.maintain()
    house.clock.set(house.clock.now() + HOUR)
    house.store.maintain()
    assert house.metric("late_samples") == 0
    assert house.metric("blocks") <= cut + 1
    assert house.seen() == want
    house.restart()
    assert house.seen() == want
    assert house.metric("late_samples") == 0


def test_late_samples_after_a_long_pause_survive_a_restart(house: House) -> None:
    """The log's numbers go on where they were, also when nothing of it was left."""
    house.fill(START + 9 * HOUR, series=1)
    for _ in range(3):
        house.clock.set(house.clock.now() + 10 * HOUR)
        house.store.maintain()
        house.restart()
        house.store.maintain()
    house.fill(START + HOUR, series=2)
    want = {"0": minutes(9), "1": minutes(1)}
    assert house.seen() == want
    house.restart()
    assert house.seen() == want


def test_a_deletion_holds_for_memory_blocks_and_restarts(house: House) -> None:
    """Deleted samples are gone at once, wherever they were; others, and later ones, stay."""
    house.fill(START + 9 * HOUR)
    house.store.maintain()
    before = house.store.querier().generation
    house.store.delete(ONE, START + HOUR, START + 8 * HOUR + 30 * MINUTE)
    left = minutes(1) + minutes(9, 8 * 60 + 31)
    assert house.store.querier().generation != before
    assert house.seen() == {"0": minutes(9), "1": left, "2": minutes(9)}
    house.fill(START + 10 * HOUR, START + 9 * HOUR)
    house.restart()
    assert house.seen()["1"] == left + minutes(10, 9 * 60)
    assert house.seen(ONE, START + 8 * HOUR) == {"1": minutes(10, 8 * 60 + 31)}
    house.store.clean_tombstones()
    assert not list(house.directory.glob("blocks/*/tombstones.json"))
    house.fill(START + 14 * HOUR, START + 10 * HOUR)
    house.store.maintain()
    house.restart()
    assert house.seen() == {
        "0": minutes(14),
        "1": left + minutes(14, 9 * 60),
        "2": minutes(14),
    }


def test_everything_may_be_deleted_and_written_anew(house: House) -> None:
    """A series without any sample left takes samples again, also the same ones."""
    house.fill(START + HOUR)
    house.store.delete(ALL, -EVER, EVER)
    assert house.seen() in ({}, {key: [] for key in "012"})
    house.fill(START + HOUR)
    assert house.seen() == dict.fromkeys("012", minutes(1))
    with pytest.raises(InvalidInput):
        house.store.delete([], 0, 1)
    house.store.delete(ONE, 5, 4)
    assert house.seen() == dict.fromkeys("012", minutes(1))


def test_late_samples_are_deleted_too(house: House) -> None:
    """A deletion reaches samples that wait for a block, also after a restart."""
    house.fill(START + 9 * HOUR, series=1)
    house.store.maintain()
    house.fill(START + HOUR, series=2)
    house.store.delete(ONE, START, START + 29 * MINUTE)
    assert house.seen()["1"] == minutes(1, 30)
    house.restart()
    assert house.seen() == {"0": minutes(9), "1": minutes(1, 30)}


def test_a_full_disk_costs_nothing_but_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that cannot be written is counted and written later; the head goes on."""
    house.fill(START + 9 * HOUR)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(keeper_module, "write_block", full)
        house.store.maintain()
        house.store.maintain()
    assert house.metric("block_failures_total", operation="cut") == 2
    assert house.blocks == []
    house.fill(START + 10 * HOUR, START + 9 * HOUR)
    assert house.seen() == dict.fromkeys("012", minutes(10))
    house.store.maintain()
    assert house.metric("blocks") >= 1
    assert house.seen() == dict.fromkeys("012", minutes(10))
    with monkeypatch.context() as patched:
        patched.setattr(keeper_module, "write_block", full)
        house.store.delete(ONE, START, START + HOUR)
        with pytest.raises(Unavailable):
            house.store.clean_tombstones()
    assert house.seen()["1"] == minutes(10, 61)


@pytest.mark.parametrize("file", [META, CHUNKS])
def test_a_damaged_block_is_set_aside(house: House, file: str) -> None:
    """The other blocks and the head go on; the damage is counted, the files are kept."""
    house.fill(START + 9 * HOUR, step=MINUTE)
    house.store.maintain()
    house.store.stop()
    victim = house.blocks[0]
    data = bytearray((victim / file).read_bytes())
    data[len(data) // 3] ^= 1
    (victim / file).write_bytes(data)
    house.open()
    seen = house.seen()
    assert house.seen() == seen
    assert 0 < len(seen["0"]) < 9 * 60
    assert house.metric("blocks_corrupt_total") == 1
    assert victim.with_name(victim.name + ".corrupt").exists()
    house.fill(START + 15 * HOUR, START + 9 * HOUR)
    house.store.maintain()
    house.restart()
    assert house.metric("blocks_corrupt_total") == 0
    assert house.seen()["0"][-1] == 15 * 60 - 1


def test_histograms_go_through_blocks(house: House) -> None:
    """Native histograms are read from blocks, from compacted ones too, as from memory."""
    labels = [Labels({"__name__": "h"})]
    for hour in range(0, 30, 2):
        for minute in (0, 60):
            time = START + hour * HOUR + minute * MINUTE
            count = float(hour * 60 + minute + 1)
            one = FloatHistogram(
                schema=0,
                count=count,
                sum=2 * count,
                positive=Buckets(np.array([1], dtype=np.int64), np.array([count])),
            )
            refs = house.store.refs(labels)
            house.store.append([Write("t", time, refs, np.zeros(1), histograms=[one])])
        assert house.store.flush()
        house.clock.set(START + (hour + 2) * HOUR)
        house.store.maintain()
    for _ in range(2):
        whole = house.store.querier().reaching(START - 1)
        refs = whole.select(ALL)
        window = whole.window(refs, START - 1, EVER)
        lookup = whole.histograms(refs)
        assert lookup is not None
        found, lost = lookup.resolve(window.values)
        assert not lost.any()
        assert [one.count for one in found] == [60.0 * n + 1 for n in range(30)]
        house.restart()


def meta(begin: int, end: int, level: int = 1) -> BlockMeta:
    return BlockMeta(f"{begin}-{end}-{level}", begin, end, 1, 1, 1, level)


@pytest.mark.parametrize(
    ("spans", "chosen"),
    [
        ([], []),
        ([(0, 2)], []),
        ([(0, 2), (2, 4), (4, 6)], []),
        ([(0, 2), (2, 4), (4, 6), (6, 8)], [(0, 2), (2, 4), (4, 6)]),
        ([(0, 2), (4, 6), (6, 8)], [(0, 2), (4, 6)]),
        ([(2, 4), (6, 8), (8, 10)], []),
        ([(0, 2), (2, 4), (6, 8), (8, 10)], [(0, 2), (2, 4)]),
        ([(0, 6), (6, 12), (12, 18), (18, 20)], [(0, 6), (6, 12), (12, 18)]),
        ([(0, 6), (2, 4), (6, 8)], [(0, 6), (2, 4)]),
        ([(0, 2), (2, 4), (2, 4), (3, 5), (6, 8)], [(2, 4), (2, 4), (3, 5)]),
        ([(0, 18), (18, 36), (36, 54), (54, 56)], []),
    ],
)
def test_which_blocks_are_made_one(
    spans: list[tuple[int, int]], chosen: list[tuple[int, int]]
) -> None:
    """Overlapping ones first, then full ranges, never the newest, never beyond the longest."""
    found = plan([meta(begin, end) for begin, end in spans], [2, 6, 18])
    assert [(each.min_time, each.max_time) for each in found] == chosen


def test_blocks_are_no_longer_than_a_tenth_of_the_retention() -> None:
    """Levels are three times one another; the first is always there."""
    assert levels(2 * HOUR, 0) == [2 * HOUR, 6 * HOUR, 18 * HOUR, 54 * HOUR, 162 * HOUR, 486 * HOUR]
    assert levels(2 * HOUR, 15 * 24 * HOUR) == [2 * HOUR, 6 * HOUR, 18 * HOUR]
    assert levels(2 * HOUR, HOUR) == [2 * HOUR]
