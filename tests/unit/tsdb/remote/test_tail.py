"""The log read behind its writer, from any place, whatever has happened to it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from controlplane.model.labels import Labels
from controlplane.tsdb.remote.position import Position, Progress, ProgressFile
from controlplane.tsdb.remote.tail import Tail, begin_of_log, bytes_after, end_of_log
from controlplane.tsdb.sift import Batch
from controlplane.tsdb.wal.records import samples_record, series_record
from controlplane.tsdb.wal.segment import numbered

LABELS = Labels({"__name__": "m"})
SERIES = series_record([(0, LABELS)])


def record(time: int) -> bytes:
    one = np.array([0], dtype=np.int64)
    return samples_record(Batch(one, one + time, np.array([1.0])))


def write(directory: Path, number: int, *records: bytes) -> None:
    with numbered(directory, number).open("ab") as file:
        file.write(b"".join(records))


def read(tail: Tail) -> list[int | str]:
    """Return what comes: instants of samples, names of series."""
    found: list[int | str] = []
    for each in tail.read():
        if isinstance(each, Batch):
            found += each.times.tolist()
        elif isinstance(each, dict):
            found += [labels.name for labels in each.values()]
    return found


def test_what_is_added_is_read_once(tmp_path: Path) -> None:
    """Segment after segment; a segment's series come when it begins."""
    tail = Tail(tmp_path, end_of_log(tmp_path))
    assert read(tail) == []
    write(tmp_path, 0, SERIES, record(1))
    assert read(tail) == ["m", 1]
    write(tmp_path, 0, record(2))
    assert read(tail) == [2]
    write(tmp_path, 0, record(3))
    write(tmp_path, 1, SERIES, record(4))
    assert read(tail) == [3, "m", 4]
    assert tail.position == end_of_log(tmp_path)
    assert bytes_after(tmp_path, tail.position) == 0


def test_from_the_middle_of_a_segment(tmp_path: Path) -> None:
    """The series that it named before are told; its samples before are not."""
    write(tmp_path, 3, SERIES, record(1))
    middle = end_of_log(tmp_path)
    write(tmp_path, 3, record(2))
    assert read(Tail(tmp_path, middle)) == ["m", 2]
    assert bytes_after(tmp_path, middle) == len(record(2))
    assert read(Tail(tmp_path, begin_of_log(tmp_path))) == ["m", 1, 2]


def test_half_a_record_is_waited_for(tmp_path: Path) -> None:
    """The writer may be at it."""
    write(tmp_path, 0, SERIES)
    tail = Tail(tmp_path, begin_of_log(tmp_path))
    whole = record(7)
    write(tmp_path, 0, whole[:20])
    assert read(tail) == ["m"]
    write(tmp_path, 0, whole[20:])
    assert read(tail) == [7]


@pytest.mark.parametrize("closed", [True, False])
def test_damage_is_passed_over(tmp_path: Path, closed: bool) -> None:
    """It is told; what follows it is read."""
    spoilt = bytearray(record(2))
    spoilt[-1] ^= 0xFF
    after = [] if closed else [record(3)]
    write(tmp_path, 0, SERIES, record(1), bytes(spoilt), *after)
    if closed:
        write(tmp_path, 1, SERIES, record(3))
    with capture_logs() as lines:
        found = read(Tail(tmp_path, begin_of_log(tmp_path)))
    assert [each for each in found if each != "m"] == [1, 3]
    assert [line["event"] for line in lines] == ["log is damaged, not sent"]
    assert lines[0]["bytes"] == len(spoilt)


def test_segments_that_are_gone(tmp_path: Path) -> None:
    """What was dropped is not waited for."""
    write(tmp_path, 5, SERIES, record(1))
    assert read(Tail(tmp_path, Position(2, 100))) == ["m", 1]


def test_stopping_in_between(tmp_path: Path) -> None:
    """Who stops goes on behind the record that it got last."""
    write(tmp_path, 0, SERIES, record(1), record(2), record(3))
    tail = Tail(tmp_path, begin_of_log(tmp_path))
    records = tail.read()
    next(records)
    next(records)
    assert read(tail) == [2, 3]


PROGRESS = st.builds(
    Progress,
    st.builds(Position, st.integers(-1, 10**9), st.integers(0, 2**40)),
    st.none() | st.builds(Position, st.integers(0, 10**9), st.integers(0, 2**40)),
    st.lists(st.integers(0, 10**6), max_size=50).map(tuple),
    st.integers(0, 10**6),
)


@given(PROGRESS)
def test_a_place_is_kept(tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> None:
    """What was saved is what is loaded."""
    file = ProgressFile(tmp_path_factory.getbasetemp() / "place.json")
    file.save(progress)
    assert file.load() == progress


def test_a_place_is_a_line(tmp_path: Path) -> None:
    """The last counts that is whole: what a crash tore is as if it had not been written."""
    path = tmp_path / "place.json"
    file = ProgressFile(path)
    for offset in (1, 2, 3):
        file.save(Progress(Position(0, offset)))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    path.write_bytes(b"".join(lines)[:-5])
    with capture_logs() as told:
        assert file.load() == Progress(Position(0, 2))
    assert told == []


def test_who_opens_a_place_begins_its_file_anew(tmp_path: Path) -> None:
    """What another process left torn at its end is not written on."""
    path = tmp_path / "place.json"
    ProgressFile(path).save(Progress(Position(0, 1)))
    path.write_bytes(path.read_bytes() + b"123 {")
    file = ProgressFile(path)
    file.save(Progress(Position(0, 2)))
    file.save(Progress(Position(0, 3)))
    assert len(path.read_bytes().splitlines()) == 2
    assert ProgressFile(path).load() == Progress(Position(0, 3))


def test_the_file_of_a_place_stays_small(tmp_path: Path) -> None:
    """However often it is written, and however many shards it tells of."""
    path = tmp_path / "place.json"
    file = ProgressFile(path)
    for offset in range(3_000):
        place = Progress(Position(0, offset), Position(1, 0), (7,) * (offset % 200), 2_000)
        file.save(place)
    assert path.stat().st_size <= 1 << 16
    assert file.load() == place


def test_a_damaged_place(tmp_path: Path) -> None:
    """It is told, and nothing is made of it; one that was never there is none."""
    path = tmp_path / "place.json"
    file = ProgressFile(path)
    assert (file.load(), file.exists) == (None, False)
    file.save(Progress(Position(1, 2)))
    for spoilt in (b"", path.read_bytes()[:-2], b'0 {"begin":[1,2]}'):
        path.write_bytes(spoilt)
        with capture_logs() as lines:
            assert (file.load(), file.exists) == (None, True)
        assert [line["event"] for line in lines] == ["remote write's place is damaged"]
    file.remove()
    assert not file.exists


def test_a_place_that_cannot_be_kept(tmp_path: Path) -> None:
    """A full disk stops nothing; it is told once."""
    file = ProgressFile(tmp_path / "nowhere" / "place.json")
    with capture_logs() as lines:
        file.save(Progress(Position(1, 2)))
        file.save(Progress(Position(1, 3)))
    assert [line["event"] for line in lines] == ["remote write's place cannot be kept"]
