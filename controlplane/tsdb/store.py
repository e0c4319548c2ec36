"""The store as the rest of the program sees it."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import Clock, SystemClock, Timestamp
from controlplane.errors import InvalidInput, Overloaded
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Refs
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.blocks.archive import Archive, HeadIdentities
from controlplane.tsdb.blocks.cache import PageCache
from controlplane.tsdb.blocks.keeper import Keeper, KeeperThread
from controlplane.tsdb.blocks.past import Past
from controlplane.tsdb.blocks.shelf import Shelf
from controlplane.tsdb.directory import DataDirectory
from controlplane.tsdb.head import Head
from controlplane.tsdb.index import Index
from controlplane.tsdb.metrics import StoreMetrics
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import CommitListener, Write
from controlplane.tsdb.queue import WriteQueue
from controlplane.tsdb.sift import FURTHEST, NEVER
from controlplane.tsdb.snapshot import Snapshot
from controlplane.tsdb.wal.log import Needed, WriteAheadLog
from controlplane.tsdb.wal.replay import Known, Loading, Recovery, replay
from controlplane.tsdb.writer import Log, NoLog, Writer, WriterThread

log = get_logger(__name__)

_CLOSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the store takes samples and keeps them; the reason where not."""

    ok: bool
    reason: str = ""


