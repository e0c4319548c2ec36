"""The log: what goes in comes out, whatever happened to the file."""

import errno
import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN, Refs
from controlplane.tsdb.histograms import HistogramPool
from controlplane.tsdb.index import Index
from controlplane.tsdb.metrics import StoreMetrics
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.sift import Batch
from controlplane.tsdb.wal.log import WriteAheadLog
from controlplane.tsdb.wal.records import (
    FORMER_SERIES,
    SAMPLES,
    SERIES,
    Deletion,
    Frame,
    frame,
    frames,
    read_samples,
    read_series,
    samples_record,
    series_record,
)
from controlplane.tsdb.wal.replay import Loading, Recovery, replay
from controlplane.tsdb.wal.segment import Segment, segments


def batch(refs: list[int], times: list[int], values: list[float]) -> Batch:
    return Batch(
        np.array(refs, dtype=np.int64),
        np.array(times, dtype=np.int64),
        np.array(values, dtype=np.float64),
    )


def ticks(count: int, *, series: int = 3, start: int = 0) -> list[Batch]:
    """Return batches in which each series has its tick's number as value."""
    return [
        batch(list(range(series)), [start + 1000 * n] * series, [float(n)] * series)
        for n in range(count)
    ]


class Journal:
    """A log with what it needs around it, and what a replay of it gives."""

    def __init__(
        self, directory: Path, *, segment_bytes: int = 1 << 20, opener: type[Segment] = Segment
    ) -> None:
        self.directory = directory
        self.registry = CollectorRegistry()
        self.index = Index()
        self.index.refs([Labels({"__name__": "m", "n": str(n)}) for n in range(3)], now=0)
        self.log = WriteAheadLog(
            directory,
            self.index,
            StoreOptions(wal_segment_bytes=segment_bytes),
            StoreMetrics(self.registry),
            open_segment=opener,
        )

    def metric(self, name: str) -> float:
        value = self.registry.get_sample_value(f"controlplane_tsdb_{name}")
        assert value is not None
        return value


def read_back(directory: Path) -> tuple[list[tuple[str, int, float]], Recovery]:
    """Return (series, time, value) of all that a replay gives."""
    index = Index()
    found: list[tuple[str, int, float]] = []
    deleted: list[Deletion] = []

    def resolve(series: list[Labels]) -> Refs:
        return index.refs(series, now=0)[0]

    def load(loaded: Batch) -> None:
        labels = index.view()[0].labels(loaded.refs.tolist())
        found.extend(
            zip(map(str, labels), loaded.times.tolist(), loaded.values.tolist(), strict=True)
        )

    return found, replay(directory, Loading(resolve, load, HistogramPool().restore, deleted.append))


def expected(batches: list[Batch]) -> list[tuple[str, int, float]]:
    return [
        (f'm{{n="{ref}"}}', time, value)
        for each in batches
        for ref, time, value in zip(
            each.refs.tolist(), each.times.tolist(), each.values.tolist(), strict=True
        )
    ]


