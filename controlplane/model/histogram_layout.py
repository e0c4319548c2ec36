"""Where the buckets of native histograms lie: bounds, coarser schemas, wider zero buckets."""

import math
import sys
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from controlplane.model.histogram import Buckets, FloatHistogram
from controlplane.model.samples import Refs, Values

# What each schema's bound is of the one before it, rounded as upstream's table is:
# bounds that are printed shall be the same to the last digit.
_FACTORS: Final = (
    2.0,
    1.414213562373095,
    1.189207115002721,
    1.0905077326652577,
    1.0442737824274138,
    1.0218971486541166,
    1.0108892860517005,
    1.0054299011128027,
    1.0027112750502025,
)
_LARGEST: Final = sys.float_info.max
# The exponent behind the largest number: its bound is written as that number.
_OVERFLOW: Final = 1024


@cache
def _fractions(schema: int) -> Values:
    """Return the bounds in [0.5, 1) of a schema from 0 on."""
    bounds = np.full(2**schema, 0.5)
    for place in range(1, len(bounds)):
        # Every second bound is one of the coarser schema.
        even = place % 2 == 0
        bounds[place] = (
            _fractions(schema - 1)[place // 2] if even else bounds[place - 1] * _FACTORS[schema]
        )
    return bounds


def upper_bounds(indices: Refs, schema: int) -> Values:
    """Return the upper bounds of exponential buckets by absolute value."""
    if schema < 0:
        exponents = indices << -schema
        with np.errstate(over="ignore"):
            bounds = np.ldexp(1.0, np.minimum(exponents, _OVERFLOW + 1))
        return np.where(exponents == _OVERFLOW, _LARGEST, bounds)
    places = indices & ((1 << schema) - 1)
    exponents = (indices >> schema) + 1
    with np.errstate(over="ignore"):
        bounds = np.ldexp(_fractions(schema)[places], exponents)
    last = (places == 0) & (exponents == _OVERFLOW + 1)
    return np.where(last, _LARGEST, bounds)


def _upper_bound(index: int, schema: int) -> float:
    """Return one bound; what lies beyond the largest number is infinite."""
    exponent = index << -schema if schema < 0 else (index >> schema) + 1
    if exponent >= _OVERFLOW:
        return math.inf
    fraction = 1.0 if schema < 0 else float(_fractions(schema)[index & ((1 << schema) - 1)])
    return math.ldexp(fraction, exponent)


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Buckets with their bounds, rising, (b,) each. For the zero bucket `zero` is its place."""

    lower: Values
    upper: Values
    counts: Values
    zero: int = -1


def positive_ranges(histogram: FloatHistogram) -> Ranges:
    """Return the positive buckets; those of a custom schema reach from -Inf to +Inf."""
    side = histogram.positive
    if histogram.is_custom:
        bounds = np.array([-np.inf, *histogram.custom_values, np.inf])
        return Ranges(bounds[side.indices], bounds[side.indices + 1], side.counts)
    schema = histogram.schema
    lower, upper = upper_bounds(side.indices - 1, schema), upper_bounds(side.indices, schema)
    return Ranges(lower, upper, side.counts)


def negative_ranges(histogram: FloatHistogram) -> Ranges:
    """Return the negative buckets in the order of their indices: falling."""
    side, schema = histogram.negative, histogram.schema
    lower, upper = -upper_bounds(side.indices, schema), -upper_bounds(side.indices - 1, schema)
    return Ranges(lower, upper, side.counts)


def all_ranges(histogram: FloatHistogram) -> Ranges:
    """Return all buckets in the order of their bounds, the zero bucket if it is not empty.

    Buckets that overlap the zero bucket are cut at its edge.
    """
    positive = positive_ranges(histogram)
    if histogram.is_custom:
        return positive
    negative, edge = negative_ranges(histogram), histogram.zero_threshold
    has_zero = histogram.zero_count > 0
    upper, lower = negative.upper[::-1], positive.lower
    upper = np.where((upper < 0) & (upper > -edge), -edge, upper)
    lower = np.where((lower > 0) & (lower < edge), edge, lower)
    return Ranges(
        np.concatenate([negative.lower[::-1], [-edge] * has_zero, lower]),
        np.concatenate([upper, [edge] * has_zero, positive.upper]),
        np.concatenate([negative.counts[::-1], [histogram.zero_count] * has_zero, positive.counts]),
        len(negative.counts) if has_zero else -1,
    )


def coarser(buckets: Buckets, steps: int) -> Buckets:
    """Return buckets merged to the schema that is `steps` lower."""
    if not steps or not len(buckets):
        return buckets
    targets = ((buckets.indices - 1) >> steps) + 1
    begins = np.flatnonzero(np.r_[True, targets[1:] != targets[:-1]])
    return Buckets(targets[begins], np.add.reduceat(buckets.counts, begins))


def at_schema(histogram: FloatHistogram, schema: int) -> FloatHistogram:
    """Return an exponential histogram in a schema that is not finer than its own."""
    steps = histogram.schema - schema
    if not steps:
        return histogram
    return replace(
        histogram,
        schema=schema,
        positive=coarser(histogram.positive, steps),
        negative=coarser(histogram.negative, steps),
    )


def widened_zero(histogram: FloatHistogram, threshold: float) -> tuple[float, float]:
    """Return zero count and threshold for a zero bucket that reaches at least so far.

    Buckets inside are counted to it; one that is filled and lies across its
    edge is taken whole, which moves the threshold.
    """
    if threshold == histogram.zero_threshold:
        return histogram.zero_count, threshold
    schema = histogram.schema
    sides = [
        (upper_bounds(side.indices - 1, schema), upper_bounds(side.indices, schema), side.counts)
        for side in (histogram.positive, histogram.negative)
    ]
    while True:
        across = [
            upper[(lower < threshold) & (upper > threshold) & (counts != 0)]
            for lower, upper, counts in sides
        ]
        furthest = max((float(bounds.max()) for bounds in across if len(bounds)), default=0.0)
        if furthest <= threshold:
            break
        threshold = furthest
    inside = sum(float(counts[lower < threshold].sum()) for lower, _, counts in sides)
    return histogram.zero_count + inside, threshold


def outside_zero(buckets: Buckets, schema: int, threshold: float) -> Buckets:
    """Return the buckets that are not inside a zero bucket whose edge is one of their bounds."""
    if (
        not len(buckets)
        or not threshold
        or _upper_bound(int(buckets.indices[0]), schema) > threshold
    ):
        return buckets
    kept = upper_bounds(buckets.indices, schema) > threshold
    return buckets if kept.all() else Buckets(buckets.indices[kept], buckets.counts[kept])


def with_zero_threshold(histogram: FloatHistogram, threshold: float) -> FloatHistogram:
    """Return the histogram with a zero bucket that reaches at least so far."""
    count, reached = widened_zero(histogram, threshold)
    if reached == histogram.zero_threshold:
        return histogram
    schema = histogram.schema
    return replace(
        histogram,
        zero_count=count,
        zero_threshold=reached,
        positive=outside_zero(histogram.positive, schema, reached),
        negative=outside_zero(histogram.negative, schema, reached),
    )


def common_bounds(left: tuple[float, ...], right: tuple[float, ...]) -> tuple[float, ...]:
    """Return the custom bounds that both have."""
    theirs = set(right)
    return tuple([bound for bound in left if bound in theirs])


def at_bounds(buckets: Buckets, bounds: tuple[float, ...], wanted: tuple[float, ...]) -> Buckets:
    """Return custom buckets merged to some of their bounds."""
    if bounds == wanted or not len(buckets):
        return buckets
    uppers = np.array([*bounds, np.inf])[buckets.indices]
    targets = np.searchsorted(np.array(wanted), uppers)
    begins = np.flatnonzero(np.r_[True, targets[1:] != targets[:-1]])
    return Buckets(targets[begins], np.add.reduceat(buckets.counts, begins))
