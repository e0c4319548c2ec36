"""What samples and rollups say of one target's past, made ready to be drawn."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.samples import Times, Values
from controlplane.promql.ast import VectorSelector
from controlplane.promql.printer import format as printed
from controlplane.promql.values import Matrix
from controlplane.ui.drawing import Bar
from controlplane.ui.figures import Figure, Series
from controlplane.uptime.reading import Bar as Past

# The phases of a request in their order, with the names that people know.
PHASES: Final = (
    ("resolve", "DNS"),
    ("connect", "connect"),
    ("tls", "TLS"),
    ("processing", "first byte"),
    ("transfer", "transfer"),
)
# More than this share of a span in one state counts as the state of the whole bar.
_MOSTLY: Final = 0.5


def selector(metric: str, labels: Labels) -> str:
    """Return the expression of a target's series of a metric."""
    pairs = ((METRIC_NAME, metric), *labels.drop(METRIC_NAME).pairs)
    matchers = tuple(Matcher(name, MatchOp.EQUAL, value) for name, value in pairs)
    return printed(VectorSelector(name=metric, matchers=matchers))


def since(times: Times, values: Values) -> Timestamp | None:
    """Return when a series took the value it has now; None where it always had it, as far as seen.

    The samples of a series are ascending in time, without gaps.
    """
    changed = np.flatnonzero(values[1:] != values[:-1])
    return int(times[changed[-1] + 1]) if len(changed) else None


def bar_of(past: Past, words: str) -> Bar:
    """Return a span of a target's past as it is drawn: what was worst in it counts."""
    known = past.up + past.down + past.maintenance
    length = (past.end - past.start) / 1000
    if past.down > 0:
        return Bar("down", words, past.down / (past.up + past.down))
    if past.maintenance > _MOSTLY * known:
        return Bar("maintenance", words)
    if known < length * 0.01:
        return Bar("unknown", words)
    return Bar("up", words)


def phases(matrix: Matrix) -> Figure:
    """Return the phases of requests as stacked areas, without those that never took any time."""
    rows = {labels.value("phase"): row for row, labels in enumerate(matrix.labels)}
    values = np.where(matrix.present, matrix.values, np.nan)
    known = [(name, rows[phase]) for phase, name in PHASES if phase in rows]
    series = [
        Series(name, values[row].tolist())
        for name, row in known
        if np.nanmax(values[row], initial=0) > 0
    ]
    return Figure(_seconds(matrix), series, stacked=True, unit="s")


def lookup_and_rest(lookup: Matrix, whole: Matrix) -> Figure:
    """Return what a probe that is no request took, with its lookup apart where it had one."""
    total = _first(whole)
    asked = _first(lookup)
    if asked is None or total is None or len(asked) != len(total):
        asked = None
    series = []
    if asked is not None and total is not None:
        series.append(Series("DNS", asked.tolist()))
        total = np.maximum(total - np.nan_to_num(asked), 0)
    if total is not None:
        series.append(Series("connect", total.tolist()))
    return Figure(_seconds(whole), series, stacked=True, unit="s")


def _first(matrix: Matrix) -> Values | None:
    if not len(matrix.labels):
        return None
    return np.where(matrix.present[0], matrix.values[0], np.nan)


def _seconds(matrix: Matrix) -> Sequence[float]:
    seconds: Sequence[float] = (matrix.times / 1000).tolist()
    return seconds