COLUMNS = st.lists(
    st.tuples(
        st.integers(0, 2**40),
        st.one_of(st.integers(-(2**45), 2**45), st.just(7)),
        st.floats(allow_nan=False) | st.just(float(STALE_NAN)),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(COLUMNS, st.booleans())
def test_samples_survive_their_record_bit_by_bit(
    rows: list[tuple[int, int, float]], contiguous: bool
) -> None:
    """Numbers, times and values come back exactly, whichever form the columns took."""
    rows.sort(key=lambda row: row[0])
    refs = list(range(len(rows))) if contiguous else [row[0] for row in rows]
    before = batch(refs, [row[1] for row in rows], [row[2] for row in rows])
    (record,) = frames(samples_record(before))
    after = read_samples(record.payload)
    assert after.refs.tolist() == before.refs.tolist()
    assert after.times.tolist() == before.times.tolist()
    assert after.values.tobytes() == before.values.tobytes()


def test_label_sets_survive_their_record() -> None:
    """Any text may stand in a label, also quotes, line ends and other scripts."""
    series = [(7, Labels({"__name__": "m", "x": 'a"b\n\\'})), (9, Labels({"ключ.1": "значение"}))]
    (record,) = frames(series_record(series))
    assert read_series(record) == series
    (record,) = frames(series_record([]))
    assert read_series(record) == []


def test_series_of_former_releases_are_read() -> None:
    """Logs outlive an upgrade: label sets one by one, as these wrote them."""
    rows = [[7, "__name__", "m", "x", 'a"b'], [9, "ключ.1", "значение"], [12]]
    (record,) = frames(frame(FORMER_SERIES, zlib.compress(json.dumps(rows).encode())))
    assert read_series(record) == [
        (7, Labels({"__name__": "m", "x": 'a"b'})),
        (9, Labels({"ключ.1": "значение"})),
        (12, Labels()),
    ]


@given(st.binary(max_size=200))
def test_a_record_of_nonsense_is_refused(payload: bytes) -> None:
    """A payload with a right checksum and wrong content is a ValueError, nothing else."""
    nonsense = memoryview(payload + b"x")
    with pytest.raises(ValueError, match=r".*"):
        read_samples(nonsense)
    packed = memoryview(zlib.compress(nonsense))
    for kind in (SERIES, FORMER_SERIES):
        for content in (nonsense, packed):
            with pytest.raises(ValueError, match=r".*"):
                read_series(Frame(kind, content, 0, 0))


def test_what_was_logged_is_read_back(tmp_path: Path) -> None:
    """Series and samples come back in order."""
    journal = Journal(tmp_path)
    batches = ticks(5)
    for each in batches:
        journal.log.append(each)
    journal.log.close()
    found, recovery = read_back(tmp_path)
    assert found == expected(batches)
    assert (recovery.samples, recovery.corruptions, recovery.orphans) == (15, 0, 0)


def test_each_segment_can_be_read_without_the_others(tmp_path: Path) -> None:
    """A segment opens with the series alive, so the ones before it may go."""
    journal = Journal(tmp_path, segment_bytes=300)
    for each in ticks(4):
        journal.log.append(each)
    journal.index.refs([Labels({"__name__": "late"})], now=0)
    for each in ticks(8, start=4000):
        journal.log.append(each)
    journal.log.close()
    files = segments(tmp_path)
    assert len(files) > 3
    for path in files[:-2]:
        path.unlink()
    found, recovery = read_back(tmp_path)
    assert recovery.orphans == recovery.corruptions == 0
    assert found == expected(ticks(8, start=4000))[-len(found) :]
    assert found


def test_old_segments_are_dropped_by_their_newest_sample(tmp_path: Path) -> None:
    """Retention removes whole closed segments, never the current one."""
    journal = Journal(tmp_path, segment_bytes=300)
    for each in ticks(12):
        journal.log.append(each)
    before = len(segments(tmp_path))
    journal.log.expire(6000)
    after = segments(tmp_path)
    journal.log.close()
    found, _ = read_back(tmp_path)
    assert 0 < len(after) < before
    assert {time for _, time, _ in found} >= set(range(6000, 12_000, 1000))
    assert journal.metric("wal_segments") == len(after)


def test_what_a_reader_needs_is_not_dropped(tmp_path: Path) -> None:
    """From the segment that it reads on, all stay, however old."""
    journal = Journal(tmp_path, segment_bytes=200)
    for each in ticks(12):
        journal.log.append(each)
    before = [path.name for path in segments(tmp_path)]
    journal.log.hold(lambda: 2)
    journal.log.expire(100_000)
    held = [path.name for path in segments(tmp_path)]
    journal.log.hold(lambda: None)
    journal.log.expire(100_000)
    journal.log.close()
    assert held == before[2:]
    assert len(segments(tmp_path)) == 1


def test_removed_series_leave_the_next_segment(tmp_path: Path) -> None:
    """The checkpoint of a segment holds those series only that live when it begins."""
    journal = Journal(tmp_path, segment_bytes=200)
    journal.log.append(ticks(1)[0])
    journal.index.remove(np.array([1], dtype=np.int64))
    journal.log.forget_series()
    for number in range(1, 9):
        journal.log.append(batch([0, 2], [number * 1000] * 2, [1.0, 1.0]))
    journal.log.close()
    last = segments(tmp_path)[-1].read_bytes()
    checkpoint = next(iter(frames(last)))
    assert [ref for ref, _ in read_series(checkpoint)] == [0, 2]


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, 400))
def test_a_torn_end_is_cut_off(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Whole records before the tear come back; the file is clean the second time."""
    directory = tmp_path_factory.mktemp("wal")
    journal = Journal(directory)
    for each in ticks(6):
        journal.log.append(each)
    journal.log.close()
    (path,) = segments(directory)
    whole = path.read_bytes()
    left = max(0, len(whole) - cut)
    os.truncate(path, left)
    intact = [record for record in frames(whole) if record.end <= left]
    found, recovery = read_back(directory)
    assert found == expected(ticks(6))[: 3 * sum(record.kind == SAMPLES for record in intact)]
    torn = left > (intact[-1].end if intact else 0)
    assert recovery.corruptions == torn
    assert read_back(directory)[1].corruptions == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_in_the_middle_costs_only_what_it_hit(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Flipped bytes lose the records they are in; all others come back."""
    directory = tmp_path_factory.mktemp("wal")
    journal = Journal(directory)
    for each in ticks(6):
        journal.log.append(each)
    journal.log.close()
    (path,) = segments(directory)
    whole = bytearray(path.read_bytes())
    records = [record for record in frames(bytes(whole)) if record.kind == SAMPLES]
    hit = data.draw(st.sampled_from(records))
    place = data.draw(st.integers(hit.begin, hit.end - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    found, recovery = read_back(directory)
    lost = records.index(hit)
    assert found == expected([each for n, each in enumerate(ticks(6)) if n != lost])
    assert recovery.corruptions == 1


def test_samples_whose_series_record_was_lost_are_counted(tmp_path: Path) -> None:
    """They cannot be named any more: orphans, not somebody else's samples."""
    (tmp_path / "00000000.wal").write_bytes(samples_record(ticks(1)[0]) + frame(99, b"future"))
    found, recovery = read_back(tmp_path)
    assert found == []
    assert (recovery.orphans, recovery.samples, recovery.corruptions) == (3, 0, 0)


class FullDisk(Segment):
    """A segment on a disk with room for so many bytes in all."""

    room = 10_000

    def write(self, data: memoryview) -> int:
        if FullDisk.room < len(data):
            super().write(data[: FullDisk.room])
            FullDisk.room = 0
            raise OSError(errno.ENOSPC, "No space left on device")
        FullDisk.room -= len(data)
        return super().write(data)


def test_a_full_disk_is_counted_and_gets_over(tmp_path: Path) -> None:
    """Records that fit are whole, those that do not are counted, and later ones are there."""
    FullDisk.room = 10_000
    journal = Journal(tmp_path, opener=FullDisk)
    batches = ticks(6)
    journal.log.append(batches[0])
    FullDisk.room = 20
    journal.log.append(batches[1])
    assert "No space left" in journal.log.failure
    journal.index.refs([Labels({"__name__": "born on a full disk"})], now=0)
    journal.log.append(batches[2])
    assert journal.metric("wal_unlogged_samples_total") == 6
    assert journal.metric("wal_write_failures_total") == 2
    FullDisk.room = 10_000
    newborn = batch([3], [9000], [1.0])
    for each in [*batches[3:], newborn]:
        journal.log.append(each)
    assert journal.log.failure == ""
    journal.log.close()
    found, recovery = read_back(tmp_path)
    assert found[:-1] == expected([batches[0], *batches[3:]])
    assert found[-1][1:] == (9000, 1.0)
    assert recovery.corruptions == 0


def test_a_segment_that_cannot_begin_leaves_nothing_behind(tmp_path: Path) -> None:
    """Without room for its checkpoint a segment is not begun; the next batch tries again."""
    FullDisk.room = 10
    journal = Journal(tmp_path, opener=FullDisk)
    journal.log.append(ticks(1)[0])
    assert segments(tmp_path) == []
    FullDisk.room = 10_000
    journal.log.append(ticks(1)[0])
    journal.log.close()
    assert read_back(tmp_path)[0] == expected(ticks(1))
