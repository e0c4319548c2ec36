"""Sums, differences and multiples of native histograms."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from controlplane.errors import ControlPlaneError
from controlplane.model.histogram import NO_BUCKETS, Buckets, CounterResetHint, FloatHistogram
from controlplane.model.histogram_layout import (
    at_bounds,
    at_schema,
    common_bounds,
    with_zero_threshold,
)
from controlplane.model.samples import Refs, Values

_OPPOSED: Final = frozenset({CounterResetHint.RESET, CounterResetHint.NOT_RESET})


class IncompatibleBuckets(ControlPlaneError):
    """One histogram has exponential buckets, the other custom ones."""

    def __init__(self) -> None:
        super().__init__("exponential and custom buckets cannot be combined")


@dataclass(frozen=True, slots=True)
class Combined:
    """Two histograms in one; whether their hints were opposed, their custom bounds different."""

    histogram: FloatHistogram
    collision: bool = False
    reconciled: bool = False


def add(left: FloatHistogram, right: FloatHistogram) -> Combined:
    """Return the sum. Raises IncompatibleBuckets."""
    return _combine(left, right, np.add)


def subtract(left: FloatHistogram, right: FloatHistogram) -> Combined:
    """Return the difference; buckets may become negative. Raises IncompatibleBuckets."""
    return _combine(left, right, np.subtract)


def multiplied(histogram: FloatHistogram, factor: float) -> FloatHistogram:
    """Return all counts and the sum times a factor; a negative one makes a gauge of it."""
    return _scaled(histogram, lambda value: value * factor, gauge=factor < 0)


def divided(histogram: FloatHistogram, divisor: float) -> FloatHistogram:
    """Return all counts and the sum through a number; by 0 no bucket is left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result = _scaled(histogram, lambda value: np.divide(value, divisor), gauge=divisor < 0)
    if divisor == 0:
        return replace(result, positive=NO_BUCKETS, negative=NO_BUCKETS)
    return result


def _scaled(
    histogram: FloatHistogram, scale: Callable[[Values], Values], *, gauge: bool
) -> FloatHistogram:
    numbers = scale(np.array([histogram.count, histogram.sum, histogram.zero_count]))
    count, total, zero_count = numbers.tolist()
    return replace(
        histogram,
        count=count,
        sum=total,
        zero_count=zero_count,
        positive=histogram.positive.scaled(scale(histogram.positive.counts)),
        negative=histogram.negative.scaled(scale(histogram.negative.counts)),
        hint=CounterResetHint.GAUGE if gauge else histogram.hint,
    )


def joint_hint(left: CounterResetHint, right: CounterResetHint) -> tuple[CounterResetHint, bool]:
    """Return what is known of a sum of two, and whether their hints were opposed."""
    if left is right:
        return left, False
    if CounterResetHint.GAUGE in (left, right):
        return CounterResetHint.GAUGE, False
    return CounterResetHint.UNKNOWN, {left, right} == _OPPOSED


def aligned(
    left: FloatHistogram, right: FloatHistogram
) -> tuple[FloatHistogram, FloatHistogram, bool]:
    """Return both with one schema, one zero threshold, one set of custom bounds.

    The third value tells whether custom bounds were different. Raises
    IncompatibleBuckets.
    """
    if left.is_custom != right.is_custom:
        raise IncompatibleBuckets
    if left.is_custom:
        if left.custom_values == right.custom_values:
            return left, right, False
        bounds = common_bounds(left.custom_values, right.custom_values)
        return _rebound(left, bounds), _rebound(right, bounds), True
    while left.zero_threshold != right.zero_threshold:
        if left.zero_threshold > right.zero_threshold:
            right = with_zero_threshold(right, left.zero_threshold)
        else:
            left = with_zero_threshold(left, right.zero_threshold)
    schema = min(left.schema, right.schema)
    return at_schema(left, schema), at_schema(right, schema), False


def _rebound(histogram: FloatHistogram, bounds: tuple[float, ...]) -> FloatHistogram:
    merged = at_bounds(histogram.positive, histogram.custom_values, bounds)
    return replace(histogram, custom_values=bounds, positive=merged)


def _combine(
    left: FloatHistogram,
    right: FloatHistogram,
    operation: Callable[[Values | float, Values | float], Values],
) -> Combined:
    hint, collision = joint_hint(left.hint, right.hint)
    left, right, reconciled = aligned(left, right)
    combined = replace(
        left,
        count=float(operation(left.count, right.count)),
        sum=float(operation(left.sum, right.sum)),
        zero_count=float(operation(left.zero_count, right.zero_count)),
        positive=_combined(left.positive, right.positive, operation),
        negative=_combined(left.negative, right.negative, operation),
        hint=hint,
    )
    return Combined(combined, collision, reconciled)


def _combined(
    left: Buckets, right: Buckets, operation: Callable[[Values | float, Values | float], Values]
) -> Buckets:
    if not len(right):
        return left
    if left.indices is right.indices or np.array_equal(left.indices, right.indices):
        return left.scaled(operation(left.counts, right.counts))
    indices = np.union1d(left.indices, right.indices)
    return Buckets(indices, operation(spread(left, indices), spread(right, indices)))


def spread(buckets: Buckets, indices: Refs) -> Values:
    """Return the counts at some indices that hold all of the buckets' own."""
    counts = np.zeros(len(indices))
    counts[np.searchsorted(indices, buckets.indices)] = buckets.counts
    return counts
