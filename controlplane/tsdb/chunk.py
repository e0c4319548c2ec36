"""A run of slots of all columns of a slab, as the writer fills it.

Cells are written once, and events only added; `PackedChunk` is what becomes of
a chunk when nobody writes to it any longer. Both are read by `block` and `cells`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Refs, Values
from controlplane.tsdb.lattice import Distances

ROWS: Final = 64
# Events of one column in one chunk beyond which it is read sample by sample.
BUSY: Final = 8


@dataclass(frozen=True, slots=True)
class Events:
    """What is not a plain next sample, (m,) each: before the sample at `rows`, `cols`
    the value fell from `drops` (else 0), and `missing` slots hold nothing countable.
    """

    rows: Refs
    cols: Refs
    drops: Values
    missing: Refs


_NO_EVENTS: Final = Events(
    np.empty(0, dtype=np.int64),
    np.empty(0, dtype=np.int64),
    np.empty(0, dtype=np.float64),
    np.empty(0, dtype=np.int64),
)


class Chunk:
    """`ROWS` slots of all columns. Cells are written once, events only added."""

    __slots__ = ("_parts", "_whole", "busy", "distances", "touched", "values")

    def __init__(self, width: int) -> None:
        # The newest slot of the whole slab when a cell was last written.
        self.touched = 0
        # Zeroed pages cost nothing until a cell in them is written.
        self.values: Values = np.zeros((ROWS, width))
        self.distances: Distances = np.zeros((ROWS, width), dtype=np.int32)
        self.busy: npt.NDArray[np.int32] = np.zeros(width, dtype=np.int32)
        self._parts: tuple[Events, ...] = ()
        self._whole: tuple[tuple[Events, ...], Events] = ((), _NO_EVENTS)

    @property
    def width(self) -> int:
        return len(self.busy)

    def widened(self, width: int) -> "Chunk":
        """Return a wider copy; readers keep the narrow one."""
        wide = Chunk(width)
        used = np.flatnonzero(self.distances.any(axis=1))
        wide.values[used, : self.width] = self.values[used]
        wide.distances[used, : self.width] = self.distances[used]
        wide.busy[: self.width] = self.busy
        wide._parts = self._parts
        wide.touched = self.touched
        return wide

    def block(self, rows: slice, cols: Refs | slice) -> tuple[Values, Distances]:
        """Return values and distances of some rows and columns, (rows, columns).

        They are views where `cols` is a slice.
        """
        if isinstance(cols, slice):
            return self.values[rows, cols], self.distances[rows, cols]
        return self.values[rows].take(cols, axis=1), self.distances[rows].take(cols, axis=1)

    def cells(self, rows: Refs, cols: Refs) -> tuple[Values, Distances]:
        """Return values and distances of single cells, (n,)."""
        at = rows * self.width + cols
        return self.values.reshape(-1)[at], self.distances.reshape(-1)[at]

    def record(self, events: Events) -> None:
        """Add events, but for columns that are busy already."""
        calm = self.busy[events.cols] <= BUSY
        np.add.at(self.busy, events.cols, 1)
        if calm.any():
            fresh = Events(
                events.rows[calm], events.cols[calm], events.drops[calm], events.missing[calm]
            )
            self._parts = _packed((*self._parts, fresh))

    def adopt(self, events: Events) -> None:
        """Hold events that another chunk has counted already."""
        self._parts = (events,)

    def events(self) -> Events:
        """Return all events of columns that are not busy."""
        parts = self._parts
        known, whole = self._whole
        if known is not parts:
            whole = _joined(parts)
            self._whole = (parts, whole)
        return whole


def _packed(parts: tuple[Events, ...]) -> tuple[Events, ...]:
    """Join small neighbours, so that many small commits stay few parts."""
    while len(parts) > 1 and len(parts[-2].rows) <= 2 * len(parts[-1].rows):
        parts = (*parts[:-2], _joined(parts[-2:]))
    return parts


def _joined(parts: tuple[Events, ...]) -> Events:
    if not parts:
        return _NO_EVENTS
    if len(parts) == 1:
        return parts[0]
    return Events(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.cols for part in parts]),
        np.concatenate([part.drops for part in parts]),
        np.concatenate([part.missing for part in parts]),
    )
