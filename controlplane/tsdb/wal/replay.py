"""Reading the log back at start."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.histograms import HistogramRun
from controlplane.tsdb.sift import NEVER, Batch
from controlplane.tsdb.wal.records import (
    DELETION,
    FLOOR,
    FORMER_SERIES,
    HISTOGRAMS,
    SAMPLES,
    SERIES,
    Deletion,
    Frame,
    frames,
    read_deletion,
    read_floor,
    read_histograms,
    read_samples,
    read_series,
)
from controlplane.tsdb.wal.segment import segments

log = get_logger(__name__)

_GROUP_SAMPLES: Final = 200_000
_UNKNOWN: Final = -2

# Gives series their numbers of this run.
Resolve = Callable[[list[Labels]], Refs]
# Takes samples with numbers of this run.
Load = Callable[[Batch], None]
# Takes histograms, whose samples follow.
LoadHistograms = Callable[[HistogramRun], None]


# Takes deletions with numbers of this run, after the samples that were logged before them.
Delete = Callable[[Deletion], None]


@dataclass(frozen=True, slots=True)
class Known:
    """What blocks have: all that the head had before `served`, and all samples that had come
    too late for it in the segments below `late_until`.
    """

    served: Timestamp = NEVER
    late_until: int = 0


@dataclass(frozen=True, slots=True)
class Loading:
    """What is done with what the log holds."""

    resolve: Resolve
    load: Load
    load_histograms: LoadHistograms
    delete: Delete


@dataclass(slots=True)
class Recovery:
    """What was found: each segment with its newest instant, which of them hold late samples,
    and what was wrong.
    """

    segments: dict[Path, Timestamp] = field(default_factory=dict)
    late: set[Path] = field(default_factory=set)
    samples: int = 0
    orphans: int = 0
    corruptions: int = 0


def replay(directory: Path, loading: Loading, known: Known | None = None) -> Recovery:
    """Load every intact record of a log, in order, but for what is `known` from blocks.

    A damaged place is counted, logged and passed over; a torn end is cut off.
    Series without samples are not created. Raises OSError when a segment
    cannot be read.
    """
    recovery = Recovery()
    for path in segments(directory):
        _SegmentReader(path, loading, known or Known(), recovery).read()
    return recovery


class _SegmentReader:
    """Replays one segment, whose numbers mean nothing outside it."""

    def __init__(self, path: Path, loading: Loading, known: Known, recovery: Recovery) -> None:
        self._path = path
        self._loading = loading
        self._served = known.served
        self._late_is_known = int(path.stem) < known.late_until
        self._floor: Timestamp = NEVER
        self._recovery = recovery
        self._labels: dict[int, Labels] = {}
        self._numbers: Refs = np.full(1024, _UNKNOWN, dtype=np.int64)
        self._pending: list[Batch] = []
        self._waiting = 0
        self._latest: Timestamp = NEVER

    def read(self) -> None:
        segment = self._path.read_bytes()
        end = 0
        for record in frames(segment):
            if record.begin != end:
                self._damaged(end, record.begin - end)
            self._apply(record)
            end = record.end
        if end != len(segment):
            self._damaged(end, len(segment) - end)
            os.truncate(self._path, end)
        self._flush()
        self._recovery.segments[self._path] = self._latest

    def _apply(self, record: Frame) -> None:
        try:
            if record.kind in (SERIES, FORMER_SERIES):
                self._labels.update(read_series(record))
            elif record.kind == SAMPLES:
                self._add(read_samples(record.payload))
            elif record.kind == HISTOGRAMS:
                self._loading.load_histograms(read_histograms(record.payload))
            elif record.kind == FLOOR:
                self._floor = read_floor(record.payload)
            elif record.kind == DELETION:
                self._delete(read_deletion(record.payload))
        except ValueError as error:
            self._damaged(record.begin, record.end - record.begin, str(error))

    def _add(self, batch: Batch) -> None:
        if not len(batch):
            return
        self._latest = max(self._latest, int(batch.times.max()))
        batch = self._missing(batch)
        if not len(batch):
            return
        refs = self._translate(batch.refs)
        known = refs != _UNKNOWN
        self._recovery.orphans += int(np.count_nonzero(~known))
        self._recovery.samples += int(np.count_nonzero(known))
        self._pending.append(Batch(refs, batch.times, batch.values).take(known))
        self._waiting += len(batch)
        if self._waiting >= _GROUP_SAMPLES:
            self._flush()

    def _missing(self, batch: Batch) -> Batch:
        """Return the samples that are in no block."""
        if int(batch.times.min()) >= self._served:
            return batch
        missing = batch.times >= self._served
        if not self._late_is_known:
            late = ~missing & (batch.times < self._floor)
            if late.any():
                self._recovery.late.add(self._path)
            missing |= late
        return batch.take(missing)

    def _delete(self, deletion: Deletion) -> None:
        self._latest = max(self._latest, deletion.end)
        self._flush()
        if len(deletion.refs):
            refs = self._translate(np.sort(deletion.refs))
            refs = np.unique(refs[refs >= 0])
            self._loading.delete(Deletion(refs, deletion.start, deletion.end))

    def _flush(self) -> None:
        if not self._pending:
            return
        self._loading.load(
            Batch(
                np.concatenate([batch.refs for batch in self._pending]),
                np.concatenate([batch.times for batch in self._pending]),
                np.concatenate([batch.values for batch in self._pending]),
            )
        )
        self._pending, self._waiting = [], 0

    def _translate(self, refs: Refs) -> Refs:
        """Return this run's numbers, `_UNKNOWN` where the series' record was lost."""
        highest = int(refs[-1])
        if highest >= len(self._numbers):
            grown = np.full(max(highest + 1, 2 * len(self._numbers)), _UNKNOWN, dtype=np.int64)
            grown[: len(self._numbers)] = self._numbers
            self._numbers = grown
        numbers = self._numbers[refs]
        if (numbers == _UNKNOWN).any():
            fresh = np.unique(refs[numbers == _UNKNOWN]).tolist()
            known = [ref for ref in fresh if ref in self._labels]
            self._numbers[known] = self._loading.resolve([self._labels[ref] for ref in known])
            numbers = self._numbers[refs]
        return numbers

    def _damaged(self, offset: int, size: int, reason: str = "") -> None:
        self._recovery.corruptions += 1
        log.warning(
            "log is damaged, passed over",
            segment=self._path.name,
            offset=offset,
            bytes=size,
            reason=reason or "no intact record",
        )
