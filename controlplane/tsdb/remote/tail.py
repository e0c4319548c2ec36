"""The log read behind its writer, record by record, from any place on."""

import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Final

from controlplane.model.labels import Labels
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.histograms import HistogramRun
from controlplane.tsdb.remote.position import Position
from controlplane.tsdb.sift import Batch
from controlplane.tsdb.wal.records import (
    FORMER_SERIES,
    HISTOGRAMS,
    SAMPLES,
    SERIES,
    Frame,
    frames,
    read_histograms,
    read_samples,
    read_series,
)
from controlplane.tsdb.wal.segment import numbered, segments

log = get_logger(__name__)

_CHUNK: Final = 4 << 20
_SERIES: Final = (SERIES, FORMER_SERIES)

# What a record holds: label sets by number, samples with such numbers, or
# histograms, which the next samples name by numbers of their own.
Record = Mapping[int, Labels] | Batch | HistogramRun


class Tail:
    """Reads on from `position`. Blocks on the disk; belongs to one thread at a time.

    The numbers of series mean nothing outside their segment: where one begins,
    `read` yields all its label sets anew.
    """

    def __init__(self, directory: Path, position: Position) -> None:
        self._directory = directory
        self.position = position
        self._known = False

    def read(self) -> Iterator[Record]:
        """Yield the records that are there now; `position` is where the last one ends.

        Series that the segment names before the position come first. Who stops
        in between may go on later. Raises OSError.
        """
        while True:
            if not self._known:
                yield from self._series_before()
                self._known = True
            if not (yield from self._rest_of_segment()):
                return
            following = self._following()
            if following is None:
                return
            self.position, self._known = Position(following, 0), False

    def _series_before(self) -> Iterator[Record]:
        at = 0
        while read := self._chunk(at, self.position.offset):
            end = 0
            for frame in frames(read):
                end = frame.end
                if frame.kind not in _SERIES:
                    continue
                if (record := self._record(frame, at)) is not None:
                    yield record
            if not end:
                return
            at += end

    def _rest_of_segment(self) -> Generator[Record, None, bool]:
        """Yield what is left; return whether there will be no more.

        Only what had a successor before it was read to its end is at its end.
        """
        while True:
            closed = self._following() is not None
            segment, at = self.position
            read = self._chunk(at, None)
            end = 0
            for frame in frames(read):
                if frame.begin != end:
                    self._damaged(at + end, frame.begin - end)
                end = frame.end
                self.position = Position(segment, at + end)
                record = self._record(frame, at)
                if record is not None:
                    yield record
            if not end:
                if closed and read:
                    self._damaged(at, len(read))
                return closed

    def _chunk(self, at: int, bound: int | None) -> bytes:
        """Return what is there from `at` on: some megabytes, but a whole record if there is one."""
        try:
            file = numbered(self._directory, self.position.segment).open("rb")
        except FileNotFoundError:
            return b""
        with file:
            left = (os.fstat(file.fileno()).st_size if bound is None else bound) - at
            size = _CHUNK
            while True:
                file.seek(at)
                read = file.read(max(0, min(size, left)))
                if size >= left or next(frames(read), None) is not None:
                    return read
                size *= 2

    def _following(self) -> int | None:
        """Return the number of the segment after this one, None when this is the newest."""
        numbers = (int(path.stem) for path in segments(self._directory))
        return min((number for number in numbers if number > self.position.segment), default=None)

    def _record(self, frame: Frame, at: int) -> Record | None:
        try:
            if frame.kind in _SERIES:
                return dict(read_series(frame))
            if frame.kind == SAMPLES:
                return read_samples(frame.payload)
            if frame.kind == HISTOGRAMS:
                return read_histograms(frame.payload)
        except ValueError as error:
            self._damaged(at + frame.begin, frame.end - frame.begin, str(error))
        return None

    def _damaged(self, offset: int, size: int, reason: str = "no intact record") -> None:
        log.warning(
            "log is damaged, not sent",
            segment=self.position.segment,
            offset=offset,
            bytes=size,
            reason=reason,
        )


def end_of_log(directory: Path) -> Position:
    """Return the place after the newest record."""
    found = segments(directory)
    return Position(int(found[-1].stem), found[-1].stat().st_size) if found else Position(-1, 0)


def begin_of_log(directory: Path) -> Position:
    """Return the place before the oldest record."""
    found = segments(directory)
    return Position(int(found[0].stem), 0) if found else Position(-1, 0)


def bytes_after(directory: Path, position: Position) -> int:
    """Return how many bytes of the log lie behind a place."""
    total = 0
    for path in segments(directory):
        number = int(path.stem)
        if number < position.segment:
            continue
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # dropped meanwhile
            continue
        if number == position.segment:
            total -= position.offset
    return max(0, total)
