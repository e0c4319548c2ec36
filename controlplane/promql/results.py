"""Results that several rules need at the same instant, computed once.

A group of rules asks for `rate(http_requests_total[5m])` again and again, each
time within something else. The latest columns of such parts are kept while
nothing that they were computed from has changed, up to a bound in bytes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from controlplane.model.samples import Mask, Times, Values
from controlplane.promql.metrics import EngineMetrics

# Values and where there are any, each (n, k).
Columns = tuple[Values, Mask]


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """What was computed, from these very objects and up to these samples."""

    inputs: tuple[object, ...]
    newest: Times | None
    columns: Columns
    size: int


class Results:
    """The columns last computed, the least recently used going first. Safe between threads."""

    def __init__(self, most_bytes: int, metrics: EngineMetrics) -> None:
        self._most = most_bytes
        self._metrics = metrics
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._known: dict[int, int] = {}
        self._bytes = 0

    def get(
        self,
        key: Hashable,
        inputs: tuple[object, ...],
        newest: Times | None,
        make: Callable[[], Columns],
    ) -> Columns:
        """Return `make()`, or the columns that it returned before.

        They are the same while `key` is equal, `inputs` are the very same
        objects, and `newest`, the instants of the newest samples read, are
        equal. Nobody may write to them.
        """
        full = (key, tuple(map(id, inputs)))
        with self._lock:
            entry = self._entries.get(full)
            if entry is not None:
                self._entries.move_to_end(full)
        if entry is not None and _same(entry.newest, newest):
            self._metrics.shared.inc()
            return entry.columns
        columns = make()
        size = columns[0].nbytes + columns[1].nbytes
        if 4 * size <= self._most:
            self._keep(full, _Entry(inputs, newest, columns, size))
        return columns

    def holds(self, values: Values) -> bool:
        """Tell whether these very values are kept, so that what is made of them is worth it."""
        return id(values) in self._known

    def _keep(self, full: Hashable, entry: _Entry) -> None:
        with self._lock:
            self._drop(self._entries.pop(full, None))
            self._entries[full] = entry
            self._bytes += entry.size
            place = id(entry.columns[0])
            self._known[place] = self._known.get(place, 0) + 1
            while self._bytes > self._most:
                self._drop(self._entries.popitem(last=False)[1])
            self._metrics.shared_bytes.set(self._bytes)

    def _drop(self, entry: _Entry | None) -> None:
        if entry is None:
            return
        self._bytes -= entry.size
        place = id(entry.columns[0])
        self._known[place] -= 1
        if not self._known[place]:
            del self._known[place]


def _same(left: Times | None, right: Times | None) -> bool:
    if left is None or right is None:
        return left is right
    return np.array_equal(left, right)
