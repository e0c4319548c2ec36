"""Finding out in how few bytes a matrix of samples can be written; see `narrow`."""

from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Mask, Refs, Values, is_stale
from controlplane.tsdb.lattice import Distances
from controlplane.tsdb.narrow import (
    ABOVE,
    DOUBLE,
    POWERS,
    SHIFT,
    SINGLE,
    TYPES,
    Codes,
    NarrowDistances,
    NarrowValues,
)

_EXACT: Final = 2.0**53
_NEGATIVE_ZERO: Final = np.int64(-(2**63))
# Rows that are tried before all are.
_TRIED: Final = 4


def narrow_values(values: Values, filled: Mask) -> NarrowValues:
    """Narrow values, (rows, width); what is in cells that are not filled does not matter."""
    stale = is_stale(values) & filled
    narrowing = _Narrowing(_completed(values, filled & ~stale))
    narrowing.find_constants()
    for digits in range(len(POWERS)):
        narrowing.find_decimals(digits)
    narrowing.take_floats()
    return narrowing.result(np.flatnonzero(stale))


def narrow_distances(distances: Distances) -> NarrowDistances:
    """Narrow biased distances, (rows, width)."""
    firsts, owners = _alike(distances)
    shared = distances[:, firsts]
    short = shared - SHIFT
    if bool(((shared == 0) | ((short > 0) & (short < 2**16))).all()):
        return NarrowDistances(np.where(shared == 0, 0, short).astype(np.uint16), owners)
    return NarrowDistances(shared, owners)


def _alike(distances: Distances) -> tuple[Refs, npt.NDArray[np.int32]]:
    """Return one of each set of equal columns, and of which set each column is."""
    width = distances.shape[1]
    weights = np.random.default_rng(1).integers(1, 2**62, len(distances))
    sums = np.zeros(width, dtype=np.int64)
    for row, weight in zip(distances, weights, strict=True):
        sums += row * weight  # overflows, as a checksum may
    _, firsts, owners = np.unique(sums, return_index=True, return_inverse=True)
    if len(firsts) < width and not np.array_equal(distances[:, firsts[owners]], distances):
        firsts = owners = np.arange(width)
    return firsts.astype(np.int64), owners.astype(np.int32)


def _completed(values: Values, present: Mask) -> Values:
    """Return the values with some value of its own column in each cell that has none."""
    if present.all():
        return np.ascontiguousarray(values)
    first = present.argmax(axis=0)
    fill = np.where(present.any(axis=0), values[first, np.arange(values.shape[1])], 0.0)
    return np.where(present, values, fill)


class _Narrowing:
    """Columns that are still to be narrowed, and what has become of the others."""

    def __init__(self, values: Values) -> None:
        width = values.shape[1]
        self._values = values
        self._left: Refs = np.arange(width)
        self._kinds = np.zeros(width, dtype=np.uint8)
        self._bases = np.zeros(width)
        self._digits = np.zeros(width, dtype=np.uint8)
        self._parts: dict[int, list[tuple[Refs, Codes]]] = {}

    def find_constants(self) -> None:
        """Take the columns that are one value, bit for bit."""
        bits = self._values.view(np.int64)
        constant = (bits == bits[0]).all(axis=0)
        self._bases[constant] = self._values[0, constant]
        self._left = np.flatnonzero(~constant)

    def find_decimals(self, digits: int) -> None:
        """Take the columns of numbers with so many digits behind the point."""
        _, fits = _as_whole(self._values[:_TRIED, self._left], digits)
        cols = self._left[fits]
        if not len(cols):
            return
        whole, fits = _as_whole(self._values[:, cols], digits)
        if not fits.all():
            cols, whole = cols[fits], whole[:, fits]
        low = whole.min(axis=0, initial=np.inf)
        span = whole.max(axis=0, initial=-np.inf) - low
        least = 0.0
        for kind, type_ in enumerate(ABOVE, 1):
            most = 2.0 ** (8 * np.dtype(type_).itemsize)
            here = np.flatnonzero((span >= least) & (span < most))
            self._take(kind, cols[here], (whole[:, here] - low[here]).astype(type_))
            self._bases[cols[here]] = low[here]
            self._digits[cols[here]] = digits
            least = most
        self._left = np.setdiff1d(self._left, cols[span < least], assume_unique=True)

    def take_floats(self) -> None:
        """Take all that is left."""
        values = self._values[:, self._left]
        with np.errstate(over="ignore", invalid="ignore"):
            single = values.astype(np.float32)
        same = (single.astype(np.float64).view(np.int64) == values.view(np.int64)).all(axis=0)
        self._take(SINGLE, self._left[same], single[:, same])
        self._take(DOUBLE, self._left[~same], values[:, ~same])

    def result(self, odd: Refs) -> NarrowValues:
        """Return all columns in their order; `odd` are the staleness markers."""
        rows, width = self._values.shape
        places, codes = np.zeros(width, dtype=np.int32), []
        for kind, type_ in enumerate(TYPES, 1):
            parts = self._parts.get(kind, [])
            cols = np.concatenate([self._left[:0], *(cols for cols, _ in parts)])
            places[cols] = np.arange(len(cols))
            none = np.zeros((rows, 0), dtype=type_)
            codes.append(np.concatenate([none, *(part for _, part in parts)], axis=1))
        return NarrowValues(self._kinds, places, self._bases, self._digits, tuple(codes), odd)

    def _take(self, kind: int, cols: Refs, codes: Codes) -> None:
        if len(cols):
            self._kinds[cols] = kind
            self._parts.setdefault(kind, []).append((cols, codes))


def _as_whole(values: Values, digits: int) -> tuple[Values, Mask]:
    """Return values times a power of ten, and which columns that gives back bit for bit."""
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.rint(values * POWERS[digits])
        fits = (whole / POWERS[digits] == values) & (np.abs(whole) < _EXACT)
    fits &= values.view(np.int64) != _NEGATIVE_ZERO
    columns: Mask = fits.all(axis=0)
    return whole, columns
