"""Mean and variance of the observations in one native histogram."""

import math

import numpy as np

from controlplane.model.histogram import FloatHistogram
from controlplane.model.histogram_layout import all_ranges


def average(histogram: FloatHistogram) -> float:
    """Return the mean of the observations, NaN when there are none."""
    return _quotient(histogram.sum, histogram.count)


def variance(histogram: FloatHistogram) -> float:
    """Return the variance, with all observations in the middles of their buckets.

    The middle is the geometric one of exponential buckets, the arithmetic one
    of custom buckets, and 0 of the zero bucket.
    """
    ranges = all_ranges(histogram)
    filled = ranges.counts != 0
    lower, upper, counts = ranges.lower[filled], ranges.upper[filled], ranges.counts[filled]
    with np.errstate(all="ignore"):
        if histogram.is_custom:
            middles = (upper + lower) / 2
        else:
            middles = np.sqrt(upper * lower) * np.where(upper < 0, -1.0, 1.0)
            middles = np.where((lower <= 0) & (upper >= 0), 0.0, middles)
        distances = middles - average(histogram)
        weighted = counts * distances * distances
    if not np.isfinite(weighted).all():
        return _quotient(float(weighted.sum()), histogram.count)
    return _quotient(math.fsum(weighted.tolist()), histogram.count)


def deviation(histogram: FloatHistogram) -> float:
    """Return the standard deviation."""
    with np.errstate(invalid="ignore"):
        return float(np.sqrt(variance(histogram)))


def _quotient(total: float, count: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.divide(total, count))
