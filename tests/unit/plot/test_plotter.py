"""From an expression to a picture: which series, how long it may take, what can go wrong."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.errors import Unavailable
from controlplane.model.labels import Labels
from controlplane.plot.metrics import PlotMetrics
from controlplane.plot.plotter import MOST_SERIES, Plotter, Scene, chart_of
from controlplane.plot.subject import subject
from controlplane.promql.values import Matrix, Result

NOW = 1_700_000_000_000
HOUR = 3_600_000
SCENE = Scene("up > 5", (Labels({"alertname": "A", "job": "a"}),), NOW - HOUR, NOW)


def matrix(*labels: dict[str, str], times: Any = None) -> Matrix:
    """Return series that rise by one each."""
    at = np.arange(NOW - HOUR, NOW + 1, 60_000, dtype=np.int64) if times is None else times
    values = np.ones((len(labels), len(at))) * np.arange(1, len(labels) + 1)[:, None]
    return Matrix([Labels(each) for each in labels], at, values, np.ones_like(values, dtype=bool))


class World:
    """A plotter over a query that is ours, and what it counted."""

    def __init__(self, answer: Callable[[], Matrix], seconds: float = 60.0) -> None:
        self.asked: list[tuple[str, int, int, int]] = []
        self.canceled: list[Callable[[], bool]] = []
        self.registry = CollectorRegistry()
        self._answer = answer
        metrics = PlotMetrics(self.registry)
        self.plotter = Plotter(self.query, SystemClock(), metrics, seconds=seconds)

    def query(self, query: str, start: int, end: int, step: int, **options: Any) -> Result:
        self.asked.append((query, start, end, step))
        self.canceled.append(options["canceled"])
        return Result(self._answer())

    def count(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("controlplane_pictures_total", {"outcome": outcome})


async def test_the_measured_side_is_asked_for_around_the_moment() -> None:
    """From an hour before it fired until now, in about as many steps as there are places."""
    world = World(lambda: matrix({"job": "a"}))
    plot = await world.plotter.plot(SCENE)
    assert plot is not None
    assert plot.png.startswith(b"\x89PNG")
    assert plot.words == "Graph of up over 120 minutes, limit > 5"
    ((query, start, end, step),) = world.asked
    assert (query, end, step) == ("up", NOW, 30_000)
    assert NOW - 2 * HOUR - step < start <= NOW - 2 * HOUR
    assert start % step == 0
    assert world.count("drawn") == 1
    world.plotter.close()


async def test_an_alert_that_fires_for_days_is_seen_for_one() -> None:
    """However long ago it began."""
    world = World(lambda: matrix({"job": "a"}))
    await world.plotter.plot(Scene("up > 5", (), NOW - 999 * HOUR, NOW))
    assert NOW - world.asked[0][1] < 25 * HOUR
    world.plotter.close()


async def test_one_picture_serves_all_who_ask() -> None:
    """Slack and mail tell the same: it is drawn once, and again for the next message."""
    world = World(lambda: matrix({"job": "a"}))
    first, second = await asyncio.gather(world.plotter.plot(SCENE), world.plotter.plot(SCENE))
    assert first is second is not None
    await world.plotter.plot(Scene(SCENE.expr, SCENE.labels, SCENE.fired, NOW + 1))
    assert len(world.asked) == 2
    world.plotter.close()


@pytest.mark.parametrize("error", [Unavailable("no store"), ValueError("a bug")])
async def test_a_failure_is_no_picture(error: Exception) -> None:
    """It is counted, and nobody has to catch it."""

    def fail() -> Matrix:
        raise error

    world = World(fail)
    assert await world.plotter.plot(SCENE) is None
    assert world.count("failed") == 1
    assert await world.plotter.plot(Scene("up >", (), NOW, NOW)) is None
    assert world.count("failed") == 2
    world.plotter.close()


async def test_nothing_to_see_is_no_picture() -> None:
    """No series, or none with a number in it."""
    world = World(matrix)
    assert await world.plotter.plot(SCENE) is None
    assert world.count("empty") == 1
    world.plotter.close()


async def test_nobody_waits_for_long() -> None:
    """At its limit the query is told to stop; those behind it have limits of their own."""
    go = threading.Event()

    def hang() -> Matrix:
        go.wait(10)
        return matrix({"job": "a"})

    world = World(hang, seconds=0.05)
    scenes = [Scene("up", (), NOW, NOW + place) for place in range(12)]
    assert await asyncio.gather(*map(world.plotter.plot, scenes)) == [None] * 12
    assert world.count("late") == 8
    assert world.count("busy") == 4
    assert world.canceled[0]()
    go.set()
    world.plotter.close()


async def test_after_the_end_there_are_no_pictures() -> None:
    """A plotter that was closed raises nothing either."""
    world = World(lambda: matrix({"job": "a"}))
    world.plotter.close()
    assert await world.plotter.plot(SCENE) is None


def test_the_alerts_own_series_are_shown() -> None:
    """Those whose labels an alert has; where there are none, whatever was found."""
    found = matrix({"job": "b"}, {"__name__": "up", "job": "a"}, {"job": "c"})
    own = chart_of(SCENE, subject("up > 5"), found)
    assert own is not None
    assert [line.name for line in own.lines] == ["job=a"]
    assert (own.threshold, own.comparison, own.unseen) == (5.0, ">", 0)
    relabelled = Scene("up > 5", (Labels({"alertname": "A", "job": "z"}),), NOW, NOW, over=NOW)
    others = chart_of(relabelled, subject("up > 5"), found)
    assert others is not None
    assert [line.name for line in others.lines] == ["job=b", "job=a", "job=c"]
    assert [mark.words for mark in others.marks] == ["fired", "resolved"]


def test_series_are_few_and_told_apart() -> None:
    """At most ten, by the labels in which they differ; the others are counted."""
    many = matrix(*({"job": "a", "instance": str(place)} for place in range(14)))
    scene = Scene("x", (Labels(),), NOW, NOW)
    chart = chart_of(scene, subject("x"), many)
    assert chart is not None
    assert (len(chart.lines), chart.unseen) == (MOST_SERIES, 4)
    assert chart.lines[3].name == "instance=3"
    alone = chart_of(scene, subject("x"), matrix({"__name__": "m"}))
    assert alone is not None
    assert alone.lines[0].name == "m"
