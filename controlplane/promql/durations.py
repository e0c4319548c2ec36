"""Duration expressions: arithmetic in seconds, resolved for each query."""

import math
from typing import Final

from controlplane.clock import Duration
from controlplane.promql.ast import DurationExpr, DurationNode, Length, NumberLiteral
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Frame
from controlplane.promql.numbers import format_plain

_LONGEST: Final = float(1 << 63) / 1e9


def resolve(length: Length, frame: Frame) -> Duration:
    """Return milliseconds, truncated. Raises EvaluationError when out of range."""
    if not isinstance(length, DurationExpr):
        return length
    seconds = _seconds(length, frame)
    if not math.isfinite(seconds) or abs(seconds) >= _LONGEST:
        raise EvaluationError(f"duration is out of range: {format_plain(seconds)}")
    return int(seconds * 1000)


def resolve_positive(length: Length, frame: Frame) -> Duration:
    """Return milliseconds of a range or a step, which must be more than nothing."""
    if not isinstance(length, DurationExpr):
        return length
    seconds = _seconds(length, frame)
    if seconds <= 0:
        raise EvaluationError(f"duration must be greater than 0, got {format_plain(seconds)}")
    return resolve(length, frame)


def _seconds(node: DurationNode, frame: Frame) -> float:
    if isinstance(node, NumberLiteral):
        return node.value
    if node.op == "step":
        return frame.query_step / 1000
    if node.op == "range":
        return (frame.end - frame.start) / 1000
    right = 0.0 if node.right is None else _seconds(node.right, frame)
    if node.left is None:
        return -right if node.op == "-" else right
    return _combine(node.op, _seconds(node.left, frame), right)


def _combine(op: str, left: float, right: float) -> float:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if right == 0:
                raise EvaluationError("division by zero")
            return left / right
        case "%":
            if right == 0:
                raise EvaluationError("modulo by zero")
            return math.fmod(left, right)
        case "^":
            return _power(left, right)
        case "min_of":
            return min(left, right)
        case _:
            return max(left, right)


def _power(base: float, exponent: float) -> float:
    try:
        result = base**exponent
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return result if isinstance(result, float) else math.nan
