"""Where each series lives: ragged or a column of a slab; and where it lived before."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.samples import Mask, Refs, Times
from controlplane.tsdb.sift import NEVER

RAGGED: Final = -1


@dataclass(frozen=True, slots=True)
class Stays:
    """Columns that series have left with their samples in them, (m,) each.

    `phases` and `firsts` are those of the stay, `untils` its newest instant.
    """

    refs: Refs
    slabs: Refs
    cols: Refs
    phases: Times
    firsts: Refs
    untils: Times

    def take(self, rows: Mask | Refs) -> "Stays":
        return Stays(
            self.refs[rows],
            self.slabs[rows],
            self.cols[rows],
            self.phases[rows],
            self.firsts[rows],
            self.untils[rows],
        )


@dataclass(frozen=True, slots=True)
class HomesView:
    """By series number: its slab (or RAGGED), its column, its newest instants elsewhere."""

    slabs: Refs
    cols: Refs
    ragged_until: Times
    stayed_until: Times
    stays: tuple[Stays, ...]

    def in_ragged(self, refs: Refs, start: Timestamp) -> Mask:
        """Tell which series may have samples after `start` in the ragged store."""
        mask: Mask = (self.slabs[refs] == RAGGED) | (self.ragged_until[refs] > start)
        return mask

    def moved(self, refs: Refs, start: Timestamp) -> Mask:
        """Tell which series have left a slab that holds samples of theirs after `start`."""
        mask: Mask = self.stayed_until[refs] > start
        return mask

    def former(self, refs: Refs, start: Timestamp) -> Iterator[Stays]:
        """Yield the stays of `refs` that reach beyond `start`: of one slab, no column twice."""
        for part in self.stays:
            left = part.take(np.isin(part.refs, refs) & (part.untils > start))
            while len(left.refs):
                here = np.flatnonzero(left.slabs == left.slabs[0])
                once = here[np.unique(left.cols[here], return_index=True)[1]]
                yield left.take(once)
                left = left.take(np.delete(np.arange(len(left.refs)), once))


class Homes:
    """The writing side: copies its columns before it changes what a snapshot holds."""

    def __init__(self) -> None:
        none = np.zeros(0, dtype=np.int64)
        self._view = HomesView(none, none, none, none, ())
        self._shared = False

    @property
    def slabs(self) -> Refs:
        return self._view.slabs

    @property
    def cols(self) -> Refs:
        return self._view.cols

    def share(self) -> HomesView:
        """Return the present state for a snapshot."""
        self._shared = True
        return self._view

    def grow(self, room: int) -> None:
        """Make room for `room` series, all of them ragged at first."""
        view = self._view
        more = room - len(view.slabs)
        self._view = HomesView(
            np.concatenate((view.slabs, np.full(more, RAGGED))),
            np.concatenate((view.cols, np.zeros(more, dtype=np.int64))),
            np.concatenate((view.ragged_until, np.full(more, NEVER))),
            np.concatenate((view.stayed_until, np.full(more, NEVER))),
            view.stays,
        )
        self._shared = False

    def to_slab(self, refs: Refs, slab: int, cols: Refs, newest: Times) -> None:
        """Note that series whose samples up to `newest` are in ragged now go to a slab."""
        self._own(self._view.stays)
        self._view.slabs[refs] = slab
        self._view.cols[refs] = cols
        self._view.ragged_until[refs] = newest

    def to_ragged(self, stays: Stays) -> None:
        """Note that series have left their columns, and what they have left there."""
        self._own(_packed((*self._view.stays, stays)))
        self._view.slabs[stays.refs] = RAGGED
        self._view.stayed_until[stays.refs] = stays.untils

    def forget(self, refs: Refs) -> None:
        """Note that ragged series have nothing left from before."""
        kept = [part.take(~np.isin(part.refs, refs)) for part in self._view.stays]
        self._own(tuple(part for part in kept if len(part.refs)))
        self._view.ragged_until[refs] = NEVER
        self._view.stayed_until[refs] = NEVER

    def drop_before(self, cutoff: Timestamp) -> None:
        """Forget the stays that hold nothing at or after `cutoff`."""
        kept = [part.take(part.untils >= cutoff) for part in self._view.stays]
        self._own(tuple(part for part in kept if len(part.refs)))

    def _own(self, stays: tuple[Stays, ...]) -> None:
        view = self._view
        if self._shared:
            view = HomesView(
                view.slabs.copy(),
                view.cols.copy(),
                view.ragged_until.copy(),
                view.stayed_until.copy(),
                stays,
            )
            self._shared = False
        self._view = replace(view, stays=stays)


def _packed(parts: tuple[Stays, ...]) -> tuple[Stays, ...]:
    """Join small neighbours, so that many single moves stay few parts."""
    while len(parts) > 1 and len(parts[-2].refs) <= 2 * len(parts[-1].refs):
        older, newer = parts[-2:]
        joined = Stays(
            np.concatenate((older.refs, newer.refs)),
            np.concatenate((older.slabs, newer.slabs)),
            np.concatenate((older.cols, newer.cols)),
            np.concatenate((older.phases, newer.phases)),
            np.concatenate((older.firsts, newer.firsts)),
            np.concatenate((older.untils, newer.untils)),
        )
        parts = (*parts[:-2], joined)
    return parts
