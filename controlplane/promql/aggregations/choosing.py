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
    chosen = np.zeros(present.shape, dtype=np.bool_)
    columns = np.ascontiguousarray(values.T)
    for step, limit in enumerate(limits.tolist()):
        rows = np.flatnonzero(present[:, step])
        if limit < 1 or not len(rows):
            continue
        if grouping.size == 1:
            rows = rows[contenders(columns[step][rows], limit, largest=largest)]
        groups = grouping.groups[rows]
        order = by_value(columns[step][rows], groups, largest=largest)
        chosen[rows[order[ranks(groups[order]) < limit]], step] = True
    return chosen


def contenders(values: Values, limit: int, *, largest: bool) -> Refs:
    """Return the places of all values that may be among the best `limit`, rising.

    Finding the last of the best is cheaper than sorting; equal values stay in.
    """
    if limit >= len(values) or np.isnan(values).any():
        return np.arange(len(values))
    keys = -values if largest else values
    places: Refs = np.flatnonzero(keys <= np.partition(keys, limit - 1)[limit - 1])
    return places


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
