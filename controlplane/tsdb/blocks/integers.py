"""Runs of whole numbers as residuals: what is left once the obvious is said.

Each run (a series' values, a column of instants) is written as its first number
and what remains of the others: the difference from the first, from the one
before, or from the step before (order 0, 1, 2), whichever needs fewest bits.
Residuals are folded to unsigned numbers and kept as narrow as their run allows;
runs of one width stand together. All arithmetic is modulo 2**64, so that any
64 bits come back as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Refs
from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.packing import Column

Bytes = npt.NDArray[np.uint8]
_Unsigned = npt.NDArray[np.uint64]

# By class: nothing to store (all residuals are zero), then 1, 2, 4 and 8 bytes each.
_WIDTHS: Final = (None, np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8"))
_LIMITS: Final = np.array([0, 2**8 - 1, 2**16 - 1, 2**32 - 1], dtype=np.uint64)
# How many columns `encode` returns.
COLUMNS: Final = 4 + len(_WIDTHS) - 1


@dataclass(frozen=True, slots=True)
class Runs:
    """Run i has `numbers[offsets[i]:offsets[i + 1]]`; none is empty."""

    numbers: Refs
    offsets: Refs


@dataclass(frozen=True, slots=True)
class Encoded:
    """The columns to write, and the order in which the runs stand in them."""

    columns: Sequence[Column]
    order: Refs


def encode(runs: Runs) -> Encoded:
    """Return the columns of some runs, the narrow ones first."""
    starts = runs.offsets[:-1]
    best, degrees = _residuals(runs)
    folded = _fold(best)
    widest = np.maximum.reduceat(folded, starts) if len(starts) else folded
    classes = np.searchsorted(_LIMITS, widest).astype(np.uint8)
    order = np.argsort(classes, kind="stable")
    counts = np.diff(runs.offsets)
    columns: list[Column] = [
        counts[order].astype("<u4"),
        degrees[order],
        classes[order],
        runs.numbers[starts][order].astype("<i8"),
    ]
    for number, width in enumerate(_WIDTHS):
        if width is not None:
            chosen = order[classes[order] == number]
            some = folded if len(chosen) == len(order) else folded[_places(runs, chosen)]
            columns.append(some.astype(width))
    return Encoded(columns, order)


def decode(columns: Sequence[Column]) -> Runs:
    """Return the runs in the order in which they were written. Raises Corrupt."""
    counts, degrees, classes, firsts = columns[0].astype(np.int64), *columns[1:4]
    offsets = np.concatenate(([0], np.cumsum(counts)))
    residuals = np.zeros(offsets[-1], dtype=np.int64)
    position = int(counts[classes == 0].sum())
    for number, stored in enumerate(columns[4:], start=1):
        if len(stored) != int(counts[classes == number].sum()):
            raise Corrupt("bad runs: of another length than they say")
        residuals[position : position + len(stored)] = _unfold(stored)
        position += len(stored)
    if position != len(residuals):
        raise Corrupt("bad runs: of another length than they say")
    return Runs(_summed(residuals, offsets, counts, degrees) + np.repeat(firsts, counts), offsets)


def _places(runs: Runs, chosen: Refs) -> Refs:
    return flat(runs.offsets[:-1][chosen], np.diff(runs.offsets)[chosen])


def flat(starts: Refs, counts: Refs) -> Refs:
    """Return the places of runs of `counts` numbers that begin at `starts`."""
    if len(counts) and (counts == counts[0]).all():
        rows: Refs = starts[:, None] + np.arange(counts[0], dtype=np.int64)
        return rows.reshape(-1)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    return np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1], dtype=np.int64)


def _residuals(runs: Runs) -> tuple[Refs, Bytes]:
    """Return the residuals of the cheapest order of each run, and which order that is."""
    starts, counts = runs.offsets[:-1], np.diff(runs.offsets)
    steps = _differences(runs.numbers, starts)
    choices = (
        steps,
        _differences(steps, starts),
        runs.numbers - np.repeat(runs.numbers[starts], counts),
    )
    costs = np.stack([np.add.reduceat(_bits(each), starts) for each in choices])
    cheapest = costs.argmin(axis=0)
    best = choices[0]
    for number in (1, 2):
        chosen = cheapest == number
        if chosen.any():
            best = np.where(np.repeat(chosen, counts), choices[number], best)
    return best, np.array([1, 2, 0], dtype=np.uint8)[cheapest]


def _differences(numbers: Refs, starts: Refs) -> Refs:
    """Return each number less the one before it in its run, zero at its beginning."""
    steps = np.empty_like(numbers)
    steps[1:] = numbers[1:] - numbers[:-1]
    steps[starts] = 0
    return steps


def _bits(residuals: Refs) -> npt.NDArray[np.int32]:
    """Return about how many bits each residual has (a float's exponent; the constant in it
    is the same for all).
    """
    sizes = np.abs(residuals.astype(np.float32)) + np.float32(1.0)
    return sizes.view(np.int32) >> np.int32(22)


def _summed(residuals: Refs, offsets: Refs, counts: Refs, degrees: Bytes) -> Refs:
    """Undo the differences, each run as often as its order says."""
    once = (degrees >= 1) & (counts > 0)
    if not once.any():
        return residuals
    summed = _cumulated(residuals, offsets, counts)
    twice = degrees == 2
    if twice.all():
        return _cumulated(summed, offsets, counts)
    if twice.any():
        again = _cumulated(summed, offsets, counts)
        summed = np.where(np.repeat(twice, counts), again, summed)
    if not once.all():
        summed = np.where(np.repeat(once, counts), summed, residuals)
    return summed


def _cumulated(numbers: Refs, offsets: Refs, counts: Refs) -> Refs:
    """Return the running sum of each run, whose first number is zero."""
    if len(counts) and counts[0] * len(counts) == len(numbers) and (counts == counts[0]).all():
        rows: Refs = np.cumsum(numbers.reshape(len(counts), -1), axis=1)
        return rows.reshape(-1)
    sums = np.cumsum(numbers)
    sums -= np.repeat(sums[offsets[:-1]], counts)
    return sums


def _fold(numbers: Refs) -> _Unsigned:
    """Map 0, -1, 1, -2 ... to 0, 1, 2, 3 ..."""
    return ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)


def _unfold(stored: Column) -> Refs:
    if stored.dtype.itemsize < 4:
        small = stored.astype(np.int32)
        return ((small >> 1) ^ -(small & 1)).astype(np.int64)
    wide = stored.astype(np.uint64)
    found: Refs = (wide >> np.uint64(1)).view(np.int64) ^ -(wide & np.uint64(1)).view(np.int64)
    return found
