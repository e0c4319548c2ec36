"""The writing side of the log: records, segments, retention, syncing."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from controlplane.clock import Timestamp
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.histograms import HistogramRun
from controlplane.tsdb.index import Index
from controlplane.tsdb.metrics import StoreMetrics
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.sift import NEVER, Batch
from controlplane.tsdb.wal.records import (
    Deletion,
    deletion_record,
    floor_record,
    histograms_record,
    samples_record,
    series_record,
)
from controlplane.tsdb.wal.segment import Segment, numbered, segments

log = get_logger(__name__)

# Series in one record.
_SERIES: Final = 1000
# Tells the lowest number of a segment that a reader of the log still needs; None for none.
Needed = Callable[[], int | None]


class WriteAheadLog:
    """Appends batches to segments; belongs to the store's writer.

    A record that cannot be written (a full disk) does not stop the store: its
    samples live in memory only, which is counted, logged once and shown by
    `failure`, and the next batch tries again. Alerts matter most when a disk
    is full.
    """

    def __init__(
        self,
        directory: Path,
        index: Index,
        options: StoreOptions,
        metrics: StoreMetrics,
        *,
        open_segment: Callable[[Path], Segment] = Segment,
    ) -> None:
        self._directory = directory
        self._index = index
        self._options = options
        self._metrics = metrics
        self._open_segment = open_segment
        self._closed: dict[Path, Timestamp] = {}
        # Segments with samples that came too late for the head and are in no block yet.
        self._late: set[Path] = set()
        self._floor: Timestamp = NEVER
        self._lowest = 0
        self._current: Segment | None = None
        # The series records of the current numbering, to open each segment with.
        self._checkpoint: list[bytes] = []
        self._logged = 0
        self._needed: Needed = _nothing
        self.failure = ""
        self._syncer = Syncer(options.wal_fsync_interval / 1000, metrics)

    def adopt(
        self,
        found: dict[Path, Timestamp],
        late: Iterable[Path] = (),
        floor: Timestamp = NEVER,
        lowest: int = 0,
    ) -> None:
        """Take over the segments of a run before, each with its newest instant; those in `late`
        hold samples that came too late for the head. No new one has a number below `lowest`:
        blocks say up to which number they have such samples.
        """
        self._lowest = lowest
        self._closed.update(found)
        self._late.update(late)
        self._floor = floor
        self._metrics.wal_segments.set(len(self._closed))

    def start(self) -> None:
        """Begin to sync in the background."""
        self._syncer.start()

    def hold(self, needed: Needed) -> None:
        """Drop no segment from the number on that `needed()` returns; it may be called anywhere."""
        self._needed = needed

    def append(self, batch: Batch, histograms: HistogramRun | None = None) -> None:
        """Log a batch, and before it its histograms and the series that are not logged yet."""
        try:
            segment = self._ready()
            self._log_series(segment)
            if histograms is not None:
                self._write(segment, histograms_record(histograms))
            self._write(segment, samples_record(batch))
            segment.latest = max(segment.latest, int(batch.times.max()))
            if int(batch.times.min()) < self._floor:
                self._late.add(segment.path)
        except OSError as error:
            self._fail(error, len(batch))
        else:
            if self.failure:
                self.failure = ""
                log.info("log is written again")

    def rotate(self, floor: Timestamp) -> int:
        """Begin a segment in which samples before `floor` count as late; return its number.

        Raises OSError, and changes nothing then.
        """
        before, self._floor = self._floor, max(floor, self._floor)
        try:
            segment = self._begun()
        except OSError:
            self._floor = before
            raise
        return int(segment.path.stem)

    def settle(self, number: int) -> None:
        """Note that the late samples of the segments below `number` are in blocks."""
        self._late = {path for path in self._late if int(path.stem) >= number}

    def delete(self, deletion: Deletion) -> None:
        """Log that samples are gone. Raises OSError."""
        segment = self._ready()
        self._log_series(segment)
        self._write(segment, deletion_record(deletion))
        # As long as what it deletes may be in the log, so must this be.
        segment.latest = max(segment.latest, deletion.end)

    @property
    def nbytes(self) -> int:
        """How much the log takes on the disk."""
        sizes = 0
        for path in segments(self._directory):
            with contextlib.suppress(FileNotFoundError):  # dropped meanwhile
                sizes += path.stat().st_size
        return sizes

    def expire(self, cutoff: Timestamp) -> None:
        """Drop the closed segments that hold nothing at or after `cutoff`, and nobody reads."""
        needed = self._needed()
        for path in [path for path, latest in self._closed.items() if latest < cutoff]:
            if (needed is not None and int(path.stem) >= needed) or path in self._late:
                continue
            path.unlink(missing_ok=True)
            del self._closed[path]
        self._count_segments()

    def forget_series(self) -> None:
        """Have the next segment open with those series only that live then."""
        self._checkpoint.clear()

    def close(self) -> None:
        """Sync and close."""
        if self._current is not None:
            self._retire(self._current)
            self._current = None
        self._syncer.stop()

    def _ready(self) -> Segment:
        current = self._current
        if current is not None and current.size < self._options.wal_segment_bytes:
            return current
        return self._begun()

    def _begun(self) -> Segment:
        """Have a fresh segment follow the current one."""
        current, fresh = self._current, self._begin()
        if current is not None:
            self._retire(current)
        self._current = fresh
        self._syncer.watch(fresh)
        self._count_segments()
        return fresh

    def _begin(self) -> Segment:
        """Open a segment with the checkpoint of all series alive."""
        if not self._checkpoint:
            self._logged, alive = self._index.since(0)
            # Piece by piece: nobody else runs while one is being compressed.
            self._checkpoint = [
                series_record(alive[begin : begin + _SERIES])
                for begin in range(0, len(alive), _SERIES)
            ] or [series_record(())]
        last = segments(self._directory)[-1:]
        number = max(self._lowest, int(last[0].stem) + 1 if last else 0)
        fresh = self._open_segment(numbered(self._directory, number))
        try:
            floor = b"" if self._floor == NEVER else floor_record(self._floor)
            self._write(fresh, b"".join((*self._checkpoint, floor)))
        except OSError:
            fresh.close()
            fresh.path.unlink(missing_ok=True)
            raise
        return fresh

    def _log_series(self, segment: Segment) -> None:
        bound = self._index.bound
        if bound == self._logged:
            return
        bound, fresh = self._index.since(self._logged)
        record = series_record(fresh)
        self._write(segment, record)
        if self._checkpoint:
            self._checkpoint.append(record)
        self._logged = bound

    def _write(self, segment: Segment, record: bytes) -> None:
        segment.append(record)
        self._metrics.wal_bytes.inc(len(record))

    def _retire(self, segment: Segment) -> None:
        self._closed[segment.path] = segment.latest
        self._syncer.release(segment)

    def _count_segments(self) -> None:
        self._metrics.wal_segments.set(len(self._closed) + (self._current is not None))

    def _fail(self, error: OSError, samples: int) -> None:
        self._metrics.wal_failures.inc()
        self._metrics.wal_unlogged.inc(samples)
        if not self.failure:
            log.error("log cannot be written, samples are kept in memory only", error=str(error))
        self.failure = f"the log cannot be written: {error.strerror or error}"


def _nothing() -> None:
    """Need no segment."""


class Syncer:
    """Calls fsync at an interval on a thread of its own, so that nobody waits for the disk."""

    def __init__(self, interval: float, metrics: StoreMetrics) -> None:
        self._interval = interval
        self._metrics = metrics
        self._lock = threading.Lock()
        self._current: Segment | None = None
        self._released: list[Segment] = []
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="tsdb-fsync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def watch(self, segment: Segment) -> None:
        """Sync this segment from now on."""
        with self._lock:
            self._current = segment

    def release(self, segment: Segment) -> None:
        """Sync a segment for the last time, and close it."""
        with self._lock:
            if self._current is segment:
                self._current = None
            self._released.append(segment)

    def stop(self) -> None:
        """Sync what is left and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.sync()

    def sync(self) -> None:
        """Sync what was written until now."""
        with self._lock:
            released, self._released = self._released, []
            watched = [segment.duplicate() for segment in released]
            for segment in released:
                segment.close()
            if self._current is not None:
                watched.append(self._current.duplicate())
        for descriptor in watched:
            self._fsync(descriptor)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.sync()

    def _fsync(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
            self._failing = False
        except OSError as error:
            self._metrics.wal_fsync_failures.inc()
            if not self._failing:
                log.error("log cannot be synced", error=str(error))
            self._failing = True
        finally:
            os.close(descriptor)
