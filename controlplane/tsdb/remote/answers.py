"""What a query API of Prometheus' shape answers to an instant query, as columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.errors import (
    ControlPlaneError,
    DeadlineExceeded,
    InvalidInput,
    Unavailable,
)
from controlplane.model.labels import Labels
from controlplane.model.samples import Values

_MOST_TOLD: Final = 500
_SPECIAL: Final = {"NaN": float("nan"), "+Inf": float("inf"), "-Inf": float("-inf")}
# Kinds of errors for which the question is to blame, not the engine.
_OURS: Final = frozenset(("bad_data", "execution", "422", "400"))
_LATE: Final = frozenset(("timeout", "canceled"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A vector, or with `scalar` the one number that the expression is; `values` (n,)."""

    time: Timestamp
    labels: Sequence[Labels]
    values: Values
    scalar: bool = False
    warnings: Sequence[str] = ()
    infos: Sequence[str] = ()


def read_answer(status: int, body: bytes, time: Timestamp) -> Answer:
    """Return what a response to a query at `time` says.

    Raises InvalidInput for an expression that the engine does not take and for
    a result that is neither vector nor scalar, DeadlineExceeded when the engine
    gave up, and Unavailable for everything else that is no answer.
    """
    try:
        said = json.loads(body)
    except ValueError:
        raise Unavailable(f"HTTP status {status}, and no JSON: {_start(body)}") from None
    if not isinstance(said, dict) or said.get("status") != "success":
        raise _error(status, said)
    try:
        return _answer(said, time)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Unavailable(f"the answer makes no sense: {reason}"[:_MOST_TOLD]) from None


def _answer(said: Mapping[str, Any], time: Timestamp) -> Answer:
    data, warnings, infos = said["data"], said.get("warnings") or (), said.get("infos") or ()
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        number = np.array([_number(result[1])])
        return Answer(time, (), number, scalar=True, warnings=warnings, infos=infos)
    if kind != "vector":
        raise InvalidInput("rule result is not a vector or scalar")
    if any("value" not in element for element in result):
        raise InvalidInput("native histograms in the answer of a datasource are not supported")
    labels = [Labels(element["metric"]) for element in result]
    values = np.array([_number(element["value"][1]) for element in result], dtype=np.float64)
    return Answer(time, labels, values, warnings=warnings, infos=infos)


def _number(text: str) -> float:
    found = _SPECIAL.get(text)
    return float(text) if found is None else found


def _error(status: int, said: Any) -> ControlPlaneError:
    told = said if isinstance(said, dict) else {}
    kind, words = str(told.get("errorType", status)), str(told.get("error", said))[:_MOST_TOLD]
    if kind in _OURS:
        return InvalidInput(words)
    if kind in _LATE:
        return DeadlineExceeded(words)
    return Unavailable(f"HTTP status {status}: {kind}: {words}")


def _start(body: bytes) -> str:
    return " ".join(body[:_MOST_TOLD].decode(errors="replace").split())
