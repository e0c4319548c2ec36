"""One immutable view of the head: the `Querier` that everybody reads through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Mask, Refs, Times, Values, is_stale
from controlplane.tsdb import runs
from controlplane.tsdb.blocks.past import Past
from controlplane.tsdb.histograms import PoolView
from controlplane.tsdb.homes import RAGGED, HomesView
from controlplane.tsdb.index import IndexState
from controlplane.tsdb.lattice import Lattice, along
from controlplane.tsdb.ports import CounterWindows, Instants, Querier, Window
from controlplane.tsdb.ragged import RaggedView
from controlplane.tsdb.runs import Samples
from controlplane.tsdb.sift import FURTHEST
from controlplane.tsdb.slabview import SlabView

# A lattice is read whole, so what is longer is read in another way.
_MOST_CELLS: Final = 16_000_000
# Instants are near each other while there are this many to a lookback.
_SPARSE: Final = 4


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest sample of each series, by number: copies, so nobody writes them."""

    times: Times
    values: Values


class Snapshot:
    """What had been committed when it was taken. Safe to use from any thread."""

    __slots__ = (
        "_bound",
        "_histograms",
        "_homes",
        "_index",
        "_newest",
        "_past",
        "_ragged",
        "_slabs",
        "generation",
    )

    def __init__(
        self,
        index: IndexState,
        bound: int,
        generation: int,
        newest: Newest,
        homes: HomesView,
        ragged: RaggedView,
        slabs: Sequence[SlabView],
        histograms: PoolView | None = None,
        past: Past | None = None,
    ) -> None:
        self._index = index
        self._bound = bound
        self._newest = newest
        self._homes = homes
        self._ragged = ragged
        self._slabs = slabs
        self._histograms = histograms
        self._past = past
        self.generation = generation

    def reaching(self, start: Timestamp) -> Querier:
        """See `ports.Querier`."""
        if self._past is None or start >= self._past.floor - 1:
            return self
        return self._past.reaching(self, start)

    @property
    def pool(self) -> PoolView | None:
        """The native histograms in memory."""
        return self._histograms

    @property
    def late(self) -> Sequence[RaggedView]:
        """The samples that came too late for the head, older ones of a series first."""
        return () if self._past is None else self._past.late

    def ranges(self, width: Duration, start: Timestamp, end: Timestamp) -> list[int]:
        """Return the numbers n of the ranges [n * width, (n + 1) * width) that may hold samples
        within [start, end), or late ones; rising.
        """
        found = {number for slab in self._slabs for number in slab.ranges(width, start, end)}
        for part, low, high in (
            (self._ragged, start, end),
            *((late, -FURTHEST, FURTHEST) for late in self.late),
        ):
            for run in part.all():
                times = run.samples.times
                found.update(np.unique(times[(times >= low) & (times < high)] // width).tolist())
        return sorted(found)

    def history(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return all samples in memory of `refs`, which rise, within (start, end], staleness
        markers too; without those that came too late.
        """
        if self._homes.moved(refs, start).any():
            return self._everything(refs, start, end)
        return self._samples(refs, start, end)

    def select(self, matchers: Sequence[Matcher]) -> Refs:
        return self._index.select(matchers, self._bound)

    def labels(self, refs: Refs) -> Sequence[Labels]:
        return self._index.labels(refs.tolist())

    def newest_times(self, refs: Refs) -> Times:
        newest: Times = self._newest.times[refs]
        return newest

    def label_names(self) -> Sequence[str]:
        return self._index.names(self._bound)

    def label_values(self, name: str) -> Sequence[str]:
        return self._index.values(name, self._bound)

    def histograms(self, refs: Refs) -> PoolView | None:
        pool = self._histograms
        return pool if pool is not None and pool.concerns(refs) else None

    def instants(self, refs: Refs, times: Times, lookback: Duration) -> Instants:
        """See `ports.Querier`. Only series that have newer samples than asked for are
        looked up in their history.
        """
        times = np.asarray(times, dtype=np.int64)
        last = self._newest.times[refs]
        values = np.repeat(self._newest.values[refs][:, None], len(times), axis=1)
        at = np.repeat(last[:, None], len(times), axis=1)
        present = (at > times - lookback) & (at <= times) & ~is_stale(values)
        past = last > times.min(initial=FURTHEST)
        if past.any():
            older = self._history(refs[past], times, lookback)
            before = last[past][:, None] > times
            values[past] = np.where(before, older.values, values[past])
            at[past] = np.where(before, older.times, at[past])
            present[past] = np.where(before, older.present, present[past])
        return Instants(values, at, present)

    def window(self, refs: Refs, start: Timestamp, end: Timestamp) -> Window:
        found = runs.without_stale(self.history(refs, start, end))
        return Window(found.values, found.times, found.offsets)

    def _samples(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return the samples of series, but for those left behind in slabs."""
        latest = self._newest.times[refs]
        parts = []
        old = self._homes.in_ragged(refs, start)
        if old.any():
            found = self._ragged.read(refs[old], start, end)
            parts.append(runs.spread(found, old))
        for slab, here in self._by_slab(refs):
            found = slab.samples(self._homes.cols[refs[here]], start, end, latest[here])
            parts.append(runs.spread(found, here))
        return runs.merge(len(refs), parts)

    def _everything(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return all samples of series, also of those that have left slabs."""
        unique, places = np.unique(refs, return_inverse=True)
        present = self._samples(unique, start, end)
        parts = [(present.owners(), present.times, present.values)]
        for stays in self._homes.former(unique, start):
            slab = self._slabs[int(stays.slabs[0])]
            slab = slab.formerly(stays.cols, stays.phases, stays.firsts)
            left = slab.samples(stays.cols, start, end, stays.untils)
            owners = np.searchsorted(unique, stays.refs)[left.owners()]
            parts.append((owners, left.times, left.values))
        owners, times, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        whole = runs.sort(len(unique), owners, times, values)
        return runs.cut(whole, places, np.ones(len(places), dtype=np.bool_))

    def lattices(self, refs: Refs, ends: Times, width: Duration) -> Sequence[tuple[Refs, Lattice]]:
        """See `ports.Querier`. Series that are in one slab alone, as far as is asked."""
        ends = np.asarray(ends, dtype=np.int64)
        if not len(refs) or not len(ends):
            return ()
        start = int(ends.min()) - width
        apart = self._homes.in_ragged(refs, start) | self._homes.moved(refs, start)
        found = []
        for slab, here in self._by_slab(refs):
            places = np.flatnonzero(here & ~apart)
            places = places[slab.even(self._homes.cols[refs[places]])]
            if len(places) and slab.slots(ends, width) * len(places) <= _MOST_CELLS:
                asked = refs[places]
                latest = self._newest.times[asked]
                lattice = slab.lattice(self._homes.cols[asked], ends, width, latest)
                found.append((places, lattice))
        return found

    def counters(self, refs: Refs, ends: Times, width: Duration) -> CounterWindows:
        ends = np.asarray(ends, dtype=np.int64)
        if not (refs[1:] > refs[:-1]).all():
            unique, places = np.unique(refs, return_inverse=True)
            return runs.pick(self.counters(unique, ends, width), places)
        whole = runs.no_course(len(refs), len(ends))
        if not len(ends):
            return whole
        start, end = int(ends.min()) - width, int(ends.max())
        old = self._homes.in_ragged(refs, start)
        if old.any():
            samples = runs.without_stale(self._ragged.read(refs[old], start, end))
            runs.put(whole, old, runs.course(samples, ends, width))
        for slab, here in self._by_slab(refs):
            asked = refs[here]
            newer = slab.course(self._homes.cols[asked], ends, width, self._newest.times[asked])
            both = old[here].any()
            if len(asked) == len(refs) and not both:
                whole = newer
                continue
            runs.put(whole, here, runs.follow(runs.pick(whole, here), newer) if both else newer)
        moved = self._homes.moved(refs, start)
        if moved.any():
            samples = runs.without_stale(self._everything(refs[moved], start, end))
            runs.put(whole, moved, runs.course(samples, ends, width))
        return whole

    def _history(self, refs: Refs, times: Times, lookback: Duration) -> Instants:
        """Return the newest samples at instants before the newest of all."""
        start, end = int(times.min()) - lookback, int(times.max())
        whole = runs.nowhere(len(refs), len(times))
        old = self._homes.in_ragged(refs, start)
        if old.any():
            found = runs.newest(self._ragged.read(refs[old], start, end), times, lookback)
            runs.put(whole, old, found)
        dense = np.zeros(len(refs), dtype=np.bool_)
        # Instants far apart are looked up one by one, without what lies between them.
        near = int(times.max() - times.min()) <= len(times) * lookback // _SPARSE
        if len(times) > 1 and near:
            for places, lattice in self.lattices(refs, times, lookback):
                _put_newest(whole, places, lattice)
                dense[places] = True
        for slab, inside in self._by_slab(refs):
            here = inside & ~dense
            asked = refs[here]
            cols, latest = self._homes.cols[asked], self._newest.times[asked]
            for step, time in enumerate(times.tolist() if len(asked) else ()):
                hit = slab.newest(cols, time, lookback, latest)
                rows = np.flatnonzero(here)[hit.found]
                whole.values[rows, step] = hit.values[hit.found]
                whole.times[rows, step] = hit.times[hit.found]
                whole.present[rows, step] = ~is_stale(hit.values[hit.found])
        moved = self._homes.moved(refs, start)
        if moved.any():
            samples = self._everything(refs[moved], start, end)
            runs.put(whole, moved, runs.newest(samples, times, lookback))
        return whole

    def _by_slab(self, refs: Refs) -> Iterator[tuple[SlabView, Mask]]:
        """Yield each slab that is home to some of `refs`, and which of them."""
        homes = self._homes.slabs[refs]
        alike = len(homes) and homes.min() == homes.max()
        for number in homes[:1].tolist() if alike else np.unique(homes).tolist():
            if number != RAGGED:
                yield self._slabs[number], homes == number


def _put_newest(whole: Instants, places: Refs, lattice: Lattice) -> None:
    """Write the newest sample within each window over some rows of an answer."""
    rows, found = lattice.newest()
    values = along(lattice.values, rows)
    found &= ~is_stale(values)
    every = slice(None) if len(places) == len(whole.values) else places
    whole.values[every] = values.T
    whole.times[every] = lattice.instants(rows).T
    whole.present[every] = found.T
