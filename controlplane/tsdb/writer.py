"""The one writer: takes what is queued, sifts it, logs it, publishes it, in groups."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from controlplane.clock import Clock, Timestamp
from controlplane.model.matchers import Matcher
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.blocks.archive import Archive
from controlplane.tsdb.blocks.sealed import Sealed
from controlplane.tsdb.head import Head
from controlplane.tsdb.histograms import HistogramRun
from controlplane.tsdb.index import Index
from controlplane.tsdb.metrics import StoreMetrics
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import CommitListener, Write
from controlplane.tsdb.queue import WriteQueue
from controlplane.tsdb.sift import NEVER, Batch
from controlplane.tsdb.wal.records import Deletion

log = get_logger(__name__)

# How long a group may become: what a reader waits for, and the size of a log record.
_GROUP_SAMPLES = 500_000
# Series from which samples are deleted at a time: all their samples are rewritten.
_DELETED_SERIES = 10_000


class Log(Protocol):
    """Where samples go before they are visible."""

    failure: str

    def start(self) -> None:
        """Begin what runs in the background."""
        ...

    def hold(self, needed: Callable[[], int | None]) -> None:
        """Drop nothing from the segment on whose number `needed()` returns."""
        ...

    def rotate(self, floor: Timestamp) -> int:
        """Begin a part in which samples before `floor` count as late; return its number."""
        ...

    def settle(self, number: int) -> None:
        """Note that the late samples before the part `number` are in blocks."""
        ...

    def delete(self, deletion: Deletion) -> None:
        """Log that samples are gone. Raises OSError."""
        ...

    @property
    def nbytes(self) -> int:
        """How much it takes on the disk."""
        ...

    def append(self, batch: Batch, histograms: HistogramRun | None = None) -> None:
        """Hand a batch to the operating system, before it series and histograms not logged yet."""
        ...

    def expire(self, cutoff: Timestamp) -> None:
        """Drop what holds nothing at or after `cutoff`."""
        ...

    def forget_series(self) -> None:
        """Series were removed: those alive are to be written anew."""
        ...

    def close(self) -> None:
        """Put all on the disk and end."""
        ...


class NoLog:
    """The log of a store that lives in memory only."""

    failure = ""

    def start(self) -> None:
        """Have nothing to do."""

    def hold(self, needed: Callable[[], int | None]) -> None:
        """Have nothing to hold back."""

    def rotate(self, floor: Timestamp) -> int:
        """Have no parts."""
        del floor
        return 0

    def settle(self, number: int) -> None:
        """Have nothing to note."""

    def delete(self, deletion: Deletion) -> None:
        """Have nothing to delete from."""

    @property
    def nbytes(self) -> int:
        """Take nothing."""
        return 0

    def append(self, batch: Batch, histograms: HistogramRun | None = None) -> None:
        """Keep nothing."""

    def expire(self, cutoff: Timestamp) -> None:
        """Have nothing to drop."""

    def forget_series(self) -> None:
        """Have nothing to write anew."""

    def close(self) -> None:
        """Have nothing to end."""


class Writer:
    """Commits batches and does the housekeeping. All of it on one thread at a time."""

    def __init__(
        self,
        index: Index,
        head: Head,
        wal: Log,
        options: StoreOptions,
        clock: Clock,
        metrics: StoreMetrics,
    ) -> None:
        self._index = index
        self._head = head
        self._wal = wal
        self._options = options
        self._clock = clock
        self._metrics = metrics
        self._listeners: list[CommitListener] = []
        # Held by whoever changes the head: mostly the writer's thread, which nobody disputes it.
        self._lock = threading.Lock()
        self.epoch = 0

    def subscribe(self, listener: CommitListener) -> None:
        self._listeners.append(listener)

    def commit(self, writes: Sequence[Write]) -> None:
        """Check, log and publish writes, large ones in several groups; tell the listeners."""
        for group in _groups(writes):
            with self._metrics.commit_seconds.time(), self._lock:
                self._commit(group)
                self._head.pack()
            self._tell(group)

    def load(self, batch: Batch) -> None:
        """Take in what the log holds already."""
        self._head.commit(self._head.sift(batch, self._cutoff()).batch)

    def load_histograms(self, run: HistogramRun) -> None:
        """Take in histograms that the log holds; their samples follow."""
        self._head.restore(run)

    def _commit(self, writes: Sequence[Write]) -> None:
        sifted = self._head.sift(self._head.stage(writes), self._cutoff())
        if len(sifted.batch):
            self._wal.append(sifted.batch, self._head.admit(sifted.batch))
            self._head.commit(sifted.batch)
        self._metrics.appended.inc(len(sifted.batch))
        for reason, number in sifted.rejected.items():
            self._metrics.rejected.labels(reason).inc(number)

    @property
    def late_samples(self) -> int:
        """How many samples wait that came too late for the head."""
        return self._head.late_samples

    @property
    def log_bytes(self) -> int:
        """How much the log takes on the disk."""
        return self._wal.nbytes

    def seal(self, floor: Timestamp) -> Sealed:
        """Take samples before `floor` as late ones from now on; return what there is of them.

        Raises OSError, and changes nothing then.
        """
        with self._lock:
            number = self._wal.rotate(floor)
            return Sealed(self._head.seal(floor), number)

    def publish(self, archive: Archive, sealed: Sealed | None, served: Timestamp) -> None:
        """Have snapshots read these blocks, and forget what was sealed: it is in them."""
        with self._lock:
            if sealed is None:
                self._head.publish(archive)
                return
            self._head.publish(archive, served)
            self._wal.settle(sealed.number)
        self.maintain()

    def delete(self, matchers: Sequence[Matcher], start: Timestamp, end: Timestamp) -> None:
        """Delete the samples in memory within [start, end] of the series that match.

        Raises OSError.
        """
        with self._lock:
            refs = self._head.holding(matchers, start, end)
            for begin in range(0, len(refs), _DELETED_SERIES):
                some = refs[begin : begin + _DELETED_SERIES]
                self._wal.delete(Deletion(some, start, end))
                self._head.delete(some, start, end)
            self._index.invalidate()

    def reload_deletion(self, deletion: Deletion) -> None:
        """Delete again what the log says was deleted."""
        self._head.delete(deletion.refs, deletion.start, deletion.end)

    def maintain(self) -> None:
        """Drop what is in blocks or older than the retention, and series that ended before it."""
        with self._lock:
            self._maintain(self._cutoff())

    def _maintain(self, cutoff: Timestamp) -> None:
        ended = self._head.expire(cutoff)
        cutoff = max(cutoff, self._head.served)
        ended = self._index.untouched_since(ended, cutoff)
        self._wal.expire(cutoff)
        if len(ended):
            self._head.remove(ended)
            self._index.remove(ended)
            self._wal.forget_series()
            self.epoch += 1
            self._metrics.series_removed.inc(len(ended))
            self._metrics.series.set(len(self._index))
            log.info("series removed", number=len(ended), left=len(self._index))

    def _cutoff(self) -> Timestamp:
        retention = self._options.retention
        return self._clock.now() - retention if retention else NEVER

    def _tell(self, writes: Sequence[Write]) -> None:
        for listener in self._listeners:
            try:
                listener(writes)
            except Exception:
                self._metrics.listener_failures.inc()
                log.exception("commit listener failed")


class WriterThread:
    """Runs a Writer on a thread of its own until it is stopped."""

    def __init__(
        self,
        writer: Writer,
        queue: WriteQueue,
        options: StoreOptions,
        clock: Clock,
        metrics: StoreMetrics,
    ) -> None:
        self._writer = writer
        self._queue = queue
        self._options = options
        self._clock = clock
        self._metrics = metrics
        self._thread = threading.Thread(target=self._run, name="tsdb-writer", daemon=True)
        self.failure = ""

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end; tell whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        spacing = self._options.commit_interval / 1000
        idle = self._options.maintenance_interval / 1000
        committed = maintained = self._clock.monotonic()
        while True:
            ready = self._queue.wait(idle)
            if ready:
                self._queue.linger(spacing - (self._clock.monotonic() - committed))
                self._guard(self._drain)
                committed = self._clock.monotonic()
            elif self._queue.closed:
                return
            if self._clock.monotonic() - maintained >= idle:
                self._guard(self._writer.maintain)
                maintained = self._clock.monotonic()

    def _drain(self) -> None:
        writes = self._queue.take()
        try:
            self._metrics.queued.set(0)
            self._writer.commit(writes)
        finally:
            self._queue.done()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            self._metrics.commit_failures.inc()
            log.exception("sample store writer failed")
        else:
            self.failure = ""


def _groups(writes: Sequence[Write]) -> list[Sequence[Write]]:
    """Split writes into groups of a bounded number of samples; a write stays whole."""
    groups: list[Sequence[Write]] = []
    begin = size = 0
    for position, write in enumerate(writes):
        if size and size + len(write.refs) > _GROUP_SAMPLES:
            groups.append(writes[begin:position])
            begin, size = position, 0
        size += len(write.refs)
    if size:
        groups.append(writes[begin:])
    return groups
