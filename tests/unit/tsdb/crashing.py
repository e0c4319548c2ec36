"""A process that writes into a store until it is killed; it prints what a query has shown.

python -m tests.unit.tsdb.crashing DIRECTORY
"""

import resource
import sys
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.telemetry.logs import configure_logs
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store

SERIES = 50


def main() -> None:
    configure_logs()
    limited = len(sys.argv) > 2
    if limited:
        largest = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    options = StoreOptions(wal_segment_bytes=20_000, commit_interval=1)
    store = Store.open(Path(sys.argv[1]), options, SystemClock(), CollectorRegistry())
    refs = store.refs([Labels({"__name__": "m", "n": str(n)}) for n in range(SERIES)])
    tick = newest(store, refs) or SystemClock().now() - 3_600_000
    say("ready")
    while True:
        tick += 1000
        store.append([Write("o", tick, refs, np.full(SERIES, float(tick)))])
        if limited:
            store.flush()  # each tick is a record of its own: the first ones fit
        if (shown := newest(store, refs)) is not None:
            say(str(shown))


def say(line: str) -> None:
    """Tell the test, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def newest(store: Store, refs: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int | None:
    """Return the instant of the newest sample that a query shows, None before the first."""
    end = np.array([2**45], dtype=np.int64)
    found = store.querier().instants(refs, end, 2**45)
    if not found.present.any():
        return None
    assert found.present.all()
    return int(found.times.min())


if __name__ == "__main__":
    main()
