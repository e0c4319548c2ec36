"""What the sample store counts about itself."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REJECTIONS: Final = (
    "out_of_order",
    "duplicate",
    "too_old",
    "out_of_bounds",
    "unknown_series",
    "series_limit",
)


BLOCK_OPERATIONS: Final = ("cut", "compact", "retain", "clean", "read", "unexpected")


class StoreMetrics:
    """The store's own series, registered on construction."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.appended = Counter(
            "controlplane_tsdb_samples_appended", "Samples taken in.", registry=registry
        )
        self.rejected = Counter(
            "controlplane_tsdb_samples_rejected",
            "Samples refused, by reason.",
            ["reason"],
            registry=registry,
        )
        for reason in REJECTIONS:
            self.rejected.labels(reason)
        self.overloads = Counter(
            "controlplane_tsdb_appends_overloaded",
            "Appends refused because the queue was full.",
            registry=registry,
        )
        self.queued = Gauge(
            "controlplane_tsdb_queue_samples",
            "Samples that wait for the writer.",
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "controlplane_tsdb_commit_seconds",
            "Time of one group commit: check, log, publish.",
            buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
            registry=registry,
        )
        self.commit_failures = Counter(
            "controlplane_tsdb_commit_failures",
            "Group commits that ended in an unexpected error.",
            registry=registry,
        )
        self.listener_failures = Counter(
            "controlplane_tsdb_listener_failures",
            "Errors raised by those who are told of commits.",
            registry=registry,
        )
        self.series = Gauge("controlplane_tsdb_series", "Series alive.", registry=registry)
        self.series_created = Counter(
            "controlplane_tsdb_series_created", "Series begun.", registry=registry
        )
        self.series_removed = Counter(
            "controlplane_tsdb_series_removed",
            "Series given up after their last sample had expired.",
            registry=registry,
        )
        self.moves = Counter(
            "controlplane_tsdb_series_moves",
            "Series moved between the regular and the irregular store.",
            ["to"],
            registry=registry,
        )
        for home in ("slab", "ragged"):
            self.moves.labels(home)
        self._wal(registry)
        self._blocks(registry)

    def _blocks(self, registry: CollectorRegistry) -> None:
        self.blocks = Gauge(
            "controlplane_tsdb_blocks", "Blocks of samples on disk.", registry=registry
        )
        self.block_bytes = Gauge(
            "controlplane_tsdb_block_bytes", "Bytes of all blocks on disk.", registry=registry
        )
        self.blocks_written = Counter(
            "controlplane_tsdb_blocks_written",
            "Blocks written, from the head or by compaction.",
            ["source"],
            registry=registry,
        )
        for source in ("head", "compaction"):
            self.blocks_written.labels(source)
        self.blocks_dropped = Counter(
            "controlplane_tsdb_blocks_dropped",
            "Blocks dropped by the retention.",
            registry=registry,
        )
        self.compactions = Counter(
            "controlplane_tsdb_compactions",
            "Blocks made of several, or cleaned of deleted samples.",
            registry=registry,
        )
        self.block_failures = Counter(
            "controlplane_tsdb_block_failures",
            "Failed work on blocks, by operation; it is tried again.",
            ["operation"],
            registry=registry,
        )
        for operation in BLOCK_OPERATIONS:
            self.block_failures.labels(operation)
        self.blocks_corrupt = Counter(
            "controlplane_tsdb_blocks_corrupt",
            "Damaged blocks that were set aside.",
            registry=registry,
        )
        self.late_samples = Gauge(
            "controlplane_tsdb_late_samples",
            "Samples too old for the head that wait for a block.",
            registry=registry,
        )

    def _wal(self, registry: CollectorRegistry) -> None:
        self.wal_bytes = Counter(
            "controlplane_tsdb_wal_written_bytes", "Bytes written to the log.", registry=registry
        )
        self.wal_failures = Counter(
            "controlplane_tsdb_wal_write_failures",
            "Log records that could not be written.",
            registry=registry,
        )
        self.wal_unlogged = Counter(
            "controlplane_tsdb_wal_unlogged_samples",
            "Samples kept in memory only, because the log could not be written.",
            registry=registry,
        )
        self.wal_fsync_failures = Counter(
            "controlplane_tsdb_wal_fsync_failures", "Failed fsyncs of the log.", registry=registry
        )
        self.wal_corruptions = Counter(
            "controlplane_tsdb_wal_corruptions",
            "Damaged places found in the log at start: torn tails and bad records.",
            registry=registry,
        )
        self.wal_replayed = Counter(
            "controlplane_tsdb_wal_replayed_samples",
            "Samples read back from the log at start.",
            registry=registry,
        )
        self.wal_segments = Gauge(
            "controlplane_tsdb_wal_segments", "Segments of the log on disk.", registry=registry
        )
