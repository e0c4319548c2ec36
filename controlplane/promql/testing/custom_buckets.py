"""`load_with_nhcb`: classic histograms of a script as native ones with custom buckets."""

import math
from collections.abc import Sequence

from controlplane.model.classic_histogram import ClassicHistogram, base_name
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.promql.functions.buckets import BUCKET_LABEL, parse_bound
from controlplane.promql.testing.notation import SeriesLine, SeriesValue, WrittenHistogram


def custom_bucket_series(series: Sequence[SeriesLine]) -> list[SeriesLine]:
    """Return a native histogram for each classic one. Raises InvalidInput."""
    found: dict[Labels, dict[int, ClassicHistogram]] = {}
    for line in series:
        name, suffix = base_name(line.labels.name)
        bound = parse_bound(line.labels.value(BUCKET_LABEL)) if suffix == "_bucket" else 0.0
        if not suffix or bound is None or math.isnan(bound):
            continue
        labels = line.labels.drop(BUCKET_LABEL).merge({METRIC_NAME: name})
        at = found.setdefault(labels, {})
        for place, value in enumerate(line.values):
            if isinstance(value, float):
                _put(at.setdefault(place, ClassicHistogram()), suffix, bound, value)
    return [SeriesLine(labels, _values(at)) for labels, at in found.items()]


def _put(histogram: ClassicHistogram, suffix: str, bound: float, value: float) -> None:
    if suffix == "_bucket":
        histogram.buckets.setdefault(bound, value)
    elif suffix == "_count":
        histogram.count = value
    else:
        histogram.sum = value


def _values(at: dict[int, ClassicHistogram]) -> list[SeriesValue]:
    values: list[SeriesValue] = [None] * (max(at, default=-1) + 1)
    for place, histogram in at.items():
        values[place] = WrittenHistogram(histogram.converted())
    return values
