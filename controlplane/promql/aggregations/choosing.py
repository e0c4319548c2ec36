"""Aggregations that keep some of the series they get: topk, bottomk, limitk, limit_ratio."""

from collections.abc import Sequence

import numpy as np

from controlplane.model.labels import Labels
from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.aggregations.grouping import Grouping
from controlplane.promql.series import ranks


def best(limits: Refs, values: Values, present: Mask, grouping: Grouping, *, largest: bool) -> Mask:
    """Return where a value is among the best `limits[j]` of its group at instant j.

    NaN loses against every number; of equal values the earlier series wins.
    """
    chosen = np.zeros_like(present)
    for step in range(values.shape[1]):
        rows = np.flatnonzero(present[:, step])
        if limits[step] >= 1 and len(rows):
            order = by_value(values[rows, step], grouping.groups[rows], largest=largest)
            inside = ranks(grouping.groups[rows][order]) < limits[step]
            chosen[rows[order[inside]], step] = True
    return chosen


def by_value(values: Values, groups: Refs, *, largest: bool) -> Refs:
    """Return the order by group, then best value first, NaN last, then position."""
    order: Refs = np.lexsort((-values if largest else values, np.isnan(values), groups))
    return order


def first(limits: Refs, present: Mask, grouping: Grouping) -> Mask:
    """Return where a value is among the first `limits[j]` of its group at instant j."""
    order = grouping.segments.order
    ordered = present[order].astype(np.int64)
    running = np.cumsum(ordered, axis=0)
    before = (running - ordered)[grouping.starts]
    position = running - before[grouping.groups[order]]
    chosen = np.zeros_like(present)
    chosen[order] = present[order] & (position <= limits)
    return chosen


def sampled(ratios: Values, present: Mask, shares: Values) -> Mask:
    """Return where a series' fixed share in [0, 1) falls within the ratio of the instant.

    A negative ratio takes exactly those that its complement does not.
    """
    ratio = np.clip(ratios, -1.0, 1.0)
    column = shares[:, None]
    taken: Mask = np.where(ratio >= 0, column < ratio, column >= 1.0 + ratio)
    return present & taken


def fixed_shares(labels: Sequence[Labels]) -> Values:
    """Return a number in [0, 1) for each series that depends on its labels only."""
    return np.array([int(ls.fingerprint(), 16) / 2.0**64 for ls in labels])
