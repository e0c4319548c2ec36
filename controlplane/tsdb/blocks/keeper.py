"""What happens to blocks: written from the head, made one of several, cleaned, dropped."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import Unavailable
from controlplane.model.matchers import Matcher
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.blocks.archive import Archive
from controlplane.tsdb.blocks.block import Block
from controlplane.tsdb.blocks.errors import Corrupt, Interrupted
from controlplane.tsdb.blocks.meta import BlockMeta
from controlplane.tsdb.blocks.planning import levels, plan
from controlplane.tsdb.blocks.sealed import Sealed
from controlplane.tsdb.blocks.shelf import Shelf
from controlplane.tsdb.blocks.sources import BlocksSource, HeadSource, ordered
from controlplane.tsdb.blocks.writing import Origin, Source, write_block
from controlplane.tsdb.metrics import StoreMetrics
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.sift import NEVER

log = get_logger(__name__)

# Late samples go into a block when there are so many, or when they have waited so long.
_MANY_LATE: Final = 1_000_000
_LATE_WAIT: Final[Duration] = 1_800_000
# A block is rewritten when more of its series than this have samples deleted.
_DELETED_PART: Final = 0.05


class Memory(Protocol):
    """What is needed of the head's one writer. All of it may be called from any thread."""

    @property
    def late_samples(self) -> int: ...
    @property
    def log_bytes(self) -> int: ...
    def seal(self, floor: Timestamp) -> Sealed: ...
    def publish(self, archive: Archive, sealed: Sealed | None, served: Timestamp) -> None: ...
    def delete(self, matchers: Sequence[Matcher], start: Timestamp, end: Timestamp) -> None: ...


@dataclass(frozen=True, slots=True)
class _Deletion:
    matchers: Sequence[Matcher]
    start: Timestamp
    end: Timestamp


@dataclass(slots=True)
class _Job:
    """A block being written: what is deleted meanwhile has to be deleted from it too."""

    deletions: list[_Deletion] = field(default_factory=list)


