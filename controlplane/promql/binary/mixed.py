"""Binary operators where one side, or both, may be a native histogram."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.model.histogram import CounterResetHint, FloatHistogram, Histograms
from controlplane.model.samples import Mask, Values
from controlplane.promql.ast import BinaryExpr
from controlplane.promql.cells import filled, no_histograms
from controlplane.promql.frame import Frame
from controlplane.promql.histograms.arithmetic import (
    Combined,
    IncompatibleBuckets,
    add,
    divided,
    multiplied,
    subtract,
)
from controlplane.promql.histograms.trimming import trimmed
from controlplane.promql.quoting import quote

TRIMS: Final = frozenset({"</", ">/"})
COMBINE: Final = {"+": (add, "addition"), "-": (subtract, "subtraction")}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What an operator makes of two samples, and what is to be said of it."""

    value: float = 0.0
    histogram: FloatHistogram | None = None
    keep: bool = False
    warning: str = ""
    info: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Operands:
    """One side of an operator: values, and histograms where there are any, (n, k)."""

    values: Values
    histograms: Histograms | None

    def at(self, place: tuple[int, int]) -> float | FloatHistogram:
        """Return one sample."""
        found = None if self.histograms is None else self.histograms[place]
        return float(self.values[place]) if found is None else found


def involved(left: Operands, right: Operands, present: Mask, op: str) -> Mask:
    """Tell which pairs are not a matter of floats alone."""
    if op in TRIMS:
        return present
    result = np.zeros(present.shape, dtype=np.bool_)
    for side in (left, right):
        if side.histograms is not None:
            result |= filled(side.histograms)
    return result & present


def operate(
    expr: BinaryExpr, left: Operands, right: Operands, pairs: Mask, frame: Frame
) -> tuple[Values, Mask, Histograms]:
    """Return values, presence and histograms of those pairs that `involved` names."""
    values, present = np.zeros(pairs.shape), np.zeros(pairs.shape, dtype=np.bool_)
    histograms = no_histograms(pairs.shape)
    last: dict[int, _Outcome] = {}
    for row, step in zip(*np.nonzero(pairs), strict=True):
        place = (int(row), int(step))
        outcome = _outcome(expr, left.at(place), right.at(place))
        if outcome.warning or outcome.info:
            last[place[1]] = outcome
        if outcome.keep:
            values[place], present[place] = outcome.value, True
            histograms[place] = outcome.histogram
    # As upstream: of the pairs of one instant the last one has the word.
    for outcome in last.values():
        if outcome.warning:
            frame.run.annotations.warn(outcome.warning, expr.span)
        if outcome.info:
            frame.run.annotations.inform(outcome.info, expr.span)
    return values, present, histograms


def _outcome(
    expr: BinaryExpr, left: float | FloatHistogram, right: float | FloatHistogram
) -> _Outcome:
    result = _applied(expr.op, left, right)
    if not expr.return_bool or result.warning or result.info:
        return result
    return _Outcome(value=float(result.keep), keep=True)


def _applied(op: str, left: float | FloatHistogram, right: float | FloatHistogram) -> _Outcome:
    if isinstance(left, FloatHistogram):
        result = (
            _of_histograms(op, left, right)
            if isinstance(right, FloatHistogram)
            else _of_number(op, left, right)
        )
    elif isinstance(right, FloatHistogram) and op == "*":
        result = _Outcome(histogram=multiplied(right, left).compact(), keep=True)
    else:
        result = None
    return result or _Outcome(info=_incompatible(op, left, right))


def _of_number(op: str, left: FloatHistogram, right: float) -> _Outcome | None:
    if op in TRIMS:
        return _Outcome(histogram=trimmed(left, right, keep_below=op == "</"), keep=True)
    if op in ("*", "/"):
        scaled = multiplied(left, right) if op == "*" else divided(left, right)
        return _Outcome(histogram=scaled.compact(), keep=True)
    return None


def _of_histograms(op: str, left: FloatHistogram, right: FloatHistogram) -> _Outcome | None:
    if op in ("==", "!="):
        return _Outcome(histogram=left, keep=left.same(right) == (op == "=="))
    if op not in COMBINE:
        return None
    function, name = COMBINE[op]
    try:
        combined: Combined = function(left, right)
    except IncompatibleBuckets:
        text = f"incompatible bucket layout encountered for binary operator {op}"
        return _Outcome(warning=text)
    if combined.collision:
        return _Outcome(warning=f"conflicting counter resets during histogram {name}")
    result = combined.histogram.compact()
    if op == "-":
        result = result.hinted(CounterResetHint.GAUGE)
    info = f"mismatched custom buckets were reconciled during {name}"
    return _Outcome(histogram=result, keep=True, info=info if combined.reconciled else "")


def _incompatible(op: str, left: float | FloatHistogram, right: float | FloatHistogram) -> str:
    kinds = ["histogram" if isinstance(s, FloatHistogram) else "float" for s in (left, right)]
    return (
        f"incompatible sample types encountered for binary operator {quote(op)}: "
        f"{kinds[0]} {op} {kinds[1]}"
    )
