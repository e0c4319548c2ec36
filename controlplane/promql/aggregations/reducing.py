"""Aggregations that give one value a group: sum, avg, min, max, count, stddev, quantile ..."""

from collections.abc import Callable
from typing import Final

import numpy as np

from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.aggregations.grouping import Grouping
from controlplane.promql.sums import group_sums

# Takes values and presence (n, k) and the grouping; returns values (groups, k).
Reduction = Callable[[Values, Mask, Grouping], Values]


def counts(present: Mask, grouping: Grouping) -> Values:
    """Return how many rows of each group are present at each instant."""
    if present.all():
        sizes = np.bincount(grouping.groups, minlength=grouping.size).astype(np.float64)
        return np.broadcast_to(sizes[:, None], (grouping.size, present.shape[1]))
    ordered = present[grouping.segments.order]
    counted: Values = np.add.reduceat(ordered, grouping.starts, axis=0, dtype=np.float64)
    return counted


def _filled(values: Values, present: Mask, filling: float) -> Values:
    return values if present.all() else np.where(present, values, filling)


def total(values: Values, present: Mask, grouping: Grouping) -> Values:
    return group_sums(_filled(values, present, 0.0), grouping.segments)


def mean(values: Values, present: Mask, grouping: Grouping) -> Values:
    """Return the mean; where a sum of finite values overflows, the sum of their shares."""
    filled, count = _filled(values, present, 0.0), counts(present, grouping)
    means = group_sums(filled, grouping.segments) / count
    wild = ~np.isfinite(means)
    if wild.any():
        shares = group_sums(filled / count[grouping.groups], grouping.segments)
        means = np.where(wild & np.isfinite(shares), shares, means)
    return means


def least(values: Values, present: Mask, grouping: Grouping) -> Values:
    """Return the smallest value; NaN only where there is nothing else."""
    ordered = _filled(values, present, np.nan)[grouping.segments.order]
    found: Values = np.fmin.reduceat(ordered, grouping.starts, axis=0)
    return found


def greatest(values: Values, present: Mask, grouping: Grouping) -> Values:
    """Return the largest value; NaN only where there is nothing else."""
    ordered = _filled(values, present, np.nan)[grouping.segments.order]
    found: Values = np.fmax.reduceat(ordered, grouping.starts, axis=0)
    return found


def one(_values: Values, present: Mask, grouping: Grouping) -> Values:
    return np.ones((grouping.size, present.shape[1]))


def count(_values: Values, present: Mask, grouping: Grouping) -> Values:
    return counts(present, grouping)


def variance(values: Values, present: Mask, grouping: Grouping) -> Values:
    """Return the population variance, by two compensated passes.

    Values are taken from the group's least one on: of equal values the
    variance is exactly 0. One NaN or infinite value makes it NaN.
    """
    shifted = values - least(values, present, grouping)[grouping.groups]
    distances = shifted - mean(shifted, present, grouping)[grouping.groups]
    squares = _filled(distances * distances, present, 0.0)
    return group_sums(squares, grouping.segments) / counts(present, grouping)


def deviation(values: Values, present: Mask, grouping: Grouping) -> Values:
    spread: Values = np.sqrt(variance(values, present, grouping))
    return spread


REDUCTIONS: Final[dict[str, Reduction]] = {
    "sum": total,
    "avg": mean,
    "min": least,
    "max": greatest,
    "count": count,
    "group": one,
    "stdvar": variance,
    "stddev": deviation,
}


def quantiles(rank: Values, values: Values, present: Mask, grouping: Grouping) -> Values:
    """Return the quantile of each group at each instant; `rank` has the shape (k,)."""
    result = np.full((grouping.size, values.shape[1]), np.nan)
    for step in range(values.shape[1]):
        rows = np.flatnonzero(present[:, step])
        groups, column = grouping.groups[rows], values[rows, step]
        result[:, step] = segment_quantiles(float(rank[step]), column, groups, grouping.size)
    return result


def segment_quantiles(rank: float, values: Values, groups: Refs, size: int) -> Values:
    """Return the quantile of the values of each group (flat arrays); NaN sorts first."""
    if np.isnan(rank):
        return np.full(size, np.nan)
    if rank < 0 or rank > 1:
        return np.full(size, -np.inf if rank < 0 else np.inf)
    # NaN takes part as the smallest value: sort by "is a number", then by value.
    order = np.lexsort((values, ~np.isnan(values), groups))
    ordered = values[order]
    sizes = np.bincount(groups, minlength=size)
    starts = np.cumsum(sizes) - sizes
    at = rank * (sizes - 1)
    low = np.maximum(np.floor(at), 0).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(sizes - 1, 0))
    weight = at - np.floor(at)
    result = np.full(size, np.nan)
    some = sizes > 0
    lower, upper = ordered[(starts + low)[some]], ordered[(starts + high)[some]]
    with np.errstate(invalid="ignore"):
        result[some] = lower * (1 - weight[some]) + upper * weight[some]
    return result
