"""A page: the samples of neighbouring series within one slice of time, or instants.

Series that were scraped or probed together have the same instants, so these
stand in pages of their own, each distinct column once, and a page of values
says by number which column each of its series has.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.model.samples import Refs, Times, Values
from controlplane.tsdb.blocks import integers, numbers, packing
from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.integers import Runs, flat
from controlplane.tsdb.blocks.numbers import Whole

_VALUE_COLUMNS: Final = 5
# Native histograms that are compressed together.
HISTOGRAM_PAGE: Final = 1024


@dataclass(frozen=True, slots=True)
class ValuePage:
    """Series `rows[i]` has `values[offsets[i]:offsets[i + 1]]` at the instants of
    column `columns[i]`. Rows stand in any order, each once.
    """

    rows: Refs
    columns: Refs
    values: Values
    offsets: Refs

    def encoded(self) -> bytes:
        whole = numbers.to_whole(self.values, self.offsets)
        runs = integers.encode(Runs(whole.numbers, self.offsets))
        order = runs.order
        places, moved = _moved(whole.places, self.offsets, order)
        return packing.pack(
            [
                self.rows[order].astype("<u4"),
                self.columns[order].astype("<u4"),
                whole.scales[order],
                places.astype("<u4"),
                whole.bits[moved].astype("<i8"),
                *runs.columns,
            ]
        )

    @classmethod
    def decoded(cls, frame: bytes) -> "ValuePage":
        """Return the page of a frame. Raises Corrupt."""
        found = packing.unpack(frame)
        if len(found) != _VALUE_COLUMNS + integers.COLUMNS:
            raise Corrupt(f"bad page: {len(found)} columns")
        rows, columns, scales, places, bits = found[:_VALUE_COLUMNS]
        runs = integers.decode(found[_VALUE_COLUMNS:])
        whole = Whole(runs.numbers, scales, places.astype(np.int64), bits)
        values = numbers.to_values(whole, runs.offsets)
        return cls(rows.astype(np.int64), columns.astype(np.int64), values, runs.offsets)


@dataclass(frozen=True, slots=True)
class TimePage:
    """Column i of the page has the instants `times[offsets[i]:offsets[i + 1]]`."""

    times: Times
    offsets: Refs

    def encoded(self) -> bytes:
        runs = integers.encode(Runs(self.times, self.offsets))
        return packing.pack([runs.order.astype("<u4"), *runs.columns])

    @classmethod
    def decoded(cls, frame: bytes) -> "TimePage":
        """Return the page of a frame. Raises Corrupt."""
        found = packing.unpack(frame)
        if len(found) != 1 + integers.COLUMNS:
            raise Corrupt(f"bad page: {len(found)} columns")
        runs = integers.decode(found[1:])
        places = np.argsort(found[0])
        counts = np.diff(runs.offsets)[places]
        times = runs.numbers[flat(runs.offsets[places], counts)]
        return cls(times, np.concatenate(([0], np.cumsum(counts))))


@dataclass(frozen=True, slots=True)
class HistogramPage:
    """Encoded native histograms, numbered from the page's first on."""

    encoded: tuple[bytes, ...]

    @property
    def nbytes(self) -> int:
        return sum(len(one) for one in self.encoded)

    def framed(self) -> bytes:
        sizes = np.array([len(one) for one in self.encoded], dtype="<u4")
        return packing.pack([sizes, np.frombuffer(b"".join(self.encoded), dtype=np.uint8)])

    @classmethod
    def decoded(cls, frame: bytes) -> "HistogramPage":
        """Return the page of a frame. Raises Corrupt."""
        found = packing.unpack(frame)
        if len(found) != 2:
            raise Corrupt(f"bad page: {len(found)} columns")
        ends, blob = np.cumsum(found[0], dtype=np.int64).tolist(), found[1].tobytes()
        return cls(tuple(blob[a:b] for a, b in zip([0, *ends], ends, strict=False)))


def _moved(places: Refs, offsets: Refs, order: Refs) -> tuple[Refs, Refs]:
    """Return where samples at `places` come to stand when series are put in `order`, rising,
    and which of them stands at each of those.
    """
    if not len(places):
        return places, places
    counts = np.diff(offsets)
    begins = np.empty_like(counts)
    begins[order] = np.concatenate(([0], np.cumsum(counts[order])[:-1]))
    owners = np.searchsorted(offsets, places, side="right") - 1
    targets = begins[owners] + places - offsets[owners]
    rising = np.argsort(targets)
    return targets[rising], rising
