"""Native histograms as Prometheus' JSON."""

from collections.abc import Iterator
from typing import Any, Final

from controlplane.model.histogram import FloatHistogram
from controlplane.model.histogram_layout import Ranges, all_ranges
from controlplane.promql.numbers import format_value

# Which bounds of a bucket belong to it.
_UPPER_ONLY: Final = 0
_LOWER_ONLY: Final = 1
_NEITHER: Final = 2
_BOTH: Final = 3


def encode_histogram(histogram: FloatHistogram) -> dict[str, Any]:
    """Return count, sum and the filled buckets as `[rule, lower, upper, count]`."""
    encoded: dict[str, Any] = {
        "count": format_value(histogram.count),
        "sum": format_value(histogram.sum),
    }
    buckets = list(_buckets(histogram))
    if buckets:
        encoded["buckets"] = buckets
    return encoded


def _buckets(histogram: FloatHistogram) -> Iterator[list[object]]:
    ranges = all_ranges(histogram)
    for place, count in enumerate(ranges.counts.tolist()):
        if count:
            lower, upper = float(ranges.lower[place]), float(ranges.upper[place])
            rule = _rule(histogram, ranges, place)
            yield [rule, format_value(lower), format_value(upper), format_value(count)]


def _rule(histogram: FloatHistogram, ranges: Ranges, place: int) -> int:
    if place == ranges.zero:
        return _BOTH
    if histogram.is_custom:
        return _BOTH if histogram.positive.indices[place] == 0 else _UPPER_ONLY
    lower, upper = bool(ranges.lower[place] < 0), bool(ranges.upper[place] > 0)
    if lower:
        return _BOTH if upper else _LOWER_ONLY
    return _UPPER_ONLY if upper else _NEITHER
