"""The store as the rest of the program sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from controlplane.clock import Clock, SystemClock
from controlplane.errors import InvalidInput, Overloaded
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs
from controlplane.tsdb.head import Head
from controlplane.tsdb.index import Index
from controlplane.tsdb.metrics import StoreMetrics
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import CommitListener, Write
from controlplane.tsdb.queue import WriteQueue
from controlplane.tsdb.snapshot import Snapshot
from controlplane.tsdb.writer import Log, NoLog, Writer, WriterThread

_CLOSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the store takes samples and keeps them; the reason where not."""

    ok: bool
    reason: str = ""


class Store:
    """An Appender and a Queryable over one head."""

    def __init__(
        self, options: StoreOptions, clock: Clock, registry: CollectorRegistry, wal: Log
    ) -> None:
        self._clock = clock
        self._metrics = StoreMetrics(registry)
        self._index = Index(max_series=options.max_series)
        self._head = Head(self._index)
        self._writer = Writer(self._index, self._head, wal, options, clock, self._metrics)
        self._queue = WriteQueue(options.queue_samples)
        self._thread: WriterThread | None = None

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
        options say otherwise; only one thread may append.
        """
        return cls(
            options or StoreOptions(retention=0),
            clock or SystemClock(),
            registry or CollectorRegistry(),
            NoLog(),
        )

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
        _check(writes)
        if self._thread is None:
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

    def flush(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Wait until what is queued by now is visible; False when time is up."""
        return self._queue.join(seconds)


def _check(writes: Sequence[Write]) -> None:
    """Refuse a write whose columns do not fit, before it can spoil its group."""
    for write in writes:
        size = len(write.refs)
        if len(write.values) != size:
            raise InvalidInput(
                f"write of {write.origin!r}: {size} series, {len(write.values)} values"
            )
        if not isinstance(write.times, int) and len(write.times) != size:
            raise InvalidInput(
                f"write of {write.origin!r}: {size} series, {len(write.times)} times"
            )
