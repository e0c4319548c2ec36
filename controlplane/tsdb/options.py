"""What an operator may set of the sample store (`storage.tsdb` of the file)."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration

HOUR: Final[Duration] = 3_600_000


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Sizes and times of one store.

    `retention` is how long samples stay (0: for ever), `retention_size` how many
    bytes blocks and log may take together before the oldest blocks go (0: no
    bound). The newest samples, `head_window` and up to a `block_range` more, are
    in memory; older ones in blocks on disk, each of one `block_range` at first.
    `block_cache_bytes` bounds what is kept decoded of blocks. `max_series` bounds the
    label sets alive at once (0: no bound). `wal_segment_bytes` is the size at
    which a new log segment begins, `wal_fsync_interval` the time that a power
    cut (not a killed process) may cost. `queue_samples` bounds what waits for
    the writer; beyond it `append` raises Overloaded. Two commits are at least
    `commit_interval` apart, so that many small writes share one; the first
    after a pause is not delayed.
    """

    retention: Duration = 15 * 24 * HOUR
    retention_size: int = 0
    head_window: Duration = 2 * HOUR
    block_range: Duration = 2 * HOUR
    block_cache_bytes: int = 64 * 1024 * 1024
    max_series: int = 2_000_000
    wal_segment_bytes: int = 128 * 1024 * 1024
    wal_fsync_interval: Duration = 1_000
    queue_samples: int = 4_000_000
    commit_interval: Duration = 20
    maintenance_interval: Duration = 60_000
