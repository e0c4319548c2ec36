"""`</` and `>/`: a native histogram without the observations above or below a value."""

import math
from dataclasses import dataclass, replace

import numpy as np

from controlplane.model.histogram import Buckets, FloatHistogram
from controlplane.model.histogram_layout import Ranges, negative_ranges, positive_ranges
from controlplane.promql.histograms.quantiles import share_below


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A bucket, and how observations are taken to lie in it."""

    lower: float
    upper: float
    count: float
    positive: bool
    linear: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is left of a bucket, and where on average it lies."""

    count: float
    middle: float


def trimmed(histogram: FloatHistogram, value: float, *, keep_below: bool) -> FloatHistogram:
    """Return what lies below (or above) a value; a bucket that it divides is interpolated.

    The sum is estimated from the middles of the buckets once anything is gone.
    """
    sides = [
        [_trim(bucket, value, keep_below=keep_below) for bucket in side]
        for side in _sides(histogram)
    ]
    kept = [part for side in sides for part in side if part is not None]
    zero = _trim_zero(histogram, value, keep_below=keep_below)
    zero_count = histogram.zero_count if zero is None else zero.count
    counts = [np.array([0.0 if part is None else part.count for part in side]) for side in sides]
    buckets = (histogram.positive, histogram.negative)
    untouched = zero_count == histogram.zero_count and all(
        np.array_equal(left, side.counts) for left, side in zip(counts, buckets, strict=True)
    )
    if untouched:
        return histogram
    kept += [] if zero is None else [zero]
    return replace(
        histogram,
        count=float(sum(part.count for part in kept)),
        sum=float(sum(part.count * part.middle for part in kept)),
        zero_count=zero_count,
        positive=Buckets(histogram.positive.indices, counts[0]),
        negative=Buckets(histogram.negative.indices, counts[1]),
    ).compact()


def _sides(histogram: FloatHistogram) -> tuple[list[_Bucket], list[_Bucket]]:
    linear = histogram.is_custom
    positive = _rows(positive_ranges(histogram))
    negative = [] if linear else _rows(negative_ranges(histogram))
    return (
        [_Bucket(*row, positive=True, linear=linear) for row in positive],
        [_Bucket(*row, positive=False, linear=linear) for row in negative],
    )


def _rows(ranges: Ranges) -> list[tuple[float, float, float]]:
    columns = ranges.lower.tolist(), ranges.upper.tolist(), ranges.counts.tolist()
    return list(zip(*columns, strict=True))


def _trim(bucket: _Bucket, value: float, *, keep_below: bool) -> _Kept | None:
    """Return what is left of a bucket; None of one that is empty."""
    if not bucket.count:
        return None
    inside = bucket.lower < value < bucket.upper
    if not inside:
        whole = bucket.upper <= value if keep_below else bucket.lower >= value
        if not whole:
            return _Kept(0.0, 0.0)
        return _Kept(bucket.count, _middle(bucket, bucket.lower, bucket.upper))
    if math.isinf(bucket.lower):
        return _trim_lowest(bucket, value, keep_below=keep_below)
    if math.isinf(bucket.upper):
        # How far up its observations reach is not known: all may be above.
        return _Kept(0.0, 0.0) if keep_below else _Kept(bucket.count, value)
    below = bucket.count * share_below(bucket.lower, bucket.upper, value, linear=bucket.linear)
    if keep_below:
        return _Kept(below, _middle(bucket, bucket.lower, value))
    return _Kept(bucket.count - below, _middle(bucket, value, bucket.upper))


def _trim_lowest(bucket: _Bucket, value: float, *, keep_below: bool) -> _Kept:
    """Trim a bucket from -Inf on, which begins at 0 when it ends above it."""
    finite = not math.isinf(bucket.upper)
    if keep_below:
        if value > 0 and bucket.upper > 0 and finite:
            return _Kept(bucket.count * value / bucket.upper, value / 2)
        if bucket.upper <= 0:
            return _Kept(bucket.count, value)
    elif value >= 0 and finite:
        return _Kept(bucket.count * (1 - value / bucket.upper), (value + bucket.upper) / 2)
    return _Kept(0.0, 0.0)


def _middle(bucket: _Bucket, lower: float, upper: float) -> float:
    """Return where observations between two values lie on average."""
    if math.isinf(lower):
        if math.isinf(upper):
            return 0.0
        return upper / 2 if upper > 0 else upper
    if math.isinf(upper):
        return lower
    if bucket.linear:
        return (lower + upper) / 2
    middle = math.sqrt(abs(lower * upper))
    return middle if bucket.positive else -middle


def _trim_zero(histogram: FloatHistogram, value: float, *, keep_below: bool) -> _Kept | None:
    """Trim the zero bucket, which ends at 0 where there is only one side."""
    if histogram.zero_count <= 0:
        return None
    has_negative = bool((histogram.negative.counts != 0).any())
    has_positive = bool((histogram.positive.counts != 0).any())
    lower, upper = -histogram.zero_threshold, histogram.zero_threshold
    if has_negative != has_positive:
        lower, upper = (lower, 0.0) if has_negative else (0.0, upper)
    if lower < value < upper:
        low, high = (lower, value) if keep_below else (value, upper)
        share = (high - low) / (upper - lower)
        return _Kept(histogram.zero_count * share, (low + high) / 2)
    # At its upper edge all is below, at its lower edge all is above.
    whole = value >= upper and value > lower if keep_below else value <= lower
    return _Kept(histogram.zero_count, (lower + upper) / 2) if whole else _Kept(0.0, 0.0)
