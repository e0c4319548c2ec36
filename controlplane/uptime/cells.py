"""The numbers of one span of time, and how many of them make a row.

A cell is five numbers: seconds up, down and in planned maintenance, the sum of
latency over seconds up, and the largest latency. What is missing from the span
is unknown. Cells lie in rows, so that a year of a target is a dozen rows:
sixty minutes, twenty-four hours or thirty days to a row, counted from 1970.
"""

import zlib
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import DAY, HOUR, MINUTE

UP, DOWN, MAINTENANCE, LATENCY_SUM, LATENCY_MAX = range(5)
FIELDS: Final = 5

# Shape (..., FIELDS).
Cells = NDArray[np.float32]


class Level(IntEnum):
    """How long a cell is; the numbers are part of the database."""

    MINUTE = 0
    HOUR = 1
    DAY = 2

    @property
    def unit(self) -> Duration:
        """How long a cell is."""
        return (MINUTE, HOUR, DAY)[self]

    @property
    def size(self) -> int:
        """How many cells make a row."""
        return (60, 24, 30)[self]

    @property
    def span(self) -> Duration:
        """How long a row is."""
        return self.unit * self.size

    def row_of(self, time: Timestamp) -> Timestamp:
        """Return where the row begins that an instant lies in."""
        return time - time % self.span

    def place_of(self, time: Timestamp) -> int:
        """Return which cell of its row an instant lies in."""
        return time % self.span // self.unit


def empty_row(level: Level) -> Cells:
    """Return a row of which nothing is known."""
    return np.zeros((level.size, FIELDS), dtype=np.float32)


def add_up(cells: Cells) -> Cells:
    """Return the sum of cells along the last axis but one; of largest latencies, the largest."""
    total: Cells = cells.sum(axis=-2, dtype=np.float32)
    if cells.shape[-2]:
        total[..., LATENCY_MAX] = cells[..., LATENCY_MAX].max(axis=-1)
    return total


def average(cells: Cells) -> Cells:
    """Return the mean of the members of a group, (members, cells, FIELDS) to (cells, FIELDS)."""
    mean: Cells = cells.mean(axis=0, dtype=np.float32)
    mean[..., LATENCY_MAX] = cells[..., LATENCY_MAX].max(axis=0)
    return mean


def pack(row: Cells) -> bytes:
    """Return a row as the database keeps it."""
    return zlib.compress(np.ascontiguousarray(row, dtype="<f4").tobytes(), 1)


def unpack(packed: bytes, level: Level) -> Cells:
    """Return what `pack` was given. Raises InvalidInput for anything else."""
    wanted = level.size * FIELDS * 4
    try:
        unpacked = zlib.decompressobj().decompress(packed, wanted + 1)
    except zlib.error as error:
        raise InvalidInput(f"a row of uptime cannot be read: {error}") from None
    if len(unpacked) != wanted:
        raise InvalidInput(f"a row of uptime has {len(unpacked)} bytes, not {wanted}")
    return np.frombuffer(unpacked, dtype="<f4").reshape(level.size, FIELDS).astype(np.float32)


def merged(kept: bytes, new: bytes, level: Level) -> bytes:
    """Return two accounts of one span, packed, as one: of each cell the one that knows more.

    So replicas that count a subject one after the other never erase each
    other's cells, in whichever order and however often they write them. Where
    both know as much the new one counts; what cannot be read gives way.
    """
    try:
        before = unpack(kept, level)
    except InvalidInput:
        return new
    cells = unpack(new, level)
    better = before[:, :LATENCY_SUM].sum(axis=1) > cells[:, :LATENCY_SUM].sum(axis=1)
    if not better.any():
        return new
    cells[better] = before[better]
    return pack(cells)
