"""Run a script: samples into a fresh store, each `eval` asked in many ways.

An instant query is asked as it stands, then with its selectors pinned by `@` at
other instants, and each of these once more as the middle step of a range query:
all must give the same answer.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from controlplane.clock import Timestamp
from controlplane.errors import ControlPlaneError, ParseError
from controlplane.model.duration import MINUTE
from controlplane.promql.engine import Engine
from controlplane.promql.options import EngineOptions
from controlplane.promql.testing.comparing import annotation_difference, difference
from controlplane.promql.testing.custom_buckets import custom_bucket_series
from controlplane.promql.testing.notation import WrittenHistogram
from controlplane.promql.testing.pinning import pinned_queries
from controlplane.promql.testing.script import Clear, Eval, Kind, Load, parse_script
from controlplane.promql.values import Matrix, Scalar, Value, Vector
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store

OPTIONS: Final = EngineOptions(max_samples=10_000, experimental=True, delayed_name_removal=True)
# They would answer differently in a range query.
_OF_THE_QUERY: Final = re.compile(r"(start|end|range|step)\(\)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One `eval`: its line, its expression, and why it failed (empty: it passed)."""

    line: int
    expr: str
    reason: str = ""


def run_script(text: str, make_store: Callable[[], Store] = Store.in_memory) -> Iterator[Outcome]:
    """Yield the outcome of each `eval` in order. Raises ParseError for a broken script."""
    store = make_store()
    for command in parse_script(text):
        match command:
            case Clear():
                store = make_store()
            case Load():
                _load(store, command)
            case Eval():
                engine = Engine(store, OPTIONS)
                yield Outcome(command.line, command.expr, _reason(engine, command))


def _reason(engine: Engine, case: Eval) -> str:
    try:
        return _evaluate(engine, case) or ""
    except Exception as error:  # noqa: BLE001 - a crash is that case's failure, not the run's end
        return f"crashed: {type(error).__name__}: {error}"


def _load(store: Store, load: Load) -> None:
    # Of two lines for one series the later one counts.
    series = list({line.labels: line for line in load.series}.values())
    if load.with_custom_buckets:
        series += custom_bucket_series(series)
    refs = store.refs([line.labels for line in series])
    samples: dict[int, list[tuple[int, float | WrittenHistogram]]] = {}
    for ref, line in zip(refs.tolist(), series, strict=True):
        for place, value in enumerate(line.values):
            if value is not None:
                samples.setdefault(place * load.step, []).append((ref, value))
    store.append([_write(time, found) for time, found in sorted(samples.items())])


def _write(time: Timestamp, found: Sequence[tuple[int, float | WrittenHistogram]]) -> Write:
    histograms = [v.histogram if isinstance(v, WrittenHistogram) else None for _, v in found]
    return Write(
        "test",
        time,
        np.array([ref for ref, _ in found], dtype=np.int64),
        np.array([0.0 if isinstance(v, WrittenHistogram) else v for _, v in found]),
        histograms=histograms if any(histograms) else None,
    )


def _evaluate(engine: Engine, case: Eval) -> str | None:
    """Return why a case fails, or None."""
    try:
        expr = engine.parse(case.expr)
    except ParseError as error:
        return _failure(case, error)
    if case.is_range:
        return _range(engine, case)
    queries = [(case.expr, case.end), *pinned_queries(expr, case.end)]
    for text, time in queries:
        if reason := _instant(engine, case, text, time):
            return reason if text == case.expr else f"{reason} (asked as {text} at {time} ms)"
    return None


def _failure(case: Eval, error: ControlPlaneError) -> str | None:
    expected = case.texts(Kind.FAIL)
    if not expected:
        return str(error)
    if any(text.matches(str(error)) for text in expected):
        return None
    return f"expected the error {expected[0].text!r}, got {str(error)!r}"


def _range(engine: Engine, case: Eval) -> str | None:
    try:
        result = engine.range(case.expr, case.start, case.end, case.step)
    except ControlPlaneError as error:
        return _failure(case, error)
    if case.fails:
        return "expected an error, got an answer"
    return annotation_difference(case, result) or difference(case, result.value)


def _instant(engine: Engine, case: Eval, text: str, time: Timestamp) -> str | None:
    # An expected range vector says itself when it is asked for.
    at = case.vector_range[1] if case.vector_range and text == case.expr else time
    try:
        result = engine.instant(text, at)
    except ControlPlaneError as error:
        return _failure(case, error)
    if case.fails:
        return "expected an error, got an answer"
    reason = annotation_difference(case, result) or difference(case, result.value)
    return reason or _as_range(engine, case, text, time, result.value)


def _as_range(engine: Engine, case: Eval, text: str, time: Timestamp, value: Value) -> str | None:
    asked_otherwise = case.vector_range is not None or case.string is not None
    if asked_otherwise or _OF_THE_QUERY.search(text):
        return None
    try:
        result = engine.range(text, time - MINUTE, time + MINUTE, MINUTE)
    except ControlPlaneError as error:
        return f"in range mode: {error}"
    if case.ordered:
        return None
    ranged = cast(Matrix, result.value)
    reason = difference(case, _middle(ranged, time, scalar=isinstance(value, Scalar)))
    return f"in range mode: {reason}" if reason else None


def _middle(matrix: Matrix, time: Timestamp, *, scalar: bool) -> Value:
    """Return what a range query over three steps found at the second one."""
    if scalar:
        return Scalar(time, float(matrix.values[0, 1]))
    rows = np.flatnonzero(matrix.present[:, 1]) if len(matrix.labels) else np.zeros(0, np.int64)
    labels = [matrix.labels[row] for row in rows.tolist()]
    objects = matrix.histograms
    kept = objects[rows, 1] if objects is not None and len(rows) else None
    return Vector(time, labels, matrix.values[rows, 1] if len(rows) else np.zeros(0), kept)


def failures(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Return those that did not pass."""
    return [outcome for outcome in outcomes if outcome.reason]
