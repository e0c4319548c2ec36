"""Chunks that nobody writes to any longer, in a fraction of their memory."""

from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Refs, Values
from controlplane.tsdb.chunk import ROWS, Chunk, Events
from controlplane.tsdb.lattice import Distances
from controlplane.tsdb.narrow import (
    NarrowDistances,
    NarrowValues,
    join_distances,
    join_values,
)
from controlplane.tsdb.narrowing import narrow_distances, narrow_values

# Columns that are packed at a time: nobody else writes for that long.
_COLUMNS: Final = 8192


class PackedChunk:
    """Reads as the chunk it was made of; never changes."""

    __slots__ = ("_distances", "_events", "_values", "busy")

    def __init__(self, chunk: Chunk, values: NarrowValues, distances: NarrowDistances) -> None:
        self.busy: npt.NDArray[np.int32] = chunk.busy
        self._events = chunk.events()
        self._values = values
        self._distances = distances

    @property
    def width(self) -> int:
        return len(self.busy)

    def events(self) -> Events:
        """Return all events of columns that are not busy."""
        return self._events

    def block(self, rows: slice, cols: Refs | slice) -> tuple[Values, Distances]:
        """Return values and distances of some rows and columns, (rows, columns)."""
        if isinstance(cols, slice):
            cols = np.arange(cols.start, cols.stop)
        return self._values.block(rows, cols), self._distances.block(rows, cols)

    def cells(self, rows: Refs, cols: Refs) -> tuple[Values, Distances]:
        """Return values and distances of single cells, (n,)."""
        return self._values.cells(rows, cols), self._distances.cells(rows, cols)

    def opened(self, width: int) -> Chunk:
        """Return a chunk of so many columns to write to."""
        chunk = Chunk(width)
        values, distances = self.block(slice(0, ROWS), slice(0, self.width))
        chunk.values[:, : self.width] = values
        chunk.distances[:, : self.width] = distances
        chunk.busy[: self.width] = self.busy
        if len(self._events.rows):
            chunk.adopt(self._events)
        return chunk


class Packing:
    """Packs one chunk, some columns at a time."""

    def __init__(self, number: int, chunk: Chunk) -> None:
        self.number = number
        self.chunk = chunk
        self._touched = chunk.touched
        self._done = 0
        self._values: list[NarrowValues] = []
        self._distances: list[NarrowDistances] = []

    def concerns(self, chunk: object) -> bool:
        """Tell whether it is of this chunk, as it is now."""
        return chunk is self.chunk and self.chunk.touched == self._touched

    def step(self) -> PackedChunk | None:
        """Go on; return the packed chunk when all is done."""
        begin, end = self._done, min(self._done + _COLUMNS, self.chunk.width)
        distances = self.chunk.distances[:, begin:end]
        self._values.append(narrow_values(self.chunk.values[:, begin:end], distances != 0))
        self._distances.append(narrow_distances(distances))
        self._done = end
        if end < self.chunk.width:
            return None
        return PackedChunk(self.chunk, join_values(self._values), join_distances(self._distances))
