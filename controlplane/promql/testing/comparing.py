"""Answers against what a script expects. A difference is a sentence; None is none."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.histogram import FloatHistogram, Histograms
from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_BITS
from controlplane.promql.histograms.text import written
from controlplane.promql.numbers import format_value
from controlplane.promql.testing.notation import SeriesLine, SeriesValue, WrittenHistogram
from controlplane.promql.testing.script import Eval, Kind
from controlplane.promql.values import Matrix, Result, Scalar, String, Value, Vector

# What a series has at an instant.
Sample = float | FloatHistogram

_TOLERANCE = 1e-6
_SMALLEST_NORMAL = 2.2250738585072014e-308
_LARGEST = 1.7976931348623157e308


def nearly_equal(left: float, right: float) -> bool:
    """Tell whether two values are equal up to rounding; NaN equals NaN, a marker only itself."""
    if _is_marker(left) or _is_marker(right):
        return _is_marker(left) and _is_marker(right)
    if left == right or (math.isnan(left) and math.isnan(right)):
        return True
    scale, difference = abs(left) + abs(right), abs(left - right)
    if left == 0 or right == 0 or scale < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference / min(scale, _LARGEST) < _TOLERANCE


def _is_marker(value: float) -> bool:
    return int(np.array([value]).view(np.uint64)[0]) == STALE_BITS


def difference(case: Eval, value: Value) -> str | None:
    """Return how an answer differs from the expected one."""
    if isinstance(value, Vector):
        return _vector_difference(case, value)
    if isinstance(value, Matrix):
        return _matrix_difference(case, value)
    if isinstance(value, Scalar):
        if case.scalar is None:
            return f"expected a vector or matrix, got the scalar {format_value(value.value)}"
        if nearly_equal(case.scalar, value.value):
            return None
        return f"expected {format_value(case.scalar)}, got {format_value(value.value)}"
    return _string_difference(case, value)


def _string_difference(case: Eval, value: String) -> str | None:
    expected = case.string or ""
    return None if value.value == expected else f"expected {expected!r}, got {value.value!r}"


def _vector_difference(case: Eval, vector: Vector) -> str | None:
    if case.scalar is not None:
        return f"expected a scalar, got a vector of {len(vector.labels)}"
    expected = {line.labels: (place, line) for place, line in enumerate(case.expected)}
    seen: set[Labels] = set()
    for place, labels in enumerate(vector.labels):
        value = _sample(float(vector.values[place]), vector.histograms, place)
        if labels not in expected:
            return f"unexpected series {labels} with {_text(value)}"
        wanted_place, line = expected[labels]
        if case.ordered and wanted_place != place:
            return f"expected {labels} at position {wanted_place + 1}, it is at {place + 1}"
        reason = _value_difference(line.values[0] if line.values else None, value)
        if reason:
            return f"{labels}: {reason}"
        seen.add(labels)
    return _missing(expected, seen)


def _missing(expected: dict[Labels, tuple[int, SeriesLine]], seen: set[Labels]) -> str | None:
    return next((f"expected series {ls} is missing" for ls in expected if ls not in seen), None)


def _sample(value: float, histograms: Histograms | None, place: int | tuple[int, int]) -> Sample:
    """Return the float, or the histogram that is in its place."""
    found: FloatHistogram | None = None if histograms is None else histograms[place]
    return value if found is None else found


def _text(sample: Sample) -> str:
    return written(sample) if isinstance(sample, FloatHistogram) else format_value(sample)


def _value_difference(expected: SeriesValue, sample: Sample) -> str | None:
    if isinstance(expected, WrittenHistogram):
        equal = isinstance(sample, FloatHistogram) and nearly_same(expected, sample)
        wanted = written(expected.histogram)
    else:
        is_float = expected is not None and not isinstance(sample, FloatHistogram)
        equal = is_float and nearly_equal(cast(float, expected), cast(float, sample))
        wanted = "nothing" if expected is None else format_value(expected)
    return None if equal else f"expected {wanted}, got {_text(sample)}"


def nearly_same(expected: WrittenHistogram, actual: FloatHistogram) -> bool:
    """Tell whether two histograms are equal up to rounding; hints count where one is written."""
    wanted, found = expected.histogram.compact(), actual.compact()
    if expected.hinted and wanted.hint is not found.hint:
        return False
    layouts = [(h.schema, h.zero_threshold, h.custom_values, *_indices(h)) for h in (wanted, found)]
    return layouts[0] == layouts[1] and all(
        nearly_equal(left, right)
        for left, right in zip(_numbers(wanted), _numbers(found), strict=True)
    )


def _indices(histogram: FloatHistogram) -> list[list[int]]:
    return [side.indices.tolist() for side in (histogram.positive, histogram.negative)]


def _numbers(histogram: FloatHistogram) -> list[float]:
    sides = histogram.positive.counts.tolist() + histogram.negative.counts.tolist()
    return [histogram.count, histogram.sum, histogram.zero_count, *sides]


def _matrix_difference(case: Eval, matrix: Matrix) -> str | None:
    if case.ordered or case.scalar is not None:
        return "expected an ordered vector or a scalar, got a matrix"
    if any(a.pairs > b.pairs for a, b in zip(matrix.labels, matrix.labels[1:], strict=False)):
        return "the series of a matrix are not sorted by labels"
    start, end, step = case.vector_range or (case.start, case.end, case.step)
    expected = {line.labels: (place, line) for place, line in enumerate(case.expected)}
    seen: set[Labels] = set()
    for row, labels in enumerate(matrix.labels):
        if labels not in expected:
            return f"unexpected series {labels} with {_shown(points(matrix, row))}"
        wanted = expected[labels][1].values
        if wanted and start + (len(wanted) - 1) * step > end:
            return f"more values for {labels} than the range has steps"
        found = points(matrix, row)
        if reason := _points_difference(wanted, start, step, found):
            return f"{labels}: {reason}, got {_shown(found)}"
        seen.add(labels)
    return _missing(expected, seen)


def points(matrix: Matrix, row: int) -> Sequence[tuple[Timestamp, Sample]]:
    """Return the samples of one series."""
    times = matrix.times if matrix.times.ndim == 1 else matrix.times[row]
    return [
        (int(times[at]), _sample(float(matrix.values[row, at]), matrix.histograms, (row, at)))
        for at in np.flatnonzero(matrix.present[row]).tolist()
    ]


def _points_difference(
    wanted: Sequence[SeriesValue],
    start: Timestamp,
    step: int,
    found: Sequence[tuple[Timestamp, Sample]],
) -> str | None:
    expected = [(start + i * step, v) for i, v in enumerate(wanted) if v is not None]
    if len(expected) != len(found):
        return f"expected {len(expected)} points, got {len(found)}"
    # As upstream: floats in their order, then histograms in theirs.
    expected.sort(key=lambda point: isinstance(point[1], WrittenHistogram))
    found = sorted(found, key=lambda point: isinstance(point[1], FloatHistogram))
    for (time, value), (found_time, found_value) in zip(expected, found, strict=True):
        if time != found_time:
            return f"expected a point at {time} ms, it is at {found_time} ms"
        if reason := _value_difference(value, found_value):
            return f"at {time} ms {reason}"
    return None


def _shown(found: Sequence[tuple[Timestamp, Sample]]) -> str:
    return " ".join(f"{_text(value)}@{time}" for time, value in found[:20])


def annotation_difference(case: Eval, result: Result) -> str | None:
    """Return how the annotations differ from the expected ones."""
    kinds = (
        (Kind.WARN, Kind.NO_WARN, result.warnings),
        (Kind.INFO, Kind.NO_INFO, result.infos),
    )
    for kind, none, found in kinds:
        if kind in case.some and not found:
            return f"expected {kind} annotations, got none"
        if case.texts(none) and found:
            return f"expected no {kind} annotations, got {list(found)}"
        expected = case.texts(kind)
        for text in expected:
            if not any(text.matches(one) for one in found):
                return f"expected a {kind} annotation {text.text!r}, got {list(found)}"
        for one in found if expected else ():
            if not any(text.matches(one) for text in expected):
                return f"unexpected {kind} annotation {one!r}"
    return None