class Store:
    """An Appender and a Queryable over one head; made by `open` or `in_memory`."""

    def __init__(
        self,
        options: StoreOptions,
        clock: Clock,
        metrics: StoreMetrics,
        index: Index,
        wal: Log,
        directory: DataDirectory | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._metrics = metrics
        self._index = index
        self._wal = wal
        self._directory = directory
        self._head = Head(index, metrics)
        self._writer = Writer(index, self._head, wal, options, clock, metrics)
        # What of the log is in blocks.
        self._known = Known()
        self._keeper = None if shelf is None else self._keep(shelf)
        self._queue = WriteQueue(options.queue_samples)
        self._thread: WriterThread | None = None
        self._blocks_thread: KeeperThread | None = None
        # Who appends to a store without a thread is its writer for that long.
        self._alone = threading.RLock()

    @classmethod
    def open(
        cls, directory: Path, options: StoreOptions, clock: Clock, registry: CollectorRegistry
    ) -> "Store":
        """Lock the directory, open its blocks, read the log back, and start to write.

        Blocks while it reads. Raises Conflict when another process holds the
        directory, InvalidInput when it cannot be used.
        """
        held = DataDirectory.hold(directory)
        try:
            metrics = StoreMetrics(registry)
            index = Index(max_series=options.max_series)
            wal = WriteAheadLog(held.wal, index, options, metrics)
            shelf = Shelf(held.blocks, PageCache(options.block_cache_bytes), metrics)
            store = cls(options, clock, metrics, index, wal, held, shelf)
            recovery = store._recover(held.wal)
            known = store._known
            wal.adopt(recovery.segments, recovery.late, known.served, known.late_until)
        except BaseException:
            held.close()
            raise
        store._start()
        return store

    @classmethod
    def in_memory(
        cls,
        options: StoreOptions | None = None,
        *,
        clock: Clock | None = None,
        registry: CollectorRegistry | None = None,
    ) -> "Store":
        """Return a store without a log or a thread: `append` returns when all is visible.

        For tests of rules and expressions. Keeps samples for ever unless the
        options say otherwise.
        """
        options = options or StoreOptions(retention=0)
        metrics = StoreMetrics(registry or CollectorRegistry())
        index = Index(max_series=options.max_series)
        return cls(options, clock or SystemClock(), metrics, index, NoLog())

    def refs(self, series: Sequence[Labels]) -> Refs:
        refs, created = self._index.refs(series, self._clock.now())
        if created:
            self._metrics.series_created.inc(created)
            self._metrics.series.set(len(self._index))
        return refs

    @property
    def epoch(self) -> int:
        return self._writer.epoch

    def append(self, writes: Sequence[Write]) -> None:
        """Queue writes for the writer. Raises InvalidInput where columns do not fit,
        Overloaded when the queue is full, Unavailable after `close`.
        """
        for write in writes:
            _check(write)
        if self._thread is None:
            with self._alone:
                self._writer.commit(writes)
            return
        try:
            self._queue.put(writes)
        except Overloaded:
            self._metrics.overloads.inc()
            raise
        self._metrics.queued.set(self._queue.samples)

    def querier(self) -> Snapshot:
        """Return an immutable view of what is committed now."""
        return self._head.snapshot()

    def subscribe(self, listener: CommitListener) -> None:
        """Have `listener` told of every commit, on the writer's thread."""
        self._writer.subscribe(listener)

    @property
    def log_directory(self) -> Path | None:
        """Where the log's segments are; None for a store in memory."""
        return None if self._directory is None else self._directory.wal

    def hold_log(self, needed: Needed) -> None:
        """Keep every segment of the log from the number on that `needed()` returns."""
        self._wal.hold(needed)

    def maintain(self) -> None:
        """Apply the retention and work on blocks now; a store with threads does so by itself."""
        with self._alone:
            self._writer.maintain()
        if self._keeper is not None:
            self._keeper.run_once()

    def delete(self, matchers: Sequence[Matcher], start: Timestamp, end: Timestamp) -> None:
        """See `ports.Deleter`."""
        if not matchers:
            raise InvalidInput("no matchers: nothing is deleted")
        if end < start:
            return
        start, end = max(start, -FURTHEST), min(end, FURTHEST)
        if self._keeper is not None:
            self._keeper.delete(matchers, start, end)
        else:
            self._writer.delete(matchers, start, end)

    def clean_tombstones(self) -> None:
        """See `ports.Deleter`."""
        if self._keeper is not None:
            self._keeper.clean_tombstones()

    def healthy(self) -> Health:
        """Tell whether samples are taken in and kept."""
        if self._thread is not None and not self._thread.alive:
            return Health(ok=False, reason="the sample store's writer has ended")
        failure = self._wal.failure or (self._thread.failure if self._thread else "")
        return Health(ok=not failure, reason=failure)

    def flush(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Wait until what is queued by now is visible; False when time is up."""
        return self._thread is None or self._queue.join(seconds)

    async def drain(self) -> None:
        """Wait until what is queued by now is visible."""
        await asyncio.to_thread(self.flush)

    async def close(self) -> None:
        """Commit what is queued, sync the log and give the directory free."""
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """`close` for those who may block. Appends raise Unavailable from then on."""
        if self._thread is None:
            return
        if self._blocks_thread is not None and not self._blocks_thread.stop(_CLOSE_SECONDS):
            log.error("work on blocks does not end")
            return
        self._queue.close()
        if not self._thread.join(_CLOSE_SECONDS):
            log.error("sample store writer does not end", queued=self._queue.samples)
            return
        self._wal.close()
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    def _start(self) -> None:
        self._wal.start()
        self._thread = WriterThread(
            self._writer, self._queue, self._options, self._clock, self._metrics
        )
        self._thread.start()
        if self._keeper is not None:
            interval = self._options.maintenance_interval / 1000
            self._blocks_thread = KeeperThread(self._keeper, interval, self._metrics)
            self._blocks_thread.start()

    def _keep(self, shelf: Shelf) -> Keeper:
        """Open the blocks, and have the head's snapshots reach into them."""
        archive = Archive(shelf.load())
        served = max((block.meta.max_time for block in archive.blocks), default=NEVER)
        keeper = Keeper(shelf, archive, self._writer, self._options, self._clock, self._metrics)
        past = Past(served, served, (), archive, HeadIdentities(), keeper.damaged)
        self._head.extend(past)
        self._known = Known(served, max((b.meta.late_until for b in archive.blocks), default=0))
        return keeper

    def _recover(self, directory: Path) -> Recovery:
        begin = self._clock.monotonic()
        writer = self._writer
        loading = Loading(self.refs, writer.load, writer.load_histograms, writer.reload_deletion)
        recovery = replay(directory, loading, self._known)
        self._metrics.wal_corruptions.inc(recovery.corruptions)
        self._metrics.wal_replayed.inc(recovery.samples)
        if recovery.segments:
            log.info(
                "log read back",
                segments=len(recovery.segments),
                samples=recovery.samples,
                orphans=recovery.orphans,
                corruptions=recovery.corruptions,
                series=len(self._index),
                seconds=round(self._clock.monotonic() - begin, 3),
            )
        return recovery


def _check(write: Write) -> None:
    """Refuse a write whose columns do not fit, before it can spoil its group."""
    size = len(write.refs)
    if len(write.values) != size:
        raise InvalidInput(f"write of {write.origin!r}: {size} series, {len(write.values)} values")
    if write.histograms is not None and len(write.histograms) != size:
        number = len(write.histograms)
        raise InvalidInput(f"write of {write.origin!r}: {size} series, {number} histograms")
    times = write.times
    # The type first: a union costs more than all the rest, at thousands of writes a second.
    if type(times) is int or isinstance(times, int | np.integer):
        return
    if len(times) != size:
        raise InvalidInput(f"write of {write.origin!r}: {size} series, {len(times)} times")
