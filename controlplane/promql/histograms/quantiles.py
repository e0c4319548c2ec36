"""Quantiles and fractions of one native histogram.

Within exponential buckets observations are taken to lie evenly on a
logarithmic scale; within custom buckets and the zero bucket, on a linear one.
"""

import math
from dataclasses import dataclass

import numpy as np

from controlplane.model.histogram import FloatHistogram
from controlplane.model.histogram_layout import Ranges, all_ranges
from controlplane.model.samples import Values


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile; `nan_result` and `skewed` tell what NaN observations did to it."""

    value: float
    nan_result: bool = False
    skewed: bool = False


@dataclass(frozen=True, slots=True)
class Fraction:
    """A share of observations; `excluded` tells that there were NaN ones."""

    value: float
    excluded: bool = False


def quantile(rank: float, histogram: FloatHistogram) -> Quantile:
    """Return the quantile `rank` of a histogram; outside of [0, 1] it is infinite."""
    if rank < 0 or rank > 1:
        return Quantile(-math.inf if rank < 0 else math.inf)
    if histogram.count == 0 or math.isnan(rank):
        return Quantile(math.nan)
    ranges, has_nan = all_ranges(histogram), math.isnan(histogram.sum)
    # With NaN observations the buckets hold less than the count: start from below.
    forward = has_nan or rank < 0.5
    wanted = (rank if forward else 1 - rank) * histogram.count
    at, reached = _reach(ranges.counts if forward else ranges.counts[::-1], wanted)
    if at < 0:
        # No bucket is filled although there are observations.
        return Quantile(math.nan if has_nan else 0.0, nan_result=has_nan)
    at = at if forward else len(ranges.counts) - 1 - at
    lower, upper = _edges(histogram, ranges, at)
    if histogram.is_custom:
        if lower == -math.inf:
            if upper <= 0:
                return Quantile(upper)
            lower = 0.0
        elif upper == math.inf:
            return Quantile(lower)
    reached = min(reached, histogram.count)
    if reached < wanted:
        return Quantile(math.nan if has_nan else upper, nan_result=has_nan)
    inside = float(ranges.counts[at])
    part = (wanted - (reached - inside) if forward else reached - wanted) / inside
    skewed = has_nan and float(ranges.counts.sum()) < histogram.count
    linear = histogram.is_custom or lower <= 0 <= upper
    return Quantile(_between(lower, upper, part, linear=linear), skewed=skewed)


def _reach(counts: Values, wanted: float) -> tuple[int, float]:
    """Return the first filled bucket with which the sum reaches `wanted`, or the last one."""
    reached, at = 0.0, -1
    for place, count in enumerate(counts.tolist()):
        if count == 0:
            continue
        reached += count
        at = place
        if reached >= wanted:
            break
    return at, reached


def _edges(histogram: FloatHistogram, ranges: Ranges, at: int) -> tuple[float, float]:
    """Return the bounds of a bucket; the zero bucket ends at 0 where there is only one side."""
    lower, upper = float(ranges.lower[at]), float(ranges.upper[at])
    if histogram.is_custom or not (lower <= 0 <= upper):
        return lower, upper
    if not len(histogram.negative) and len(histogram.positive):
        return 0.0, upper
    if not len(histogram.positive) and len(histogram.negative):
        return lower, 0.0
    return lower, upper


def _between(lower: float, upper: float, part: float, *, linear: bool) -> float:
    if linear:
        return lower + (upper - lower) * part
    low, high = math.log2(abs(lower)), math.log2(abs(upper))
    if lower > 0:
        return float(np.exp2(low + (high - low) * part))
    return -float(np.exp2(high + (low - high) * (1 - part)))


def fraction(low: float, high: float, histogram: FloatHistogram) -> Fraction:
    """Return the share of observations between two values."""
    if histogram.count == 0 or math.isnan(low) or math.isnan(high):
        return Fraction(math.nan)
    if low >= high:
        return Fraction(0.0)
    ranges = all_ranges(histogram)
    counted, excluded = histogram.count, False
    if math.isnan(histogram.sum):
        counted = float(ranges.counts.sum())
        excluded = counted < histogram.count
    ranks = [_rank_of(value, histogram, ranges, counted) for value in (low, high)]
    return Fraction((ranks[1] - ranks[0]) / histogram.count, excluded)


def _rank_of(value: float, histogram: FloatHistogram, ranges: Ranges, counted: float) -> float:
    """Return how many observations lie below a value."""
    below = 0.0
    for at in range(len(ranges.counts)):
        lower, upper = float(ranges.lower[at]), float(ranges.upper[at])
        count = float(ranges.counts[at])
        crosses_zero = lower <= 0 <= upper
        if crosses_zero:
            lower, upper = _zero_edges(histogram, lower, upper)
        if lower >= value:
            return min(below, counted)
        if upper > value:
            if lower == -math.inf:
                return min(count, counted)
            linear = histogram.is_custom or crosses_zero
            return min(below + count * share_below(lower, upper, value, linear=linear), counted)
        below += count
    return counted


def _zero_edges(histogram: FloatHistogram, lower: float, upper: float) -> tuple[float, float]:
    if not len(histogram.negative) and len(histogram.positive):
        return 0.0, upper
    if not len(histogram.positive) and len(histogram.negative):
        return lower, 0.0
    return lower, upper


def share_below(lower: float, upper: float, value: float, *, linear: bool) -> float:
    """Return which part of a bucket lies below a value inside it."""
    if linear:
        return (value - lower) / (upper - lower)
    low, high = math.log2(abs(lower)), math.log2(abs(upper))
    at = math.log2(abs(value))
    if value > 0:
        return (at - low) / (high - low)
    return 1 - (at - high) / (low - high)