class Keeper:
    """One thread at a time works on blocks; deletions do not wait for it."""

    def __init__(
        self,
        shelf: Shelf,
        archive: Archive,
        memory: Memory,
        options: StoreOptions,
        clock: Clock,
        metrics: StoreMetrics,
    ) -> None:
        self._shelf = shelf
        self._archive = archive
        self._memory = memory
        self._options = options
        self._clock = clock
        self._metrics = metrics
        self._levels = levels(options.block_range, options.retention)
        # Held while blocks are written; and, for moments only, while the archive changes.
        self._working = threading.Lock()
        self._changing = threading.RLock()
        self._job: _Job | None = None
        self._served = max((block.meta.max_time for block in archive.blocks), default=NEVER)
        self._cut_until = self._served
        self._late_since: Timestamp | None = None
        self._failing: set[str] = set()
        self._stopping = threading.Event()
        self._count()

    def run_once(self) -> None:
        """Do all that is due: cut, compact, drop. What fails is counted, and tried again later."""
        with self._working:
            self._guard("cut", self._cut_due)
            self._guard("retain", self._retain)
            self._guard("compact", self._compact_all)
            self._count()

    def stop(self) -> None:
        """Begin no further work."""
        self._stopping.set()

    def delete(self, matchers: Sequence[Matcher], start: Timestamp, end: Timestamp) -> None:
        """See `ports.Deleter`. Raises Unavailable where it cannot be kept."""
        try:
            with self._changing:
                if self._job is not None:
                    self._job.deletions.append(_Deletion(matchers, start, end))
                for block in self._archive.blocks:
                    block.delete(matchers, start, end)
                self._memory.delete(matchers, start, end)
                # Another archive is another generation: nothing computed before is used again.
                self._publish(self._archive.blocks)
        except OSError as error:
            raise Unavailable(f"the deletion cannot be kept: {error.strerror or error}") from None

    def clean_tombstones(self) -> None:
        """See `ports.Deleter`."""
        try:
            with self._working:
                for block in self._archive.blocks:
                    if block.tombstones:
                        self._rewrite([block])
                self._count()
        except (OSError, Corrupt) as error:
            self._metrics.block_failures.labels("clean").inc()
            raise Unavailable(f"tombstones cannot be cleaned: {error}") from None

    def damaged(self, block: Block, error: Exception) -> None:
        """Take a block out of use that turned out not to be what was written."""
        if isinstance(error, OSError):
            self._metrics.block_failures.labels("read").inc()
            log.warning("block cannot be read", block=block.meta.name, reason=str(error))
            return
        with self._changing:
            left = [each for each in self._archive.blocks if each is not block]
            if len(left) < len(self._archive.blocks):
                self._shelf.set_aside(block.path, error)
                self._publish(left)
                self._count()

    # Cutting

    def _cut_due(self) -> None:
        now = self._clock.now()
        floor = _aligned(now - self._options.head_window, self._options.block_range)
        late = self._memory.late_samples
        self._late_since = (self._late_since or now) if late else None
        waited = self._late_since is not None and now - self._late_since >= _LATE_WAIT
        if floor > self._cut_until or late >= _MANY_LATE or waited:
            self._cut(max(floor, self._cut_until))

    def _cut(self, floor: Timestamp) -> None:
        """Write what the head has before `floor`, and all late samples, into blocks."""
        with self._job_of_deletions() as job:
            sealed = self._memory.seal(floor)
            blocks = self._write_ranges(sealed, floor)
            with self._changing:
                self._delete_from(blocks, job)
                self._served = max(self._served, floor)
                self._publish((*self._archive.blocks, *blocks), sealed)
        self._cut_until, self._late_since = floor, None
        self._metrics.blocks_written.labels("head").inc(len(blocks))

    def _write_ranges(self, sealed: Sealed, floor: Timestamp) -> list[Block]:
        """Write a block for each range of time that has samples, the oldest first."""
        width, snapshot = self._options.block_range, sealed.snapshot
        late = snapshot.late
        numbers = snapshot.ranges(width, self._served, floor)
        refs = ordered(snapshot) if numbers else np.zeros(0, dtype=np.int64)
        blocks: list[Block] = []
        try:
            for number in numbers:
                span = (number * width, (number + 1) * width)
                # The last one says that all late samples are in blocks by now.
                until = sealed.number if number == numbers[-1] else 0
                source = HeadSource(snapshot, refs, late, span, self._served)
                blocks += self._write(Origin(*span, late_until=until), source)
        except BaseException:
            self._shelf.remove(blocks)
            raise
        return blocks

    # Compaction

    def _compact_all(self) -> None:
        while not self._stopping.is_set():
            metas = [block.meta for block in self._archive.blocks]
            chosen = {meta.name for meta in plan(metas, self._levels) or self._much_deleted()}
            if not chosen:
                return
            blocks = [block for block in self._archive.blocks if block.meta.name in chosen]
            try:
                self._rewrite(blocks)
            except Corrupt as error:
                self._out_of_use(blocks, error)
            else:
                self._metrics.compactions.inc()

    def _out_of_use(self, blocks: Sequence[Block], error: Corrupt) -> None:
        """Take the one of `blocks` out of use that could not be read."""
        bad = [block for block in blocks if block.meta.name == error.block]
        if not bad:
            raise error
        self.damaged(bad[0], error)

    def _much_deleted(self) -> list[BlockMeta]:
        for block in self._archive.blocks:
            if block.tombstones.series > _DELETED_PART * block.meta.series:
                return [block.meta]
        return []

    def _rewrite(self, blocks: Sequence[Block]) -> None:
        """Put one block in the place of several, or of one without what was deleted."""
        metas = [block.meta for block in blocks]
        origin = Origin(
            min(meta.min_time for meta in metas),
            max(meta.max_time for meta in metas),
            level=max(meta.level for meta in metas) + (len(metas) > 1),
            parents=tuple(meta.name for meta in metas),
            late_until=max(meta.late_until for meta in metas),
        )
        with self._job_of_deletions() as job:
            fresh = self._write(origin, BlocksSource(blocks))
            with self._changing:
                self._delete_from(fresh, job)
                kept = [each for each in self._archive.blocks if each not in blocks]
                self._publish((*kept, *fresh))
                self._shelf.remove(blocks)
        self._metrics.blocks_written.labels("compaction").inc(len(fresh))

    # Retention

    def _retain(self) -> None:
        """Drop what is older than the retention, then the oldest until the rest fits."""
        keep = list(self._archive.blocks)
        if self._options.retention:
            cutoff = self._clock.now() - self._options.retention
            keep = [block for block in keep if block.meta.max_time > cutoff]
        if self._options.retention_size:
            size = self._memory.log_bytes + sum(block.nbytes for block in keep)
            while keep and size > self._options.retention_size:
                size -= keep.pop(0).nbytes
        gone = [block for block in self._archive.blocks if block not in keep]
        if gone:
            with self._changing:
                self._publish(keep)
                self._shelf.remove(gone)
            self._metrics.blocks_dropped.inc(len(gone))
            log.info("blocks dropped", number=len(gone), left=len(keep))

    # Shared

    def _write(self, origin: Origin, source: Source) -> list[Block]:
        begin = self._clock.monotonic()
        path = write_block(self._shelf.root, origin, source, self._stopped)
        block = None if path is None else self._shelf.open(path)
        if block is None:
            return []
        log.info(
            "block written",
            block=block.meta.name,
            level=block.meta.level,
            series=block.meta.series,
            samples=block.meta.samples,
            bytes=block.nbytes,
            seconds=round(self._clock.monotonic() - begin, 3),
        )
        return [block]

    @contextmanager
    def _job_of_deletions(self) -> Iterator[_Job]:
        with self._changing:
            job = self._job = _Job()
        try:
            yield job
        finally:
            with self._changing:
                self._job = None

    @staticmethod
    def _delete_from(blocks: Sequence[Block], job: _Job) -> None:
        for block in blocks:
            for gone in job.deletions:
                block.delete(gone.matchers, gone.start, gone.end)

    def _publish(self, blocks: Sequence[Block], sealed: Sealed | None = None) -> None:
        self._archive = Archive(blocks)
        self._memory.publish(self._archive, sealed, self._served)

    def _stopped(self) -> bool:
        return self._stopping.is_set()

    def _guard(self, operation: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Interrupted:
            log.info("work on blocks is left for the next start", operation=operation)
        except (OSError, Corrupt) as error:
            self._metrics.block_failures.labels(operation).inc()
            if operation not in self._failing:
                log.error("blocks cannot be kept", operation=operation, reason=str(error))
            self._failing.add(operation)
        else:
            self._failing.discard(operation)

    def _count(self) -> None:
        blocks = self._archive.blocks
        self._metrics.blocks.set(len(blocks))
        self._metrics.block_bytes.set(sum(block.nbytes for block in blocks))
        self._metrics.late_samples.set(self._memory.late_samples)


class KeeperThread:
    """Has a keeper work, again and again, until it is stopped."""

    def __init__(self, keeper: Keeper, interval: float, metrics: StoreMetrics) -> None:
        self._keeper = keeper
        self._interval = interval
        self._metrics = metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tsdb-blocks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """End what is going on, without its result; tell whether it has ended in time."""
        self._stopping.set()
        self._keeper.stop()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self._keeper.run_once()
            except Exception:
                self._metrics.block_failures.labels("unexpected").inc()
                log.exception("work on blocks failed")


def _aligned(instant: Timestamp, width: Duration) -> Timestamp:
    """Return the last multiple of `width` that is not after `instant`."""
    return instant // width * width
