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
    HISTOGRAMS,
    SAMPLES,
    SERIES,
    Frame,
    frames,
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


@dataclass(slots=True)
class Recovery:
    """What was found: each segment with its newest instant, and what was wrong."""

    segments: dict[Path, Timestamp] = field(default_factory=dict)
    samples: int = 0
    orphans: int = 0
    corruptions: int = 0


def replay(
    directory: Path, resolve: Resolve, load: Load, load_histograms: LoadHistograms
) -> Recovery:
    """Load every intact record of a log, in order.

    A damaged place is counted, logged and passed over; a torn end is cut off.
    Series without samples are not created. Raises OSError when a segment
    cannot be read.
    """
    recovery = Recovery()
    for path in segments(directory):
        _SegmentReader(path, resolve, load, load_histograms, recovery).read()
    return recovery


class _SegmentReader:
    """Replays one segment, whose numbers mean nothing outside it."""

    def __init__(
        self,
        path: Path,
        resolve: Resolve,
        load: Load,
        load_histograms: LoadHistograms,
        recovery: Recovery,
    ) -> None:
        self._path = path
        self._resolve = resolve
        self._load = load
        self._load_histograms = load_histograms
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
            if record.kind == SERIES:
                self._labels.update(read_series(record.payload))
            elif record.kind == SAMPLES:
                self._add(read_samples(record.payload))
            elif record.kind == HISTOGRAMS:
                self._load_histograms(read_histograms(record.payload))
        except ValueError as error:
            self._damaged(record.begin, record.end - record.begin, str(error))

    def _add(self, batch: Batch) -> None:
        if not len(batch):
            return
        self._latest = max(self._latest, int(batch.times.max()))
        refs = self._translate(batch.refs)
        known = refs != _UNKNOWN
        self._recovery.orphans += int(np.count_nonzero(~known))
        self._recovery.samples += int(np.count_nonzero(known))
        self._pending.append(Batch(refs, batch.times, batch.values).take(known))
        self._waiting += len(batch)
        if self._waiting >= _GROUP_SAMPLES:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        self._load(
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
            self._numbers[known] = self._resolve([self._labels[ref] for ref in known])
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
