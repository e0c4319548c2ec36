"""The newest samples of all series, in columns in memory. One writer, many snapshots.

Each series is at home in the ragged store or, once its cadence is known, in a
slab. Samples never move: what it had before it came into a slab stays in
ragged, and what it leaves behind in a slab stays there. So nearly all series
are an older part in ragged and then a newer part in one slab; the few that
have left a slab are put together sample by sample. The newest sample of each
series is kept aside.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar, cast

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Mask, Refs, Times, Values, is_stale
from controlplane.tsdb import runs
from controlplane.tsdb.blocks.archive import Archive
from controlplane.tsdb.blocks.past import Past
from controlplane.tsdb.cadence import Cadence
from controlplane.tsdb.histograms import HistogramPool, HistogramRun
from controlplane.tsdb.homes import RAGGED, Homes, Stays
from controlplane.tsdb.index import Index
from controlplane.tsdb.late import Late
from controlplane.tsdb.metrics import StoreMetrics
from controlplane.tsdb.ports import Write
from controlplane.tsdb.ragged import Ragged
from controlplane.tsdb.runs import Samples
from controlplane.tsdb.sift import FURTHEST, NEVER, Batch, Sifted, gather, sift
from controlplane.tsdb.slab import LONGEST_INTERVAL, Slab
from controlplane.tsdb.slabview import SlabView
from controlplane.tsdb.snapshot import Newest, Snapshot

_Column = TypeVar("_Column", Mask, Times, Values)

# Slabs are for intervals that many share; who sends at his own pace stays ragged.
_MOST_SLABS: Final = 64


class Head:
    """Samples in memory. All that changes them belongs to one writer."""

    def __init__(self, index: Index, metrics: StoreMetrics) -> None:
        self._index = index
        self._metrics = metrics
        # Held while something is published and while a snapshot is taken.
        self._lock = threading.Lock()
        self._ragged = Ragged()
        self._slabs: list[Slab] = []
        self._homes = Homes()
        self._cadence = Cadence()
        self._alive: Mask = np.zeros(0, dtype=np.bool_)
        self._last_times: Times = np.zeros(0, dtype=np.int64)
        self._last_values: Values = np.zeros(0, dtype=np.float64)
        self._histograms = HistogramPool()
        self._late = Late()
        # See `Past`; without a place for blocks all stays in memory.
        self._past: Past | None = None
        self._snapshot: Snapshot | None = None

    def stage(self, writes: Sequence[Write]) -> Batch:
        """Return writes as one batch; histograms wait for those that `admit` lets in."""
        batch = self._histograms.stage(writes, gather(writes))
        return self._histograms.repeated(batch, self._last_times, self._last_values)

    def admit(self, batch: Batch) -> HistogramRun | None:
        """Keep the histograms of a sifted batch; return those to be logged."""
        return self._histograms.admit(batch, self._last_values)

    def restore(self, run: HistogramRun) -> None:
        """Keep histograms that the log holds."""
        self._histograms.restore(run)

    def sift(self, batch: Batch, cutoff: Timestamp) -> Sifted:
        """Tell what of a batch may enter; changes nothing that a reader sees."""
        bound = self._index.bound
        with self._lock:
            self._grow(bound)
        return sift(
            batch,
            alive=self._alive[:bound],
            last_times=self._last_times,
            last_values=self._last_values,
            cutoff=cutoff,
        )

    def commit(self, batch: Batch) -> None:
        """Make a sifted batch visible, whole, to the snapshots taken from now on."""
        if not len(batch):
            return
        with self._lock:
            self._store(self._in_time(batch))
            self._histograms.note(batch)
            newest = _ends(batch.refs)
            refs = batch.refs[newest]
            self._last_times[refs] = batch.times[newest]
            self._last_values[refs] = batch.values[newest]
            self._snapshot = None

    def pack(self) -> None:
        """Do a piece of the work of packing what nobody writes to any longer; changes no answer."""
        for slab in self._slabs:
            slab.pack()

    def snapshot(self) -> Snapshot:
        """Return what is visible now; the same object until something changes."""
        state, bound, generation = self._index.view()
        with self._lock:
            known = self._snapshot
            if known is not None and known.generation == generation:
                return known
            self._grow(bound)
            newest = Newest(self._last_times[:bound].copy(), self._last_values[:bound].copy())
            fresh = Snapshot(
                state,
                bound,
                generation,
                newest,
                self._homes.share(),
                self._ragged.view(),
                [SlabView(slab) for slab in self._slabs],
                self._histograms.view(),
                self._past and replace(self._past, late=self._late.view()),
            )
            self._snapshot = fresh
            return fresh

    @property
    def served(self) -> Timestamp:
        """The instant before which all is in blocks."""
        return NEVER if self._past is None else self._past.served

    @property
    def late_samples(self) -> int:
        """How many samples wait that came too late for the head."""
        return self._late.samples

    def extend(self, past: Past) -> None:
        """Have snapshots reach into blocks, and keep what is older than the floor apart."""
        with self._lock:
            self._past = past
            self._snapshot = None

    def seal(self, floor: Timestamp) -> Snapshot:
        """Take no more samples before `floor` but as late ones; return what there is of them."""
        with self._lock:
            if self._past is not None:
                self._past = replace(self._past, floor=max(floor, self._past.floor))
            self._late.seal()
            self._snapshot = None
        return self.snapshot()

    def publish(self, archive: Archive, served: Timestamp | None = None) -> None:
        """Have snapshots read these blocks; with `served`, all that was sealed is in them."""
        with self._lock:
            if self._past is not None:
                self._past = replace(self._past, archive=archive)
                if served is not None:
                    self._past = replace(self._past, served=max(served, self._past.served))
                    self._late.settle()
            self._snapshot = None

    def holding(self, matchers: Sequence[Matcher], start: Timestamp, end: Timestamp) -> Refs:
        """Return the series that match and have samples within [start, end] in memory."""
        snapshot = self.snapshot()
        refs = snapshot.select(matchers)
        held = snapshot.history(refs, start - 1, end).counts > 0
        for part in self._late.view():
            held |= part.read(refs, start - 1, end).counts > 0
        return refs[held]

    def delete(self, refs: Refs, start: Timestamp, end: Timestamp) -> None:
        """Forget the samples within [start, end] of `refs`, which rise.

        What is left of the series is written anew, into ragged: cells are
        written once, and readers keep what they have.
        """
        snapshot = self.snapshot()
        whole = snapshot.history(refs, -FURTHEST - 1, FURTHEST)
        left = runs.keep(whole, (whole.times < start) | (whole.times > end))
        with self._lock:
            self._late.delete(refs, start, end)
            self._ragged = self._ragged.without(refs, -FURTHEST, FURTHEST)
            for number in range(len(self._slabs)):
                leaving = refs[self._homes.slabs[refs] == number]
                if len(leaving):
                    self._leave(number, leaving)
            self._homes.forget(refs)
            if len(left.times):
                self._ragged.append(refs[left.owners()], left.times, left.values)
            self._remember_newest(refs, left)
            self._snapshot = None

    def _remember_newest(self, refs: Refs, left: Samples) -> None:
        """Note the newest samples of `refs` anew: those left, or else the late ones."""
        self._last_times[refs], self._last_values[refs] = NEVER, 0.0
        parts = [part.read(refs, -FURTHEST - 1, FURTHEST) for part in self._late.view()]
        for samples in (*parts, left):
            present = samples.counts > 0
            newest = samples.offsets[1:][present] - 1
            self._last_times[refs[present]] = samples.times[newest]
            self._last_values[refs[present]] = samples.values[newest]

    def expire(self, cutoff: Timestamp) -> Refs:
        """Drop what is wholly before `cutoff` or in blocks; return the series left without samples.

        Late samples are in no block: only `cutoff` counts for them.
        """
        bound = self._index.bound
        with self._lock:
            self._grow(bound)
            self._late.drop_before(cutoff)
            self._histograms.drop_before(cutoff if self._late.view() else self._bygone(cutoff))
            cutoff = self._bygone(cutoff)
            self._ragged.drop_before(cutoff)
            self._homes.drop_before(cutoff)
            for slab in self._slabs:
                slab.drop_before(cutoff)
            self._snapshot = None
        ended = self._alive[:bound] & (self._last_times[:bound] < cutoff)
        ended &= ~self._late.owners(bound)
        return np.flatnonzero(ended).astype(np.int64)

    def _bygone(self, cutoff: Timestamp) -> Timestamp:
        return max(cutoff, self.served)

    def remove(self, refs: Refs) -> None:
        """Refuse samples of `refs` from now on, and give their columns back."""
        with self._lock:
            self._alive[refs] = False
            for number in range(len(self._slabs)):
                leaving = refs[self._homes.slabs[refs] == number]
                if len(leaving):
                    self._leave(number, leaving)
            self._snapshot = None

    def _in_time(self, batch: Batch) -> Batch:
        """Keep what came too late apart; return the rest."""
        floor = NEVER if self._past is None else self._past.floor
        late = batch.times < floor
        if not late.any():
            return batch
        self._late.append(batch.take(late))
        return batch.take(~late)

    def _store(self, batch: Batch) -> None:
        """Put each sample where its series lives."""
        if not len(batch):
            return
        homes = self._homes.slabs[batch.refs]
        if homes[0] == homes[-1] and (homes == homes[0]).all():
            self._store_at(int(homes[0]), batch)
            return
        for home in np.unique(homes).tolist():
            self._store_at(home, batch.take(homes == home))

    def _store_at(self, home: int, batch: Batch) -> None:
        if home == RAGGED:
            self._ragged.append(batch.refs, batch.times, batch.values)
            self._promote(batch)
            return
        cols = self._homes.cols[batch.refs]
        leaving = self._slabs[home].write(cols, batch)
        if leaving.any():
            self._demote(home, batch.take(leaving))

    def _promote(self, batch: Batch) -> None:
        """Move the series whose cadence these samples have shown into slabs, from now on."""
        ends = np.flatnonzero(_ends(batch.refs))
        refs, times = batch.refs[ends], batch.times[ends]
        before = self._last_times[refs]
        inside = (ends > 0) & (batch.refs[ends - 1] == refs)
        before[inside] = batch.times[ends[inside] - 1]
        regular, intervals = self._cadence.observe(
            refs, before, times, is_stale(batch.values[ends])
        )
        for interval in np.unique(intervals).tolist():
            number = self._slab(interval)
            if number is None:
                continue
            moving = regular[intervals == interval]
            newest = times[np.searchsorted(refs, moving)]
            self._homes.to_slab(moving, number, self._slabs[number].admit(newest), newest)
            self._metrics.moves.labels("slab").inc(len(moving))

    def _demote(self, home: int, batch: Batch) -> None:
        """Keep series that proved irregular in ragged, beginning with these samples."""
        refs = batch.refs[_ends(batch.refs)]
        self._leave(home, refs)
        self._ragged.append(batch.refs, batch.times, batch.values)
        self._cadence.disappointed(refs)
        self._metrics.moves.labels("ragged").inc(len(refs))

    def _leave(self, home: int, refs: Refs) -> None:
        """Give the columns of series back, and note what they leave in them."""
        slab, cols = self._slabs[home], self._homes.cols[refs]
        slabs, untils = np.full(len(refs), home), self._last_times[refs]
        stays = Stays(refs, slabs, cols, slab.phases[cols], slab.firsts[cols], untils)
        slab.vacate(cols)
        self._homes.to_ragged(stays)

    def _slab(self, interval: int) -> int | None:
        for number, slab in enumerate(self._slabs):
            if slab.interval == interval:
                return number
        if len(self._slabs) == _MOST_SLABS or interval > LONGEST_INTERVAL:
            return None
        self._slabs.append(Slab(interval))
        return len(self._slabs) - 1

    def _grow(self, bound: int) -> None:
        size = len(self._alive)
        if bound <= size:
            return
        room = max(bound, size + size // 2, 1024)
        self._alive = _grown(self._alive, room, 1)
        self._last_times = _grown(self._last_times, room, NEVER)
        self._last_values = _grown(self._last_values, room, 0.0)
        self._homes.grow(room)
        self._cadence.grow(room)


def _ends(refs: Refs) -> Mask:
    """Tell which samples are the last of their series, in sorted order."""
    return np.concatenate((refs[1:] != refs[:-1], [True]))


def _grown(column: _Column, room: int, fill: float) -> _Column:
    grown = np.full(room, fill, dtype=column.dtype)
    grown[: len(column)] = column
    return cast(_Column, grown)
