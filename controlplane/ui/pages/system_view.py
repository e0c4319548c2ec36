"""What the process says of itself in its metrics, as the numbers and lines of a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.model.duration import HOUR, MINUTE, SECOND
from controlplane.plot.axis import number_words
from controlplane.promql.engine import Engine
from controlplane.promql.errors import EvaluationError
from controlplane.promql.values import Matrix

_STEP: Final = MINUTE
_TIMEOUT: Final = 2 * SECOND
_SIZES: Final = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))

# Samples of one metric by the value of its one label; "" where it has none.
Values = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Loop:
    """A background task: whether it runs now, and how often it had to be started anew."""

    name: str
    up: bool
    restarts: int


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of the process: what it is, what it is now, how it was in the last hour."""

    key: str
    value: str
    course: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Kept:
    """How a measure is read from our own samples, and how its last value is written."""

    key: str
    expr: str
    words: Callable[[float], str]


def size(amount: float) -> str:
    """Return bytes as people read them: `12.4 MiB`."""
    for unit, name in _SIZES:
        if amount >= unit:
            return f"{amount / unit:.1f} {name}"
    return f"{amount:.0f} B"


def _seconds(amount: float) -> str:
    return f"{amount * 1000:.1f} ms" if amount < 1 else f"{amount:.2f} s"


def _rate(amount: float) -> str:
    return f"{number_words(round(amount, 1))}/s"


def _cores(amount: float) -> str:
    return f"{amount * 100:.0f}%"


_KEPT: Final = (
    _Kept("series", "controlplane_tsdb_series{%s}", number_words),
    _Kept("samples", "rate(controlplane_tsdb_samples_appended_total{%s}[2m])", _rate),
    _Kept("memory", "process_resident_memory_bytes{%s}", size),
    _Kept("cpu", "rate(process_cpu_seconds_total{%s}[2m])", _cores),
    _Kept(
        "lag",
        "histogram_quantile(0.99, rate(controlplane_event_loop_lag_seconds_bucket{%s}[5m]))",
        _seconds,
    ),
)


def measures(engine: Engine, replica: str, now: Timestamp) -> list[Measure]:
    """Return what the process measured of itself in the last hour; takes a while.

    One that cannot be read in time is shown without a value.
    """
    own = f'job="controlplane", instance={_quoted(replica)}'
    return [Measure(kept.key, *_read(engine, kept, own, now)) for kept in _KEPT]


def _read(engine: Engine, kept: _Kept, own: str, now: Timestamp) -> tuple[str, Sequence[float]]:
    end = now // (15 * SECOND) * (15 * SECOND)
    try:
        result = engine.range(kept.expr % own, end - HOUR, end, _STEP, timeout=_TIMEOUT)
    except EvaluationError:
        return "–", ()
    matrix = result.value
    if not isinstance(matrix, Matrix) or not len(matrix.labels):
        return "–", ()
    values = np.where(matrix.present[0], matrix.values[0], np.nan)
    known = values[np.isfinite(values)]
    return (kept.words(float(known[-1])) if len(known) else "–"), values.tolist()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def own_values(registry: CollectorRegistry, wanted: Sequence[str]) -> Values:
    """Return the samples of some of our metrics as they are now."""
    found: dict[str, dict[str, float]] = {name: {} for name in wanted}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name in found:
                found[sample.name][next(iter(sample.labels.values()), "")] = sample.value
    return found


def loops(values: Values) -> list[Loop]:
    """Return the background tasks, those that do not run first."""
    restarts = values["controlplane_task_restarts_total"]
    found = [
        Loop(name, up == 1, int(restarts.get(name, 0)))
        for name, up in values["controlplane_task_up"].items()
    ]
    return sorted(found, key=lambda loop: (loop.up, -loop.restarts, loop.name))


def bytes_in(directory: Path) -> int:
    """Return the size of the files below a directory; one that goes meanwhile counts nothing."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
