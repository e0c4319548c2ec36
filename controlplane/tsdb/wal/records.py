"""The records of a segment: framing, checksums, and what stands inside them.

A frame is the magic `CPW1`, the length of the payload (u32), a CRC-32 of
length, kind and payload (u32) and the kind (u8), all little-endian, then the
payload. The magic lets a reader find the next good frame behind a bad one.

Series (kind 6): zlib of: how many series (u32), the length of a JSON list (u32), that list, which
has the different label pairs, name, value, name, value, ...; then the number of each series (i64),
how many labels each has (u32), and which pairs these are (u32), series after series.
Series as former releases wrote them (kind 1): zlib of a JSON list of `[number, name, value, ...]`.
Samples (kind 2), sorted by series: how many (u32), how the two columns are
written (u8 each), the base instant (i64), then numbers, times and float64
values. Numbers and times are written as runs (neighbouring series; one instant
for many samples) where that is shorter.
Histograms (kind 3), before the samples whose values name them: the first number (u64), how many
(u32), the length of each (u32), then as many encoded histograms.
Floor (kind 4): the instant (i64) from which samples on are taken into the head; what follows in
the segment and is older came too late for it.
Deletion (kind 5): zlib of a JSON object: `start`, `end`, and the numbers of the series, `refs`.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, Times
from controlplane.tsdb.histograms import HistogramRun
from controlplane.tsdb.pairs import pair_table
from controlplane.tsdb.sift import Batch

FORMER_SERIES: Final = 1
SAMPLES: Final = 2
HISTOGRAMS: Final = 3
FLOOR: Final = 4
DELETION: Final = 5
SERIES: Final = 6

_MAGIC: Final = b"CPW1"
_FRAME: Final = struct.Struct("<4sIIB")
_CHECKED: Final = struct.Struct("<IB")
_COLUMNS: Final = struct.Struct("<IBBq")
_NUMBERED: Final = struct.Struct("<QI")
_TABLE: Final = struct.Struct("<II")
_INSTANT: Final = struct.Struct("<q")

_RUNS: Final = 0
_SHORT: Final = 1
_LONG: Final = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One intact record, and where in the segment it begins and ends."""

    kind: int
    payload: memoryview
    begin: int
    end: int


def frame(kind: int, payload: bytes) -> bytes:
    """Return the payload as it stands in a segment."""
    checksum = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(len(payload), kind)))
    return _FRAME.pack(_MAGIC, len(payload), checksum, kind) + payload


def frames(segment: bytes) -> Iterator[Frame]:
    """Yield the intact records in their order; what lies between two is damage."""
    whole = memoryview(segment)
    position = 0
    while position < len(segment):
        found = _read(whole, position)
        if found is not None:
            yield found
            position = found.end
            continue
        position = segment.find(_MAGIC, position + 1)
        if position < 0:
            return


def _read(segment: memoryview, begin: int) -> Frame | None:
    if len(segment) - begin < _FRAME.size:
        return None
    magic, length, checksum, kind = _FRAME.unpack_from(segment, begin)
    start = begin + _FRAME.size
    if magic != _MAGIC or start + length > len(segment):
        return None
    payload = segment[start : start + length]
    if zlib.crc32(payload, zlib.crc32(_CHECKED.pack(length, kind))) != checksum:
        return None
    return Frame(kind, payload, begin, start + length)


def series_record(series: Sequence[tuple[int, Labels]]) -> bytes:
    """Return the framed record of label sets and their numbers."""
    table = pair_table([labels for _, labels in series])
    texts = json.dumps(list(chain.from_iterable(table.pairs)), separators=(",", ":")).encode()
    refs = np.array([ref for ref, _ in series], dtype="<i8")
    columns = (refs, table.counts.astype("<u4"), table.numbers.astype("<u4"))
    plain = b"".join(
        (_TABLE.pack(len(series), len(texts)), texts, *map(np.ndarray.tobytes, columns))
    )
    return frame(SERIES, zlib.compress(plain, 1))


def read_series(record: Frame) -> list[tuple[int, Labels]]:
    """Return numbers and label sets. Raises ValueError when it makes no sense."""
    read = _read_rows if record.kind == FORMER_SERIES else _read_table
    try:
        return read(zlib.decompress(record.payload))
    except (zlib.error, struct.error, TypeError, IndexError, KeyError) as error:
        raise ValueError(f"bad series record: {error}") from None


def _read_table(plain: bytes) -> list[tuple[int, Labels]]:
    size, length = _TABLE.unpack_from(plain)
    at = _TABLE.size + length
    texts = json.loads(plain[_TABLE.size : at])
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    refs = np.frombuffer(plain, "<i8", size, at).tolist()
    counts = np.frombuffer(plain, "<u4", size, at + 8 * size).tolist()
    numbers = np.frombuffer(memoryview(plain)[at + 12 * size :], "<u4").tolist()
    each = iter([pairs[number] for number in numbers])
    return [(ref, Labels(islice(each, count))) for ref, count in zip(refs, counts, strict=True)]


def _read_rows(plain: bytes) -> list[tuple[int, Labels]]:
    rows = json.loads(plain)
    return [(int(row[0]), Labels(zip(row[1::2], row[2::2], strict=True))) for row in rows]


