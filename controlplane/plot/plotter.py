"""From an alert's expression to its picture, within a limit of time and of work."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Final

import numpy as np

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model.duration import DAY, HOUR, MINUTE, SECOND
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.plot.chart import HEIGHT, WIDTH, Chart, Line, Mark, draw
from controlplane.plot.metrics import PlotMetrics
from controlplane.plot.ports import RangeQuery
from controlplane.plot.subject import Subject, subject
from controlplane.promql.values import Matrix
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

MOST_SERIES: Final = 10
# Longer than most queries of rules take, short enough for a message in hand.
_QUERY_TIMEOUT: Final[Duration] = 3 * SECOND
_SECONDS: Final = 10.0
_MOST_WAITING: Final = 8
_KEPT: Final = 16
_POINTS: Final = 240
_BEFORE: Final = HOUR
_LONGEST: Final = DAY


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be drawn: an expression, the labels of its alerts, and when it was.

    It `fired` at an instant, and is seen as it is `until` another; `over` says
    that the alert had ended by then, and when.
    """

    expr: str
    labels: tuple[Labels, ...]
    fired: Timestamp
    until: Timestamp
    over: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """A PNG, how large it is shown, and what it shows in words."""

    png: bytes
    width: int
    height: int
    words: str


class Plotter:
    """Draws in one thread of its own; the last few pictures are kept for the next who ask."""

    def __init__(
        self, query: RangeQuery, clock: Clock, metrics: PlotMetrics, *, seconds: float = _SECONDS
    ) -> None:
        self._query = query
        self._clock = clock
        self._metrics = metrics
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="plot")
        self._kept: OrderedDict[Scene, asyncio.Future[Plot | None]] = OrderedDict()
        self._waiting = 0

    async def plot(self, scene: Scene) -> Plot | None:
        """Return a picture, or None: nothing to see, no room, no time, or a failure.

        Raises nothing but the cancellation of who asks.
        """
        kept = self._kept.get(scene)
        if kept is None:
            kept = asyncio.ensure_future(self._plotted(scene))
            self._kept[scene] = kept
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return await asyncio.shield(kept)

    def close(self) -> None:
        """End the thread; who still waits gets nothing."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _plotted(self, scene: Scene) -> Plot | None:
        if self._waiting >= _MOST_WAITING:
            self._count("busy")
            return None
        canceled = Event()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                loop = asyncio.get_running_loop()
                plot = await loop.run_in_executor(self._thread, self._drawn, scene, canceled)
        except TimeoutError:
            self._count("late")
            return None
        except asyncio.CancelledError:  # the thread ended before it came to this one
            return None
        except Exception as error:  # noqa: BLE001 - a message never fails for its picture
            self._count("failed")
            told = str(error) if isinstance(error, ControlPlaneError) else repr(error)
            log.warning("picture failed", expr=scene.expr, error=told)
            return None
        finally:
            canceled.set()
            self._waiting -= 1
        self._count("empty" if plot is None else "drawn")
        return plot

    def _count(self, outcome: str) -> None:
        self._metrics.pictures.labels(outcome).inc()

    def _drawn(self, scene: Scene, canceled: Event) -> Plot | None:
        began = self._clock.monotonic()
        seen = subject(scene.expr)
        start = max(scene.fired - _BEFORE, scene.until - _LONGEST)
        step = _step(scene.until - start)
        result = self._query(
            seen.expr,
            start // step * step,
            scene.until,
            step,
            timeout=_QUERY_TIMEOUT,
            canceled=canceled.is_set,
        )
        chart = chart_of(scene, seen, result.value) if isinstance(result.value, Matrix) else None
        plot = None if chart is None else Plot(draw(chart), WIDTH, HEIGHT, _words(scene, seen))
        self._metrics.seconds.observe(self._clock.monotonic() - began)
        return plot


def _step(span: Duration) -> Duration:
    """Return whole seconds, and not many more points than there are places for them."""
    return max(1, math.ceil(span / _POINTS / SECOND)) * SECOND


def chart_of(scene: Scene, seen: Subject, matrix: Matrix) -> Chart | None:
    """Return the chart of what was found, the alerts' own series first; None for nothing."""
    values = np.where(matrix.present, matrix.values, np.nan)
    if matrix.histograms is not None:
        return None  # their numbers are no heights
    drawable = [row for row in range(len(matrix.labels)) if np.isfinite(values[row]).any()]
    own = [row for row in drawable if _belongs(matrix.labels[row], scene.labels)]
    rows = own or drawable
    if not rows:
        return None
    shown = rows[:MOST_SERIES]
    names = _names([matrix.labels[row] for row in shown])
    marks = [Mark(scene.fired, "fired")]
    if scene.over is not None:
        marks.append(Mark(scene.over, "resolved"))
    return Chart(
        title=seen.expr,
        times=matrix.times,
        lines=[Line(name, values[row]) for name, row in zip(names, shown, strict=True)],
        threshold=seen.threshold,
        comparison=seen.comparison,
        marks=marks,
        unseen=len(rows) - len(shown),
    )


def _belongs(series: Labels, alerts: Sequence[Labels]) -> bool:
    """Tell whether an alert may have come of a series: it has all its labels but the name."""
    wanted = [pair for pair in series.items() if pair[0] != METRIC_NAME]
    return any(all(alert.get(name) == value for name, value in wanted) for alert in alerts)


def _names(series: Sequence[Labels]) -> list[str]:
    """Return what tells the series apart; of one alone, all its labels."""
    shared = set(series[0].items()).intersection(*(labels.items() for labels in series[1:]))
    names = []
    for labels in series:
        apart = [pair for pair in labels.items() if pair not in shared or len(series) == 1]
        told = [f"{name}={value}" for name, value in apart if name != METRIC_NAME]
        names.append(", ".join(told) or labels.name or "value")
    return names


def _words(scene: Scene, seen: Subject) -> str:
    span = math.ceil((scene.until - max(scene.fired - _BEFORE, scene.until - _LONGEST)) / MINUTE)
    limit = "" if seen.threshold is None else f", limit {seen.comparison} {seen.threshold:g}"
    return f"Graph of {seen.expr[:200]} over {span} minutes{limit}"
