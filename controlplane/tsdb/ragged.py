"""Samples of irregular series: a short tail in order of arrival, then sorted runs.

New samples join the tail; when it is long it becomes a run (sorted by series,
then time), and small neighbouring runs are merged, so that a reader looks at
few of them. Runs never change: a reader keeps the ones it began with.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.samples import Refs, Times, Values
from controlplane.tsdb import runs
from controlplane.tsdb.runs import Samples

_TAIL: Final = 16_384
_LARGEST_MERGE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """Samples sorted by series and time; `refs` (m,) are the series, rising."""

    refs: Refs
    samples: Samples
    oldest: Timestamp
    latest: Timestamp

    @classmethod
    def sort(cls, refs: Refs, times: Times, values: Values) -> "Run":
        """Sort samples that stand in order of time within each series. There must be some."""
        order = np.argsort(refs, kind="stable")
        refs, times, values = refs[order], times[order], values[order]
        starts = np.flatnonzero(np.concatenate(([True], refs[1:] != refs[:-1])))
        offsets = np.concatenate((starts, [len(refs)]))
        samples = Samples(values, times, offsets)
        return cls(refs[starts], samples, int(times.min()), int(times.max()))

    def read(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return the samples of `refs` within (start, end]."""
        places = np.minimum(np.searchsorted(self.refs, refs), len(self.refs) - 1)
        found = runs.cut(self.samples, places, self.refs[places] == refs)
        if start < self.oldest and self.latest <= end:
            return found
        return runs.keep(found, (found.times > start) & (found.times <= end))

    def owners(self) -> Refs:
        """Return the series of each sample."""
        return np.repeat(self.refs, self.samples.counts)

    def without(self, refs: Refs, start: Timestamp, end: Timestamp) -> "Run | None":
        """Return the run without the samples of `refs` within [start, end]; None: nothing left."""
        owners, times = self.owners(), self.samples.times
        left = ~(np.isin(owners, refs) & (times >= start) & (times <= end))
        if left.all():
            return self
        if not left.any():
            return None
        return Run.sort(owners[left], times[left], self.samples.values[left])


@dataclass(slots=True)
class RaggedView:
    """What one snapshot sees. The tail is sorted when somebody first asks."""

    runs: tuple[Run, ...]
    tail: tuple[Refs, Times, Values]
    _sorted: tuple[Run, ...] | None = field(default=None, repr=False)

    def read(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return the samples of `refs` within (start, end], staleness markers too."""
        parts = [
            run.read(refs, start, end)
            for run in self.all()
            if run.latest > start and run.oldest <= end
        ]
        return runs.merge(len(refs), parts)

    def all(self) -> tuple[Run, ...]:
        """Return everything in sorted runs, older ones first."""
        done = self._sorted
        if done is None:
            tail = (Run.sort(*self.tail),) if len(self.tail[0]) else ()
            done = self._sorted = self.runs + tail
        return done


class Ragged:
    """The writing side; one writer only."""

    def __init__(self) -> None:
        self._runs: tuple[Run, ...] = ()
        self._size = 0
        self._new_tail()

    def append(self, refs: Refs, times: Times, values: Values) -> None:
        """Add samples, each newer than what its series has."""
        end = self._size + len(refs)
        if end > _TAIL:
            self._seal(refs, times, values)
            return
        self._refs[self._size : end] = refs
        self._times[self._size : end] = times
        self._values[self._size : end] = values
        self._size = end

    def view(self) -> RaggedView:
        size = self._size
        return RaggedView(self._runs, (self._refs[:size], self._times[:size], self._values[:size]))

    def without(self, refs: Refs, start: Timestamp, end: Timestamp) -> "Ragged":
        """Return a copy without the samples of `refs` within [start, end]."""
        left, view = Ragged(), self.view()
        cleaned = [run.without(refs, start, end) for run in view.all()]
        left._runs = tuple(run for run in cleaned if run is not None)
        return left

    def drop_before(self, cutoff: Timestamp) -> None:
        """Forget the runs that hold nothing at or after `cutoff`."""
        if self._size and int(self._times[: self._size].max()) < cutoff:
            self._new_tail()
        self._runs = tuple(run for run in self._runs if run.latest >= cutoff)

    def _new_tail(self) -> None:
        # Always fresh arrays: a reader may still look at the ones before.
        self._refs = np.empty(_TAIL, dtype=np.int64)
        self._times = np.empty(_TAIL, dtype=np.int64)
        self._values = np.empty(_TAIL, dtype=np.float64)
        self._size = 0

    def _seal(self, refs: Refs, times: Times, values: Values) -> None:
        size = self._size
        fresh = Run.sort(
            np.concatenate((self._refs[:size], refs)),
            np.concatenate((self._times[:size], times)),
            np.concatenate((self._values[:size], values)),
        )
        self._new_tail()
        done = [*self._runs, fresh]
        while len(done) > 1 and _worth_merging(done[-2], done[-1]):
            newer, older = done.pop(), done.pop()
            done.append(_merge(older, newer))
        self._runs = tuple(done)


def _worth_merging(older: Run, newer: Run) -> bool:
    left, right = len(older.samples.times), len(newer.samples.times)
    return left <= 2 * right and left + right <= _LARGEST_MERGE


def _merge(older: Run, newer: Run) -> Run:
    return Run.sort(
        np.concatenate((older.owners(), newer.owners())),
        np.concatenate((older.samples.times, newer.samples.times)),
        np.concatenate((older.samples.values, newer.samples.values)),
    )
