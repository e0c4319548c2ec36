"""What a query API of Prometheus' shape answers, as the values of our own engine."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.labels import Labels
from controlplane.promql.values import Matrix, Result, Scalar, String, Value, Vector
from controlplane.tsdb.remote.answers import read_answer

_SPECIAL: Final = {"NaN": float("nan"), "+Inf": float("inf"), "-Inf": float("-inf")}


def read_result(status: int, body: bytes, time: Timestamp) -> Result:
    """Return what a response to a query says.

    Raises InvalidInput for what the engine does not take and for native
    histograms, DeadlineExceeded when it gave up, Unavailable for no answer.
    """
    try:
        said = json.loads(body)
        good = isinstance(said, dict) and said.get("status") == "success"
    except ValueError:
        good = False
    if not good:
        read_answer(status, body, time)  # it raises what the answer says
        raise Unavailable(f"HTTP status {status}, and no answer")
    try:
        value = _value(said["data"], time)
        return Result(value, tuple(said.get("warnings") or ()), tuple(said.get("infos") or ()))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        raise Unavailable(f"the answer makes no sense: {reason}") from None


def _value(data: Mapping[str, Any], time: Timestamp) -> Value:
    result = data["result"]
    match data["resultType"]:
        case "scalar":
            return Scalar(time, _number(result[1]))
        case "string":
            return String(time, str(result[1]))
        case "vector":
            _refuse_histograms(result, "value")
            values = np.array([_number(each["value"][1]) for each in result], dtype=np.float64)
            return Vector(time, [Labels(each["metric"]) for each in result], values)
        case "matrix":
            _refuse_histograms(result, "values")
            return _matrix(result)
        case other:
            raise ValueError(f"unknown type {other!r}")


def _refuse_histograms(result: Sequence[Mapping[str, Any]], key: str) -> None:
    if any(key not in each for each in result):
        raise InvalidInput("native histograms of another engine cannot be shown")


def _matrix(result: Sequence[Mapping[str, Any]]) -> Matrix:
    """Return the series over all instants at which any of them has a sample."""
    there = sorted({_instant(sample) for each in result for sample in each["values"]})
    column = {time: place for place, time in enumerate(there)}
    values = np.full((len(result), len(there)), np.nan)
    present = np.zeros(values.shape, dtype=bool)
    for row, each in enumerate(result):
        for sample in each["values"]:
            place = column[_instant(sample)]
            values[row, place], present[row, place] = _number(sample[1]), True
    labels = [Labels(each["metric"]) for each in result]
    return Matrix(labels, np.array(there, dtype=np.int64), values, present)


def _instant(sample: Sequence[Any]) -> Timestamp:
    return round(float(sample[0]) * 1000)


def _number(text: str) -> float:
    found = _SPECIAL.get(text)
    return float(text) if found is None else found
