"""OTLP's exponential histograms as native ones."""

from typing import Any, Final

import numpy as np

from controlplane.errors import InvalidInput
from controlplane.model.histogram import (
    HIGHEST_SCHEMA,
    LOWEST_SCHEMA,
    NO_BUCKETS,
    Buckets,
    FloatHistogram,
    validate,
)
from controlplane.model.histogram_layout import coarser

# Where a sender says nothing of it, as upstream has it.
_ZERO_THRESHOLD: Final = 1e-128


def exponential(point: Any) -> FloatHistogram:
    """Return the histogram of a data point. Raises InvalidInput."""
    scale = point.scale
    if scale < LOWEST_SCHEMA:
        raise InvalidInput(
            "cannot convert exponential to native histogram. "
            f"Scale must be >= {LOWEST_SCHEMA}, was {scale}"
        )
    steps = max(scale - HIGHEST_SCHEMA, 0)
    histogram = FloatHistogram(
        schema=scale - steps,
        count=float(point.count),
        sum=point.sum,
        zero_threshold=point.zero_threshold or _ZERO_THRESHOLD,
        zero_count=float(point.zero_count),
        positive=_buckets(point.positive, steps),
        negative=_buckets(point.negative, steps),
    )
    validate(histogram)
    return histogram


def _buckets(side: Any, steps: int) -> Buckets:
    counts = np.array(side.bucket_counts, dtype=np.float64)
    if not len(counts):
        return NO_BUCKETS
    # There, bucket 0 begins at 1; here, it ends there.
    indices = side.offset + 1 + np.arange(len(counts), dtype=np.int64)
    return coarser(Buckets(indices, counts), steps).compact()
