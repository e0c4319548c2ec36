"""Counter resets between two native histograms."""

import numpy as np

from controlplane.model.histogram import Buckets, CounterResetHint, FloatHistogram
from controlplane.model.histogram_layout import (
    at_bounds,
    coarser,
    common_bounds,
    outside_zero,
    widened_zero,
)


def is_reset(current: FloatHistogram, previous: FloatHistogram) -> bool:
    """Tell whether the counter began anew between two samples.

    A hint is believed. Else: fewer observations in all or in any bucket, a
    finer schema, a narrower zero bucket, or one whose edge lies inside a
    filled bucket of the sample before.
    """
    if current.hint is CounterResetHint.RESET:
        return True
    if current.hint is CounterResetHint.NOT_RESET:
        return False
    if current.count < previous.count:
        return True
    if current.is_custom != previous.is_custom:
        return True
    if current.is_custom:
        return _custom_reset(current, previous)
    return _exponential_reset(current, previous)


def _custom_reset(current: FloatHistogram, previous: FloatHistogram) -> bool:
    bounds = common_bounds(current.custom_values, previous.custom_values)
    after = at_bounds(current.positive, current.custom_values, bounds)
    before = at_bounds(previous.positive, previous.custom_values, bounds)
    return _fell(after, before)


def _exponential_reset(current: FloatHistogram, previous: FloatHistogram) -> bool:
    threshold, schema = current.zero_threshold, current.schema
    if schema > previous.schema or threshold < previous.zero_threshold:
        return True
    zero_count, reached = widened_zero(previous, threshold)
    if reached != threshold or current.zero_count < zero_count:
        return True
    sides = ((current.positive, previous.positive), (current.negative, previous.negative))
    steps = previous.schema - schema
    return any(
        _fell(
            outside_zero(after, schema, threshold),
            outside_zero(coarser(before, steps), schema, threshold),
        )
        for after, before in sides
    )


def _fell(after: Buckets, before: Buckets) -> bool:
    """Tell whether any bucket has fewer observations than before."""
    if not len(before):
        return False
    if after.indices is before.indices or np.array_equal(after.indices, before.indices):
        return bool((after.counts < before.counts).any())
    now = np.zeros(len(before))
    if len(after):
        places = np.minimum(np.searchsorted(after.indices, before.indices), len(after) - 1)
        there = after.indices[places] == before.indices
        now[there] = after.counts[places[there]]
    return bool((now < before.counts).any())