def samples_record(batch: Batch) -> bytes:
    """Return the framed record of samples, which are sorted by series."""
    base = int(batch.times[0])
    refs_form, refs = _pack_refs(batch.refs)
    times_form, times = _pack_times(batch.times - base)
    head = _COLUMNS.pack(len(batch), refs_form, times_form, base)
    return frame(SAMPLES, b"".join((head, refs, times, batch.values.tobytes())))


def read_samples(payload: memoryview) -> Batch:
    """Return the samples of a record. Raises ValueError when it makes no sense."""
    if len(payload) < _COLUMNS.size:
        raise ValueError("bad samples record: too short")
    count, refs_form, times_form, base = _COLUMNS.unpack_from(payload)
    rest = payload[_COLUMNS.size :]
    refs, rest = _unpack(rest, refs_form, count, step=1)
    times, rest = _unpack(rest, times_form, count, step=0)
    if len(rest) != 8 * count:
        raise ValueError("bad samples record: columns of unequal length")
    return Batch(refs, times + base, np.frombuffer(rest, dtype="<f8"))


def histograms_record(run: HistogramRun) -> bytes:
    """Return the framed record of encoded histograms."""
    sizes = np.array([len(one) for one in run.encoded], dtype="<u4")
    head = _NUMBERED.pack(run.first, len(run.encoded))
    return frame(HISTOGRAMS, b"".join((head, sizes.tobytes(), *run.encoded)))


def read_histograms(payload: memoryview) -> HistogramRun:
    """Return the histograms of a record. Raises ValueError when it makes no sense."""
    if len(payload) < _NUMBERED.size:
        raise ValueError("bad histograms record: too short")
    first, count = _NUMBERED.unpack_from(payload)
    begin = _NUMBERED.size + 4 * count
    ends = begin + np.cumsum(np.frombuffer(payload[_NUMBERED.size : begin], dtype="<u4"))
    if len(ends) != count or (count and int(ends[-1]) != len(payload)):
        raise ValueError("bad histograms record: lengths that do not add up")
    bounds = [begin, *ends.tolist()]
    return HistogramRun(first, [bytes(payload[a:b]) for a, b in pairwise(bounds)])


def floor_record(floor: Timestamp) -> bytes:
    """Return the framed record of a floor."""
    return frame(FLOOR, _INSTANT.pack(floor))


def read_floor(payload: memoryview) -> Timestamp:
    """Return the instant of a record. Raises ValueError when it makes no sense."""
    if len(payload) != _INSTANT.size:
        raise ValueError("bad floor record")
    floor: Timestamp = _INSTANT.unpack(payload)[0]
    return floor


@dataclass(frozen=True, slots=True)
class Deletion:
    """The samples within [start, end] of some series, gone."""

    refs: Refs
    start: Timestamp
    end: Timestamp


def deletion_record(deletion: Deletion) -> bytes:
    """Return the framed record of a deletion."""
    told = {"start": deletion.start, "end": deletion.end, "refs": deletion.refs.tolist()}
    return frame(DELETION, zlib.compress(json.dumps(told, separators=(",", ":")).encode(), 1))


def read_deletion(payload: memoryview) -> Deletion:
    """Return the deletion of a record. Raises ValueError when it makes no sense."""
    try:
        told = json.loads(zlib.decompress(payload))
        refs = np.array(told["refs"], dtype=np.int64)
        return Deletion(refs, int(told["start"]), int(told["end"]))
    except (zlib.error, TypeError, KeyError) as error:
        raise ValueError(f"bad deletion record: {error}") from None


def _pack_refs(refs: Refs) -> tuple[int, bytes]:
    return _pack(refs, refs[1:] != refs[:-1] + 1)


def _pack_times(offsets: Times) -> tuple[int, bytes]:
    return _pack(offsets, offsets[1:] != offsets[:-1])


def _pack(column: Refs, breaks: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[int, bytes]:
    bounds = np.concatenate(([0], breaks.nonzero()[0] + 1, [len(column)]))
    starts = bounds[:-1]
    if 3 * len(starts) < len(column):
        lengths = (bounds[1:] - starts).astype("<u4")
        runs = len(starts).to_bytes(4, "little")
        return _RUNS, runs + column[starts].astype("<i8").tobytes() + lengths.tobytes()
    if column.min() >= -(2**31) and column.max() < 2**31:
        return _SHORT, column.astype("<i4").tobytes()
    return _LONG, column.astype("<i8").tobytes()


def _unpack(rest: memoryview, form: int, count: int, *, step: int) -> tuple[Refs, memoryview]:
    if form in (_SHORT, _LONG):
        size, kind = (4, "<i4") if form == _SHORT else (8, "<i8")
        return np.frombuffer(rest[: size * count], dtype=kind).astype(np.int64), rest[
            size * count :
        ]
    if form != _RUNS or len(rest) < 4:
        raise ValueError(f"bad samples record: form {form}")
    runs = int.from_bytes(rest[:4], "little")
    starts = np.frombuffer(rest[4 : 4 + 8 * runs], dtype="<i8")
    lengths = np.frombuffer(rest[4 + 8 * runs : 4 + 12 * runs], dtype="<u4").astype(np.int64)
    if lengths.sum() != count or len(starts) != runs:
        raise ValueError("bad samples record: runs of the wrong length")
    column = np.repeat(starts.astype(np.int64), lengths)
    if step:
        begins = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        column += np.arange(count, dtype=np.int64) - np.repeat(begins, lengths)
    return column, rest[4 + 12 * runs :]
