"""Matrices of values and of distances in as few bytes as hold them, each cell read by itself.

A column (one series) of whole numbers, or of decimals with few digits, is its
least number and what each row has above it, in one, two or four bytes; one that
never changes is a single value. Others are floats of four bytes where these are
exact, else of eight. Staleness markers are set aside and spoil no column.

Distances are kept once for all columns that have the same: series that are
scraped or sent together share their instants. (`narrowing` makes all of this.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import STALE_NAN, Mask, Refs, Values
from controlplane.tsdb.lattice import BIAS, Distances

# Kinds of columns, by what stands in a row: nothing, a number above the least, a float.
CONSTANT: Final = 0
ABOVE: Final = (np.uint8, np.uint16, np.uint32)
SINGLE: Final = 1 + len(ABOVE)
DOUBLE: Final = SINGLE + 1
TYPES: Final = (*ABOVE, np.float32, np.float64)
# Powers of ten by which decimals are divided.
POWERS: Final[Values] = np.array([1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6])
# Distances of two bytes are counted from here, so that zero is a hole in both widths.
SHIFT: Final = BIAS - 2**15

Codes = npt.NDArray[Any]
Small = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class NarrowValues:
    """Values, (rows, width).

    `kinds`, `places`, `bases` and `digits` (width,) are of each column; `codes` has a
    matrix for each kind but the first, `places` is the column in it. `odd` (m,)
    are the staleness markers: row times width plus column, rising.
    """

    kinds: Small
    places: Places
    bases: Values
    digits: Small
    codes: tuple[Codes, ...]
    odd: Refs

    def block(self, rows: slice, cols: Refs) -> Values:
        """Return some rows and columns, (rows, columns)."""
        found = np.empty((rows.stop - rows.start, len(cols)))
        for kind, here in _by_kind(self.kinds[cols]):
            asked = cols if here is None else cols[here]
            if kind == CONSTANT:
                part = self.bases[asked]
            else:
                part = self.codes[kind - 1][rows].take(self.places[asked], axis=1)
                part = self._raised(kind, asked, part)
            found[:, slice(None) if here is None else here] = part
        self._put_odd(found, np.arange(rows.start, rows.stop)[:, None], cols)
        return found

    def cells(self, rows: Refs, cols: Refs) -> Values:
        """Return single cells, (n,)."""
        found = self.bases[cols]
        for kind, here in _by_kind(self.kinds[cols]):
            if kind == CONSTANT:
                continue
            asked, at = (cols, rows) if here is None else (cols[here], rows[here])
            codes = self.codes[kind - 1]
            part = codes.reshape(-1).take(at * codes.shape[1] + self.places[asked])
            found[slice(None) if here is None else here] = self._raised(kind, asked, part)
        self._put_odd(found, rows, cols)
        return found

    def _raised(self, kind: int, cols: Refs, codes: Codes) -> Codes:
        """Return the values of columns of one kind."""
        if kind >= SINGLE:
            return codes
        values = codes + self.bases[cols]
        digits = self.digits[cols]
        if digits.any():
            values /= POWERS[digits]
        return values

    def _put_odd(self, found: Values, rows: Refs, cols: Refs) -> None:
        """Put staleness markers in; `rows` are of the cells, (n,), or of a block, (rows, 1)."""
        if not len(self.odd):
            return
        width = len(self.kinds)
        marked = np.zeros(width, dtype=np.bool_)
        marked[self.odd % width] = True
        here = np.flatnonzero(marked[cols])
        if not len(here):
            return
        asked = (rows if rows.ndim > 1 else rows[here]) * width + cols[here]
        places = np.minimum(np.searchsorted(self.odd, asked), len(self.odd) - 1)
        found[..., here] = np.where(self.odd[places] == asked, STALE_NAN, found[..., here])


def _by_kind(kinds: Small) -> list[tuple[int, Refs | None]]:
    """Return the kinds there are, and where; None: everywhere."""
    present = np.flatnonzero(np.bincount(kinds, minlength=1)).tolist()
    if len(present) == 1:
        return [(present[0], None)]
    return [(kind, np.flatnonzero(kinds == kind)) for kind in present]


@dataclass(frozen=True, slots=True, eq=False)
class NarrowDistances:
    """Distances, (rows, width): column j is column `owners[j]` of `shared`.

    They are of four bytes, or of two and less by `SHIFT`; zero is a hole in both.
    """

    shared: Codes
    owners: Places

    def block(self, rows: slice, cols: Refs) -> Distances:
        """Return some rows and columns, (rows, columns)."""
        wide = _widened(self.shared[rows])
        return wide.take(self.owners[cols], axis=1)

    def cells(self, rows: Refs, cols: Refs) -> Distances:
        """Return single cells, (n,)."""
        return _widened(
            self.shared.reshape(-1).take(rows * self.shared.shape[1] + self.owners[cols])
        )

    def filled(self) -> Mask:
        """Tell where there is a sample, (rows, width)."""
        filled: Mask = (self.shared != 0)[:, self.owners]
        return filled


def _widened(shared: Codes) -> Distances:
    if shared.dtype == np.int32:
        return shared
    wide = shared.astype(np.int32)
    wide[wide != 0] += SHIFT
    return wide


def join_values(parts: Sequence[NarrowValues]) -> NarrowValues:
    """Put matrices side by side."""
    before = np.zeros(len(TYPES), dtype=np.int64)
    places, odd, width = [], [], sum(len(part.kinds) for part in parts)
    begin = 0
    for part in parts:
        offsets = np.concatenate(([0], before))
        places.append(part.places + offsets[part.kinds].astype(np.int32))
        rows, cols = np.divmod(part.odd, len(part.kinds))
        odd.append(rows * width + cols + begin)
        before += [codes.shape[1] for codes in part.codes]
        begin += len(part.kinds)
    codes = [
        np.concatenate([part.codes[kind] for part in parts], axis=1) for kind in range(len(TYPES))
    ]
    return NarrowValues(
        np.concatenate([part.kinds for part in parts]),
        np.concatenate(places),
        np.concatenate([part.bases for part in parts]),
        np.concatenate([part.digits for part in parts]),
        tuple(codes),
        np.sort(np.concatenate(odd)),
    )


def join_distances(parts: Sequence[NarrowDistances]) -> NarrowDistances:
    """Put matrices side by side."""
    shared = [part.shared for part in parts]
    if any(one.dtype == np.int32 for one in shared):
        shared = [_widened(one) for one in shared]
    begins = np.cumsum([0, *(one.shape[1] for one in shared[:-1])]).tolist()
    owners = [part.owners + np.int32(begin) for part, begin in zip(parts, begins, strict=True)]
    return NarrowDistances(np.concatenate(shared, axis=1), np.concatenate(owners))
