"""Sample values as whole numbers, bit for bit.

A series whose values are all decimals of few digits (counters, seconds to the
millisecond, percents) is written as those decimals, its scale aside; any other
as the bits of its floats. Single values that are no numbers (staleness markers
among them) are set aside with their bits, and do not spoil the rest.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Mask, Refs, Values
from controlplane.tsdb.blocks.integers import flat

# Powers of ten that a double holds exactly, and what stands for "its bits".
_MOST_DIGITS: Final = 15
_BITS: Final = 255
_POWERS: Final[Values] = np.array([10.0**digits for digits in range(_MOST_DIGITS + 1)])
_EXACT: Final = 2.0**53
# How many values of a series are tried before all are.
_TRIED: Final = 4

Scales = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Whole:
    """Values as whole numbers, (m,); `scales` (n,) one a series; `places` and `bits`
    of those that are set aside.
    """

    numbers: Refs
    scales: Scales
    places: Refs
    bits: Refs


def to_whole(values: Values, offsets: Refs) -> Whole:
    """Return the values of n series (none empty) as whole numbers."""
    bits = np.ascontiguousarray(values).view(np.int64)
    odd = ~np.isfinite(values) | (bits == np.int64(-(2**63)))
    places = np.flatnonzero(odd)
    if len(places):
        values = _filled(values, odd, offsets)
    scales = _scales(values, offsets)
    counts = np.diff(offsets)
    decimal = scales != _BITS
    if decimal.all() and not scales.any():
        return Whole(values.astype(np.int64), scales, places, bits[places])
    powers = np.repeat(_POWERS[np.where(decimal, scales, 0)], counts)
    plain = np.repeat(decimal, counts)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(np.where(plain, values * powers, 0.0)).astype(np.int64)
    numbers = np.where(plain, scaled, np.ascontiguousarray(values).view(np.int64))
    return Whole(numbers, scales, places, bits[places])


def to_values(whole: Whole, offsets: Refs) -> Values:
    """Return the values that `to_whole` was given."""
    values = whole.numbers.astype(np.float64)
    scaled = (whole.scales != 0) & (whole.scales != _BITS)
    counts = np.diff(offsets)
    if scaled.any():
        values /= np.repeat(_POWERS[np.where(scaled, whole.scales, 0)], counts)
    raw = whole.scales == _BITS
    if raw.any():
        here = flat(offsets[:-1][raw], counts[raw])
        values[here] = whole.numbers[here].view(np.float64)
    values.view(np.int64)[whole.places] = whole.bits
    return values


def _filled(values: Values, odd: Mask, offsets: Refs) -> Values:
    """Put the number before it, or zero, where something else than a number stands."""
    places = np.arange(len(values))
    begins = np.repeat(offsets[:-1], np.diff(offsets))
    before = np.maximum.accumulate(np.where(odd, -1, places))
    filled: Values = np.where(before >= begins, values[np.maximum(before, 0)], 0.0)
    return filled


def _scales(values: Values, offsets: Refs) -> Scales:
    """Return for each series the fewest digits that hold all its values, or `_BITS`."""
    starts, counts = offsets[:-1], np.diff(offsets)
    scales = np.full(len(starts), _BITS, dtype=np.uint8)
    whole = np.logical_and.reduceat(_exact(values, 1.0), starts)
    scales[whole] = 0
    rest = np.flatnonzero(~whole)
    if not len(rest):
        return scales
    likely = _likely(values, starts[rest], counts[rest])
    for digits in np.unique(likely[likely <= _MOST_DIGITS]).tolist():
        tried = rest[likely == digits]
        places = flat(starts[tried], counts[tried])
        begins = np.concatenate(([0], np.cumsum(counts[tried])[:-1]))
        held = np.logical_and.reduceat(_exact(values[places], float(_POWERS[digits])), begins)
        scales[tried[held]] = digits
    return scales


def _likely(values: Values, starts: Refs, counts: Refs) -> Refs:
    """Return how many digits a few values of each series need; over the most: too many."""
    steps = np.arange(_TRIED)[None, :] * (counts[:, None] - 1) // (_TRIED - 1)
    sample = values[starts[:, None] + steps]
    needed = np.full(len(starts), _MOST_DIGITS + 1, dtype=np.int64)
    for digits in range(_MOST_DIGITS, -1, -1):
        held = _exact(sample, float(_POWERS[digits])).all(axis=1)
        needed[held] = digits
    return needed


def _exact(values: Values, power: float) -> Mask:
    """Tell which values are whole numbers over `power`, exactly."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(values * power)
        held: Mask = (np.abs(scaled) < _EXACT) & (scaled / power == values)
    return held
