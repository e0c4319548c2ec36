"""The pictures of the dashboards: made of answers, small, labelled, and all there."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dashboards.catalogue import every_sheet
from tests.support.dashboard_pictures import LABEL, Stat, chart_of, composed, named, written

_DOCS = Path(__file__).parents[3] / "docs"
_MOST_BYTES = 150_000
_END = 1_700_000_000.0


def series(*values: float, **labels: str) -> dict[str, Any]:
    """Return one series of an answer, two seconds between its samples, the last at the end."""
    first = _END - 2 * (len(values) - 1)
    samples = [[first + 2 * place, str(value)] for place, value in enumerate(values)]
    return {"metric": labels, "values": samples}


def test_every_dashboard_has_its_picture() -> None:
    """In the documentation, and small enough for it."""
    text = (_DOCS / "dashboards.md").read_text()
    for sheet in every_sheet():
        path = f"images/dashboards/{sheet.uid.removeprefix('controlplane-')}.png"
        assert f"]({path})" in text
        picture = _DOCS / path
        assert picture.stat().st_size < _MOST_BYTES
        with Image.open(picture) as image:
            assert image.format == "PNG"


def test_a_chart_is_made_of_what_was_answered() -> None:
    """Each series by its legend, over the whole time; gaps stay gaps."""
    answers = [("{{job}} now", [series(1, 2, job="shop")]), ("limit", [series(5)])]
    chart = chart_of("Load", "ops", answers, _END)
    assert chart is not None
    assert chart.title == "Load (a second)"
    assert [line.name for line in chart.lines] == ["shop now", "limit"]
    assert len(chart.times) == 151
    assert chart.lines[0].values[-2:].tolist() == [1, 2]
    assert np.isnan(chart.lines[0].values[:-2]).all()
    many = chart_of("Load", "short", [("{{job}}", [series(1, job=str(n)) for n in range(9)])], _END)
    assert many is not None
    assert (many.title, len(many.lines), many.unseen) == ("Load", 8, 1)


def test_nothing_is_drawn_of_nothing() -> None:
    """Neither of no series nor of one without numbers."""
    assert chart_of("Load", "s", [("x", [])], _END) is None
    assert chart_of("Load", "s", [("x", [series(float("nan"))])], _END) is None


def test_a_picture_is_one_png() -> None:
    """The numbers in a row, two charts beside each other."""
    chart = chart_of("Load", "", [("x", [series(1, 2, 3)])], _END)
    assert chart is not None
    with Image.open(io.BytesIO(composed("Fleet", [Stat("Down", "0")], [chart] * 3))) as three:
        assert three.size == (1224, 44 + 56 + 2 * 238 + 24)
    with Image.open(io.BytesIO(composed("Fleet", [], [chart]))) as one:
        assert one.size == (1224, 44 + 238 + 24)
    assert "own plotter" in LABEL


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.4567, "percentunit", "45.67 %"),
        (0.0123, "s", "12.3 ms"),
        (90, "s", "90 s"),
        (2_500_000, "bytes", "2.5 MB"),
        (12, "reqps", "12 req/s"),
        (3, "short", "3"),
    ],
)
def test_numbers_have_their_units(value: float, unit: str, text: str) -> None:
    """As a person reads them."""
    assert written(value, unit) == text


def test_a_legend_names_labels() -> None:
    """Those that a series has not stay as they are written."""
    assert named("{{job}} of {{instance}}", {"job": "shop"}) == "shop of {{instance}}"
