"""From the log's records to rounds of requests, always cut in the same way."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as data
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cramjam
import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.relabel import RelabelConfig, relabel
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.tsdb.histogram_codec import decode
from controlplane.tsdb.histograms import HistogramRun, is_marker, numbers
from controlplane.tsdb.remote.messages import Message
from controlplane.tsdb.remote.native import histogram
from controlplane.tsdb.remote.position import Position
from controlplane.tsdb.remote.protobuf import field, samples
from controlplane.tsdb.remote.tail import Record, Tail
from controlplane.tsdb.sift import Batch

_NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Line:
    """A series on its way out: what picks its shard, and how its message wants it.

    `encoded` is None for a series that relabelling drops. The shard is that of
    the series in the log, so that no other option moves it.
    """

    hash: int
    encoded: Any


# The series of a segment by number.
Lines = Mapping[int, Line]
_UNKNOWN: Final = Line(0, None)


class Outgoing:
    """Makes lines of label sets: external labels under them, then relabelled, then encoded."""

    def __init__(
        self,
        external: Labels,
        steps: Sequence[RelabelConfig],
        message: Message[Any],
        *,
        histograms: bool = False,
    ) -> None:
        """`histograms` tells whether native ones are sent, too."""
        self._external = external
        self._steps = steps
        self.message = message
        self.histograms = histograms

    def line(self, labels: Labels) -> Line:
        """Return the series as it leaves, if it does."""
        text = "\xff".join([text for pair in labels.pairs for text in pair])
        outgoing: Labels | None = self._external.merge(labels) if self._external else labels
        if outgoing and self._steps:
            outgoing = relabel(outgoing, self._steps)
        encoded = self.message.series(outgoing) if outgoing else None
        return Line(zlib.crc32(text.encode()), encoded)


@dataclass(frozen=True, slots=True)
class Request:
    """A body to post, where in the round its samples are, and how many were left out and why.

    `places` are in the order of the body: by series, then as the log has them.
    """

    body: bytes
    places: Refs
    newest: Timestamp
    relabelled: int
    histograms: int
    too_old: int

    @property
    def samples(self) -> int:
        """How many samples the body holds."""
        return len(self.places)


@dataclass(frozen=True, slots=True)
class Round:
    """The samples of a piece of the log, cut into requests: `shards[s][r]` has their places.

    A series is in one shard only, whose requests are sent in order. The cut
    depends on nothing but the piece, the number of shards and `most`, the
    samples of a request.
    """

    begin: Position
    end: Position
    batch: Batch
    lines: Lines
    leaves: Mask
    histograms: Mapping[int, bytes]
    shards: Sequence[Sequence[Refs]]
    most: int

    def request(self, places: Refs, outgoing: Outgoing, cutoff: Timestamp) -> Request:
        """Return a request of the samples at `places`, without those before `cutoff`."""
        leaving = places[self.leaves[places]]
        known = leaving[self._known(leaving, outgoing)]
        fresh = known[self.batch.times[known] >= cutoff]
        kept = (len(places), len(leaving), len(known), len(fresh))
        left_out = [before - after for before, after in pairwise(kept)]
        if not len(fresh):
            return Request(b"", fresh, 0, *left_out)
        fresh = fresh[np.argsort(self.batch.refs[fresh], kind="stable")]
        chosen = self.batch.take(fresh)
        body = self._body(chosen, outgoing.message)
        compressed = bytes(cramjam.snappy.compress_raw(body))
        return Request(compressed, fresh, int(chosen.times.max()), *left_out)

    def _known(self, places: Refs, outgoing: Outgoing) -> Mask:
        """Tell which samples are floats, or histograms that are here and wanted."""
        values = self.batch.values[places]
        marked = is_marker(values)
        if marked.any():
            wanted = self.histograms if outgoing.histograms else {}
            here = [number in wanted for number in numbers(values[marked]).tolist()]
            marked[marked] = ~np.array(here, dtype=np.bool_)
        return ~marked

    def _body(self, chosen: Batch, message: Message[Any]) -> bytes:
        """Return the body for samples that are sorted by series."""
        starts = np.flatnonzero(np.diff(chosen.refs, prepend=-1))
        series = [self.lines[ref].encoded for ref in chosen.refs[starts].tolist()]
        marked = is_marker(chosen.values)
        if not marked.any():
            bounds = np.append(starts, len(chosen))
            return message.body(series, samples(chosen.times, chosen.values, bounds))
        owners = np.searchsorted(starts, np.arange(len(chosen)), side="right") - 1
        bounds = np.searchsorted(owners[~marked], np.arange(len(starts) + 1))
        written = list(samples(chosen.times[~marked], chosen.values[~marked], bounds))
        named = numbers(chosen.values[marked]).tolist()
        times, places = chosen.times[marked].tolist(), owners[marked].tolist()
        for name, time, owner in zip(named, times, places, strict=True):
            encoded = histogram(decode(self.histograms[name]), time)
            written[owner] += field(message.histograms, encoded)
        return message.body(series, written)


@dataclass(slots=True)
class Gatherer:
    """Reads the log from a place on and gathers what is to be sent. Belongs to one thread.

    A round never goes beyond a segment, outside which numbers of series mean
    nothing. At most `most` samples, and one record, are held.
    """

    directory: Path
    outgoing: Outgoing
    begin: Position
    most: int
    samples: int = 0
    full: bool = False
    _tail: Tail = data(init=False)
    _segment: int = data(init=False)
    _end: Position = data(init=False)
    _lines: dict[int, Line] = data(default_factory=dict)
    _batches: list[Batch] = data(default_factory=list)
    # Histograms of the samples gathered, and those whose samples are yet to come.
    _histograms: dict[int, bytes] = data(default_factory=dict)
    _ahead: dict[int, bytes] = data(default_factory=dict)
    _records: Iterator[Record] | None = None
    _next: Record | None = None

    def __post_init__(self) -> None:
        self._tail = Tail(self.directory, self.begin)
        self._segment, self._end = self.begin.segment, self.begin

    def read(self, until: Position | None = None) -> None:
        """Take in what is there, until the round is full or up to a place. Raises OSError."""
        while (not self.full) if until is None else (self._end < until):
            record = self._following()
            if record is None:
                return
            self._take(record)

    def skip(self, size: int) -> int:
        """Pass over about `size` bytes from the beginning on; return how many samples those held.

        To be called on a gatherer that has read nothing.
        """
        dropped = passed = 0
        while passed < size and (record := self._following()) is not None:
            before = self._end
            self._take(record)
            moved = self._end.segment != before.segment
            passed += self._end.offset - (0 if moved else before.offset)
            dropped += self.samples
            self._clear()
        return dropped

    def cut(self, shards: int, most: int) -> Round:
        """Return what was gathered, in requests of at most `most` samples, and begin anew."""
        batch = _together(self._batches)
        unique, inverse = np.unique(batch.refs, return_inverse=True)
        lines = [self._lines.get(ref, _UNKNOWN) for ref in unique.tolist()]
        leaves = np.array([line.encoded is not None for line in lines], dtype=np.bool_)
        shard = np.array([line.hash % shards for line in lines], dtype=np.int64)[inverse]
        places = [np.flatnonzero(shard == number) for number in range(shards)]
        cut = [[mine[at : at + most] for at in range(0, len(mine), most)] for mine in places]
        done = Round(
            self.begin,
            self._end,
            batch,
            self._lines,
            leaves[inverse],
            self._histograms,
            cut,
            most,
        )
        self._clear()
        return done

    def _clear(self) -> None:
        self._batches, self._histograms, self.samples, self.full = [], {}, 0, False
        self.begin = self._end

    def _following(self) -> Record | None:
        record, self._next = self._next, None
        if record is None:
            self._records = self._records or self._tail.read()
            record = next(self._records, None)
            if record is None:
                self._records = None
        return record

    def _take(self, record: Record) -> None:
        position = self._tail.position
        if position.segment != self._segment:
            if self.samples:
                self._next, self.full = record, True
                return
            self._segment, self._lines = position.segment, {}
        if isinstance(record, HistogramRun):
            # The place stays before it until its samples have come.
            self._ahead |= dict(enumerate(record.encoded, record.first))
            return
        if isinstance(record, Batch):
            self._histograms |= self._ahead
            self._ahead = {}
            self._batches.append(record)
            self.samples += len(record)
            self.full = self.samples >= self.most
        else:
            for number, labels in record.items():
                self._lines[number] = self.outgoing.line(labels)
        self._end = position
        if not self.samples:
            self.begin = position


def _together(batches: Sequence[Batch]) -> Batch:
    refs: list[Refs] = [batch.refs for batch in batches]
    times: list[Times] = [batch.times for batch in batches]
    values: list[Values] = [batch.values for batch in batches]
    if not batches:
        return Batch(_NONE, _NONE, np.zeros(0))
    return Batch(np.concatenate(refs), np.concatenate(times), np.concatenate(values))
