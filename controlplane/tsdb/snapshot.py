"""One immutable view of the head: the `Querier` that everybody reads through."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Refs, Times, Values
from controlplane.tsdb import runs
from controlplane.tsdb.index import IndexState
from controlplane.tsdb.ports import CounterWindows, Instants, Window
from controlplane.tsdb.ragged import RaggedView
from controlplane.tsdb.runs import Samples


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest sample of each series, by number: copies, so nobody writes them."""

    times: Times
    values: Values


class Snapshot:
    """What had been committed when it was taken. Safe to use from any thread."""

    __slots__ = ("_bound", "_index", "_newest", "_ragged", "generation")

    def __init__(
        self,
        index: IndexState,
        bound: int,
        generation: int,
        newest: Newest,
        ragged: RaggedView,
    ) -> None:
        self._index = index
        self._bound = bound
        self._newest = newest
        self._ragged = ragged
        self.generation = generation

    def select(self, matchers: Sequence[Matcher]) -> Refs:
        return self._index.select(matchers, self._bound)

    def labels(self, refs: Refs) -> Sequence[Labels]:
        return self._index.labels(refs.tolist())

    def label_names(self) -> Sequence[str]:
        return self._index.names(self._bound)

    def label_values(self, name: str) -> Sequence[str]:
        return self._index.values(name, self._bound)

    def instants(self, refs: Refs, times: Times, lookback: Duration) -> Instants:
        times = np.asarray(times, dtype=np.int64)
        return runs.newest(
            self._samples(refs, int(times.min()) - lookback, int(times.max())), times, lookback
        )

    def window(self, refs: Refs, start: Timestamp, end: Timestamp) -> Window:
        found = runs.without_stale(self._samples(refs, start, end))
        return Window(found.values, found.times, found.offsets)

    def counters(self, refs: Refs, ends: Times, width: Duration) -> CounterWindows:
        ends = np.asarray(ends, dtype=np.int64)
        samples = self._samples(refs, int(ends.min()) - width, int(ends.max()))
        return runs.course(runs.without_stale(samples), ends, width)

    def _samples(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        return self._ragged.read(refs, start, end)
