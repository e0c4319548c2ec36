"""Charts and bars: what is drawn, what is not, and that text is only text."""

import math
import re
from xml.etree import ElementTree as ET

import numpy as np

from controlplane.model.labels import Labels
from controlplane.promql.values import Matrix
from controlplane.ui.drawing import Bar, bars, line_chart, sparkline, with_unit
from controlplane.ui.figures import Figure, Series, figure_of

_NAN = math.nan


def figure(*series: Series, stacked: bool = False, threshold: float | None = None) -> Figure:
    """Return a figure over four instants."""
    return Figure([0, 60, 120, 180], series, stacked=stacked, threshold=threshold)


def paths(svg: str, kind: str) -> list[str]:
    """Return the paths of a class, which must be well-formed XML."""
    root = ET.fromstring(svg)
    found = [each for each in root.iter("path") if kind in each.get("class", "").split()]
    return [each.get("d", "") for each in found]


def test_a_line_has_a_point_for_each_number_and_gaps_where_there_is_none() -> None:
    """Two strokes around a gap; a lone point is a dash that can be seen."""
    svg = line_chart(figure(Series("a", [1, 2, _NAN, 4])), title="t")
    (path,) = paths(svg, "line")
    assert path.count("M") == 2
    assert re.fullmatch(r"(M[\d.]+ [\d.]+(L[\d.]+ [\d.]+)+ ?)+", path)


def test_higher_values_lie_higher_and_later_ones_further_right() -> None:
    """The direction of both axes."""
    (path,) = paths(line_chart(figure(Series("a", [1, 2, 3, 4]))), "line")
    points = [tuple(map(float, point.split())) for point in path[1:].split("L")]
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))


def test_stacked_areas_lie_on_each_other() -> None:
    """The top of the upper one is the sum; the upper one is drawn first."""
    svg = line_chart(figure(Series("a", [1, 1, 1, 1]), Series("b", [1, _NAN, 1, 1]), stacked=True))
    upper, lower = paths(svg, "area")
    top = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", upper)]
    under = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", lower)]
    assert top[0] < under[0]
    assert top[1] == under[1]  # a number that is missing adds nothing
    assert paths(svg, "area-1") == [upper]


def test_the_threshold_is_drawn_and_seen() -> None:
    """It is within the axis although no value comes near it."""
    svg = line_chart(figure(Series("a", [1, 1, 1, 1]), threshold=50))
    (path,) = paths(svg, "threshold")
    level = float(path.split()[1].split("H")[0])
    assert 0 < level < 60


def test_nothing_is_drawn_of_nothing() -> None:
    """Without a number there is no chart, no bar, no sparkline."""
    assert line_chart(figure(Series("a", [_NAN, math.inf, _NAN, _NAN]))) == ""
    assert line_chart(Figure([], [])) == ""
    assert sparkline([_NAN]) == ""
    assert bars([]) == ""


def test_text_in_drawings_is_text() -> None:
    """Titles, units and words of bars cannot bring elements of their own."""
    evil = "<script>&\"'"
    drawn = [
        line_chart(Figure([0, 1], [Series("a", [1, 2])], unit=evil), title=evil),
        bars([Bar("up", evil)], title=evil),
    ]
    for svg in drawn:
        assert "<script" not in svg
        ET.fromstring(svg)


def test_bars_show_states_by_height_too() -> None:
    """A short outage is a low block, however short; what is unknown a low one of its own."""
    svg = bars([Bar("down", "a", 0.01), Bar("unknown", "b"), Bar("up", "c"), Bar("down", "d")])
    root = ET.fromstring(svg)
    heights = [
        [(rect.get("class"), float(rect.get("height", "0"))) for rect in group.iter("rect")]
        for group in root.iter("g")
    ]
    assert [kind for kind, _ in heights[0]] == ["up", "down"]
    assert heights[0][1][1] >= 6
    assert [kind for kind, _ in heights[1]] == ["none", "unknown"]
    assert heights[2] == [("up", 34.0)]
    assert heights[3] == [("down", 34.0)]


def test_numbers_of_an_axis_have_their_unit() -> None:
    """Small seconds are milliseconds, ratios per cent."""
    assert with_unit(0.02, 0.01, "s", 0.05) == "20 ms"
    assert with_unit(2, 1, "s", 5) == "2 s"
    assert with_unit(0.5, 0.1, "%", 1) == "50%"
    assert with_unit(1500, 500, "", 2000) == "1.5k"


def test_a_sparkline_begins_at_zero() -> None:
    """Its line keeps the proportions of its numbers."""
    svg = sparkline([0, 10], width=100, height=23)
    assert 'd="M0 21.5L100 1.5"' in svg


def test_a_figure_holds_what_json_can_hold() -> None:
    """What is no number is null; of a range query the first series are taken, the rest counted."""
    matrix = Matrix(
        [Labels({"a": "1"}), Labels({"a": "2"}), Labels({"a": "3"})],
        np.array([1_000, 2_000]),
        np.array([[1.0, 2.0], [3.0, np.inf], [5.0, 6.0]]),
        np.array([[True, False], [True, True], [True, True]]),
    )
    made = figure_of(matrix, lambda labels: labels.value("a"), unit="s", threshold=2.0, most=2)
    assert made.unseen == 1
    assert made.data() == {
        "times": [1.0, 2.0],
        "series": [
            {"label": "1", "values": [1.0, None]},
            {"label": "2", "values": [3.0, None]},
        ],
        "stacked": False,
        "marks": [],
        "threshold": 2.0,
        "unit": "s",
    }
