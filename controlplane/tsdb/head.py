"""The newest samples of all series, in columns in memory. One writer, many snapshots.

Each series is at home in the ragged store or, once its cadence is known, in a
slab; what it had before a move stays where it was, so a series is always
"older part in ragged, newer part in a slab". Its newest sample is kept aside.
"""

import threading
from typing import TypeVar, cast

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.tsdb.index import Index
from controlplane.tsdb.ragged import Ragged
from controlplane.tsdb.sift import NEVER, Batch, Sifted, sift
from controlplane.tsdb.snapshot import Newest, Snapshot

_Column = TypeVar("_Column", Mask, Times, Values)


class Head:
    """Samples in memory. `sift`, `commit` and `expire` belong to one writer."""

    def __init__(self, index: Index) -> None:
        self._index = index
        # Held while something is published and while a snapshot is taken.
        self._lock = threading.Lock()
        self._ragged = Ragged()
        self._alive: Mask = np.zeros(0, dtype=np.bool_)
        self._last_times: Times = np.zeros(0, dtype=np.int64)
        self._last_values: Values = np.zeros(0, dtype=np.float64)
        self._snapshot: Snapshot | None = None

    def sift(self, batch: Batch, cutoff: Timestamp) -> Sifted:
        """Tell what of a batch may enter; changes nothing that a reader sees."""
        bound = self._index.bound
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
        refs = batch.refs
        newest = np.concatenate((refs[1:] != refs[:-1], [True]))
        with self._lock:
            self._ragged.append(refs, batch.times, batch.values)
            self._last_times[refs[newest]] = batch.times[newest]
            self._last_values[refs[newest]] = batch.values[newest]
            self._snapshot = None

    def snapshot(self) -> Snapshot:
        """Return what is visible now; the same object until something changes."""
        state, bound, generation = self._index.view()
        with self._lock:
            known = self._snapshot
            if known is not None and known.generation == generation:
                return known
            newest = Newest(
                _copied(self._last_times, bound, NEVER), _copied(self._last_values, bound, 0.0)
            )
            fresh = Snapshot(state, bound, generation, newest, self._ragged.view())
            self._snapshot = fresh
            return fresh

    def expire(self, cutoff: Timestamp) -> Refs:
        """Drop what is wholly before `cutoff`; return the series left without samples."""
        with self._lock:
            self._grow(self._index.bound)
            self._ragged.drop_before(cutoff)
            self._snapshot = None
        return np.flatnonzero(self._alive & (self._last_times < cutoff)).astype(np.int64)

    def remove(self, refs: Refs) -> None:
        """Refuse samples of `refs` from now on."""
        with self._lock:
            self._alive[refs] = False
            self._snapshot = None

    def _grow(self, bound: int) -> None:
        size = len(self._alive)
        if bound <= size:
            return
        room = max(bound, size + size // 2, 1024)
        self._alive = _grown(self._alive, room, 1)
        self._last_times = _grown(self._last_times, room, NEVER)
        self._last_values = _grown(self._last_values, room, 0.0)


def _grown(column: _Column, room: int, fill: float) -> _Column:
    grown = np.full(room, fill, dtype=column.dtype)
    grown[: len(column)] = column
    return cast(_Column, grown)


def _copied(column: _Column, size: int, fill: float) -> _Column:
    """Return a copy of the first `size` entries, with `fill` where there are none yet."""
    return column[:size].copy() if size <= len(column) else _grown(column, size, fill)
