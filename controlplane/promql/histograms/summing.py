"""Compensated sums and means of many native histograms.

As with floats, `1 + 1e100 + 1 - 1e100` is 2 in every bucket. Samples of one
layout are added as columns, others one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from controlplane.model.histogram import Buckets, CounterResetHint, FloatHistogram
from controlplane.model.samples import Refs, Values
from controlplane.promql.histograms.arithmetic import (
    Combined,
    aligned,
    divided,
    joint_hint,
    spread,
)
from controlplane.promql.sums import RunningSum


@dataclass(frozen=True, slots=True)
class _Layout:
    """What must be alike for counts to be added as they stand."""

    schema: int
    zero_threshold: float
    custom_values: tuple[float, ...]


def total(histograms: Sequence[FloatHistogram]) -> Combined:
    """Return the sum of one or more samples. Raises IncompatibleBuckets.

    `collision` tells whether some say that there was a reset and others that
    there was none.
    """
    hint = histograms[0].hint
    for other in histograms[1:]:
        hint, _ = joint_hint(hint, other.hint)
    seen = {histogram.hint for histogram in histograms}
    collision = {CounterResetHint.RESET, CounterResetHint.NOT_RESET} <= seen
    alike, reconciled = _alike(histograms)
    return Combined(_column_sum(alike).hinted(hint), collision, reconciled)


def mean(histograms: Sequence[FloatHistogram]) -> Combined:
    """Return the mean; where the sum of finite samples overflows, the sum of their shares."""
    summed, size = total(histograms), len(histograms)
    if not _overflows(summed.histogram):
        return replace(summed, histogram=divided(summed.histogram, size))
    return total([divided(histogram, size) for histogram in histograms])


def _overflows(histogram: FloatHistogram) -> bool:
    numbers = (histogram.count, histogram.sum, histogram.zero_count)
    sides = (histogram.positive.counts, histogram.negative.counts)
    return bool(np.isinf(numbers).any()) or any(np.isinf(counts).any() for counts in sides)


def _alike(histograms: Sequence[FloatHistogram]) -> tuple[Sequence[FloatHistogram], bool]:
    """Return the samples in one layout, and whether custom bounds were different."""
    layouts = {_Layout(h.schema, h.zero_threshold, h.custom_values) for h in histograms}
    if len(layouts) == 1:
        return histograms, False
    # The layout of a sum is that of its parts taken one after the other: how far a
    # zero bucket reaches depends on which buckets are filled by then.
    first, reconciled = histograms[0], False
    for other in histograms[1:]:
        first, fitted, differed = aligned(first, other)
        positive = _filled(first.positive, fitted.positive)
        negative = _filled(first.negative, fitted.negative)
        first = replace(first, positive=positive, negative=negative)
        reconciled |= differed
    return [aligned(first, histogram)[1] for histogram in histograms], reconciled


def _filled(left: Buckets, right: Buckets) -> Buckets:
    """Return the buckets of both, whose counts stand only for being filled."""
    if np.array_equal(left.indices, right.indices):
        return left.scaled(np.abs(left.counts) + np.abs(right.counts))
    indices = np.union1d(left.indices, right.indices)
    return Buckets(indices, np.abs(spread(left, indices)) + np.abs(spread(right, indices)))


def _column_sum(histograms: Sequence[FloatHistogram]) -> FloatHistogram:
    positive = _indices([histogram.positive for histogram in histograms])
    negative = _indices([histogram.negative for histogram in histograms])
    running = RunningSum((3 + len(positive) + len(negative),))
    with np.errstate(over="ignore", invalid="ignore"):
        for histogram in histograms:
            numbers = (histogram.count, histogram.sum, histogram.zero_count)
            counts = _at(histogram.positive, positive), _at(histogram.negative, negative)
            running.add(np.concatenate([numbers, *counts]))
        summed = running.total()
    count, observed, zero_count = summed[:3].tolist()
    middle = 3 + len(positive)
    return replace(
        histograms[0],
        count=count,
        sum=observed,
        zero_count=zero_count,
        positive=Buckets(positive, summed[3:middle]),
        negative=Buckets(negative, summed[middle:]),
    )


def _indices(sides: Sequence[Buckets]) -> Refs:
    first = sides[0].indices
    if all(side.indices is first or np.array_equal(side.indices, first) for side in sides[1:]):
        return first
    return np.unique(np.concatenate([side.indices for side in sides]))


def _at(buckets: Buckets, indices: Refs) -> Values:
    return buckets.counts if buckets.indices is indices else spread(buckets, indices)
