"""Native histograms beside floats: in blocks and in windows of samples.

Floats stay in their columns. Where a block or windows hold a histogram at all,
an array of objects of the same shape stands beside the values, None where the
sample is a float; the value beside a histogram is 0 and means nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from controlplane.model.histogram import CounterResetHint, FloatHistogram, Histograms
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Block, Frame, VectorNode, Windows
from controlplane.promql.histograms.arithmetic import multiplied
from controlplane.promql.series import SAME_LABELSET
from controlplane.tsdb.ports import HistogramLookup


def filled(histograms: Histograms) -> Mask:
    """Tell where there is a histogram."""
    there: Mask = histograms.astype(np.bool_)
    return there


def no_histograms(shape: tuple[int, ...]) -> Histograms:
    """Return an array without histograms, for others to write over."""
    return np.full(shape, None, dtype=np.object_)


def resolved(
    lookup: HistogramLookup, values: Values, present: Mask, *, statistics: bool
) -> tuple[Values, Mask, Histograms | None]:
    """Return values, presence and histograms of samples that the store has given.

    With `statistics` the histograms are without their buckets.
    """
    histograms, lost = lookup.resolve(np.where(present, values, 0.0))
    there = filled(histograms)
    if lost.any():
        present = present & ~lost
    if not there.any():
        return values, present, None
    if statistics:
        histograms = _statistics(histograms)
    return np.where(there, 0.0, values), present, histograms


def _statistics(histograms: Histograms) -> Histograms:
    result = no_histograms(histograms.shape)
    for place in zip(*np.nonzero(filled(histograms)), strict=True):
        result[place] = histograms[place].statistics()
    return result


def with_histograms(windows: Windows, lookup: HistogramLookup, *, statistics: bool) -> Windows:
    """Return windows of samples that the store has given, with their histograms."""
    histograms, lost = lookup.resolve(windows.values)
    there = filled(histograms)
    if there.any():
        values = np.where(there, 0.0, windows.values)
        histograms = _statistics(histograms) if statistics else histograms
        windows = replace(windows, values=values, histograms=histograms)
    return _only(windows, ~lost) if lost.any() else windows


def histogram_cells(block: Block) -> Mask:
    """Tell where a block has a histogram."""
    if block.histograms is None:
        return np.zeros(block.present.shape, dtype=np.bool_)
    return block.present & filled(block.histograms)


def floats_of(block: Block) -> Block:
    """Return the block without its histograms."""
    if block.histograms is None:
        return block
    return Block(block.series, block.values, block.present & ~filled(block.histograms))


class FloatsOnly:
    """An instant vector without its histograms, for functions that know floats only."""

    __slots__ = ("inner",)

    def __init__(self, inner: VectorNode) -> None:
        self.inner = inner

    def evaluate(self, frame: Frame) -> Block:
        return floats_of(self.inner.evaluate(frame))


def joined(floats: Block, histograms: Block) -> Block:
    """Return two blocks of the same series as one. Raises EvaluationError where both have a sample.

    `histograms` has nothing but histograms.
    """
    if (floats.present & histograms.present).any():
        raise EvaluationError(SAME_LABELSET)
    values = np.where(histograms.present, 0.0, floats.values)
    present = floats.present | histograms.present
    return Block(floats.series, values, present, histograms.histograms)


def scaled(histograms: Histograms, factor: float) -> Histograms:
    """Return all histograms times a factor."""
    result = no_histograms(histograms.shape)
    for place in zip(*np.nonzero(filled(histograms)), strict=True):
        result[place] = multiplied(histograms[place], factor)
    return result


def concatenated(parts: Sequence[Block]) -> Histograms | None:
    """Return the histograms of blocks one below the other."""
    if all(part.histograms is None for part in parts):
        return None
    return np.concatenate(
        [
            no_histograms(part.present.shape) if part.histograms is None else part.histograms
            for part in parts
        ]
    )


def float_windows(windows: Windows) -> Windows:
    """Return the windows without their histograms."""
    if windows.histograms is None:
        return windows
    return replace(_only(windows, ~filled(windows.histograms)), histograms=None)


def _only(windows: Windows, kept: Mask) -> Windows:
    """Return the windows with some of their samples."""
    before = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))
    return replace(
        windows,
        values=windows.values[kept],
        times=windows.times[kept],
        low=before[windows.low],
        high=before[windows.high],
        histograms=None if windows.histograms is None else windows.histograms[kept],
    )


def histogram_counts(windows: Windows) -> Refs:
    """Return how many histograms each window holds, (n, k)."""
    if windows.histograms is None:
        return np.zeros(windows.low.shape, dtype=np.int64)
    before = np.concatenate(([0], np.cumsum(filled(windows.histograms), dtype=np.int64)))
    counts: Refs = before[windows.high] - before[windows.low]
    return counts


def without_windows(windows: Windows, dropped: Mask) -> Windows:
    """Return the windows, some of them emptied."""
    return replace(windows, high=np.where(dropped, windows.low, windows.high))


def unhinted(histograms: Histograms) -> Histograms:
    """Return histograms whose hints about resets are forgotten.

    What a hint says holds against the sample before, which is not there when
    samples are picked at the steps of a subquery.
    """
    known = (CounterResetHint.RESET, CounterResetHint.NOT_RESET)
    result = histograms.copy()
    for place in np.flatnonzero(filled(histograms)).tolist():
        one: FloatHistogram = histograms[place]
        if one.hint in known:
            result[place] = one.hinted(CounterResetHint.UNKNOWN)
    return result


def histograms_within(
    windows: Windows, row: int, column: int
) -> tuple[Times, Sequence[FloatHistogram]]:
    """Return times and histograms of one window, whose floats are passed over."""
    if windows.histograms is None:
        return windows.times[:0], []
    part = slice(int(windows.low[row, column]), int(windows.high[row, column]))
    inside = windows.histograms[part]
    there = filled(inside)
    return windows.times[part][there], inside[there].tolist()
