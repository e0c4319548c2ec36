"""Classic histograms as native ones with custom buckets.

What a page or a test gives as series `_bucket{le}`, `_count` and `_sum` becomes
one sample; the buckets' counts are cumulative there, here they are not.
"""

import math
from dataclasses import dataclass, field

from controlplane.errors import InvalidInput
from controlplane.model.histogram import CUSTOM_BUCKETS, FloatHistogram, buckets_at

SUFFIXES = ("_bucket", "_count", "_sum")


def base_name(name: str) -> tuple[str, str]:
    """Return a metric's name without the suffix of a histogram's series, and the suffix."""
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ""


@dataclass(slots=True)
class ClassicHistogram:
    """What was found of one histogram at one instant: counts by upper bound, count, sum."""

    buckets: dict[float, float] = field(default_factory=dict)
    count: float | None = None
    sum: float = 0.0

    def converted(self) -> FloatHistogram:
        """Return the native histogram. Raises InvalidInput for counts that make no sense."""
        bounds = sorted(self.buckets)
        count = self.count
        if count is None:
            count = self.buckets[bounds[-1]] if bounds else 0.0
        counts = [self.buckets[bound] for bound in bounds]
        if not bounds or bounds[-1] != math.inf:
            bounds, counts = [*bounds, math.inf], [*counts, count]
        if count != counts[-1]:
            raise InvalidInput(f"count mismatch: {count:g} != {counts[-1]:g}")
        below = [0.0, *counts[:-1]]
        inside = [c - b for c, b in zip(counts, below, strict=True)]
        if any(number < 0 for number in inside):
            raise InvalidInput("count is not cumulative")
        return FloatHistogram(
            schema=CUSTOM_BUCKETS,
            count=count,
            sum=self.sum,
            positive=buckets_at(range(len(inside)), inside).compact(),
            custom_values=tuple(bounds[:-1]),
        )
