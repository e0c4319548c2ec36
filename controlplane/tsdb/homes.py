"""Where each series lives: ragged or a column of a slab, and since when."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.samples import Mask, Refs, Times

RAGGED: Final = -1


@dataclass(frozen=True, slots=True)
class HomesView:
    """By series number: its slab (or RAGGED), its column, its newest instant in ragged."""

    slabs: Refs
    cols: Refs
    ragged_until: Times

    def in_ragged(self, refs: Refs, start: Timestamp) -> Mask:
        """Tell which series may have samples after `start` in the ragged store."""
        mask: Mask = (self.slabs[refs] == RAGGED) | (self.ragged_until[refs] > start)
        return mask


class Homes:
    """The writing side: copies its columns before it changes what a snapshot holds."""

    def __init__(self) -> None:
        self._view = HomesView(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
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
        more = room - len(self._view.slabs)
        self._view = HomesView(
            np.concatenate((self._view.slabs, np.full(more, RAGGED))),
            np.concatenate((self._view.cols, np.zeros(more, dtype=np.int64))),
            np.concatenate((self._view.ragged_until, np.zeros(more, dtype=np.int64))),
        )
        self._shared = False

    def to_slab(self, refs: Refs, slab: int, cols: Refs, newest: Times) -> None:
        """Note that series whose samples up to `newest` are in ragged now go to a slab."""
        self._own()
        self._view.slabs[refs] = slab
        self._view.cols[refs] = cols
        self._view.ragged_until[refs] = newest

    def to_ragged(self, refs: Refs) -> None:
        """Note that all samples of series are in the ragged store."""
        self._own()
        self._view.slabs[refs] = RAGGED

    def _own(self) -> None:
        if self._shared:
            view = self._view
            self._view = HomesView(view.slabs.copy(), view.cols.copy(), view.ragged_until.copy())
            self._shared = False
