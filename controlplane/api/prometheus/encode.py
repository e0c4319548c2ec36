"""Values of expressions as Prometheus' JSON: `[seconds, "text"]`."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from controlplane.api.prometheus.histograms import encode_histogram
from controlplane.clock import Timestamp
from controlplane.model.duration import format_time
from controlplane.promql.numbers import format_value
from controlplane.promql.values import Matrix, Result, Scalar, String, Vector

Json = dict[str, Any]

# How upstream writes an instant that has not come.
_NEVER: Final = "0001-01-01T00:00:00Z"


def success(data: object, *, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> Json:
    """Return the envelope of a good answer."""
    body: Json = {"status": "success", "data": data}
    if warnings:
        body["warnings"] = list(warnings)
    if infos:
        body["infos"] = list(infos)
    return body


def encode_result(result: Result) -> Json:
    """Return the answer to a query."""
    value = result.value
    if isinstance(value, Vector):
        kind, data = "vector", encode_vector(value)
    elif isinstance(value, Matrix):
        kind, data = "matrix", encode_matrix(value)
    else:
        kind, data = _encode_single(value)
    envelope = {"resultType": kind, "result": data}
    return success(envelope, warnings=result.warnings, infos=result.infos)


def encode_vector(vector: Vector) -> list[Json]:
    """Return one object a series, in the vector's own order."""
    seconds = vector.time / 1000
    encoded = [
        {"metric": dict(labels), "value": [seconds, format_value(value)]}
        for labels, value in zip(vector.labels, vector.values.tolist(), strict=True)
    ]
    if vector.histograms is not None:
        for series, histogram in zip(encoded, vector.histograms.tolist(), strict=True):
            if histogram is not None:
                del series["value"]
                series["histogram"] = [seconds, encode_histogram(histogram)]
    return encoded


def encode_matrix(matrix: Matrix) -> list[Json]:
    """Return one object a series with the instants at which it has a value."""
    series = []
    own_times = matrix.times.ndim == 2
    for row, labels in enumerate(matrix.labels):
        mask = matrix.present[row]
        if matrix.histograms is not None and matrix.histograms[row][mask].astype(bool).any():
            series.append(_with_histograms(matrix, row))
            continue
        times = (matrix.times[row] if own_times else matrix.times)[mask]
        values = matrix.values[row][mask]
        points = [
            [time / 1000, format_value(value)]
            for time, value in zip(times.tolist(), values.tolist(), strict=True)
        ]
        if points:
            series.append({"metric": dict(labels), "values": points})
    return series


def _with_histograms(matrix: Matrix, row: int) -> Json:
    """Return one series, its floats apart from its histograms."""
    times = matrix.times[row] if matrix.times.ndim == 2 else matrix.times
    objects = None if matrix.histograms is None else matrix.histograms[row]
    values: list[list[object]] = []
    histograms: list[list[object]] = []
    for at in np.flatnonzero(matrix.present[row]).tolist():
        seconds = int(times[at]) / 1000
        found = None if objects is None else objects[at]
        if found is None:
            values.append([seconds, format_value(float(matrix.values[row, at]))])
        else:
            histograms.append([seconds, encode_histogram(found)])
    series: Json = {"metric": dict(matrix.labels[row])}
    if values:
        series["values"] = values
    series["histograms"] = histograms
    return series


def instant(time: Timestamp | None) -> str:
    """Return an instant as RFC 3339; None and 0 stand for never."""
    return format_time(time) if time else _NEVER


def _encode_single(value: Scalar | String) -> tuple[str, list[Any]]:
    seconds = value.time / 1000
    if isinstance(value, String):
        return "string", [seconds, value.value]
    return "scalar", [seconds, format_value(value.value)]
