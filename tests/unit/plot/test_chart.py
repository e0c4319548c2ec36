"""The picture itself: its size, and what can be found in it."""

import io

import numpy as np
import pytest
from PIL import Image

from controlplane.plot.chart import COLOURS, HEIGHT, WIDTH, Chart, Line, Mark, draw, value_range

NOW = 1_700_000_000_000
TIMES = np.arange(NOW - 3_600_000, NOW + 1, 15_000, dtype=np.int64)
ALARM = (179, 38, 30)
TINT = (252, 236, 234)


def line(name: str, *values: float) -> Line:
    """Return a line that steps through values, each for as long as the others."""
    return Line(name, np.repeat(values, -(-len(TIMES) // len(values)))[: len(TIMES)].astype(float))


def picture(chart: Chart) -> Image.Image:
    """Return the picture as it is decoded by whoever shows it."""
    png = draw(chart)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) < 60_000
    image = Image.open(io.BytesIO(png))
    assert image.size == (WIDTH * 2, HEIGHT * 2)
    return image.convert("RGB")


def dots(image: Image.Image, colour: tuple[int, int, int], near: int = 12) -> list[tuple[int, int]]:
    """Return the places with nearly this colour as (x, y)."""
    distance = np.abs(np.asarray(image).astype(int) - colour).max(axis=2)
    rows, columns = np.nonzero(distance <= near)
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


def test_each_line_has_its_colour() -> None:
    """And the higher value stands higher."""
    image = picture(Chart("x", TIMES, [line("a", 1.0), line("b", 2.0)]))
    plot = [[y for x, y in dots(image, colour) if y < 360] for colour in COLOURS[:2]]
    assert min(plot[0]) > max(plot[1])


def test_the_limit_is_drawn_and_what_lies_beyond_it_tinted() -> None:
    """Above it for `>`, below it for `<`, neither for `==`."""
    ends: dict[str, tuple[int, int]] = {}
    for comparison in (">", "<"):
        image = picture(Chart("x", TIMES, [line("a", 1.0, 3.0)], 2.0, comparison))
        limit = [y for x, y in dots(image, ALARM) if 200 < x < 1_000]
        tinted = [y for _, y in dots(image, TINT, 4)]
        assert limit
        ends[comparison] = (min(tinted) - max(limit), max(tinted) - min(limit))
    assert ends[">"][0] < -50
    assert ends["<"][1] > 50
    assert dots(picture(Chart("x", TIMES, [line("a", 1.0, 3.0)], 2.0, "==")), TINT, 4) == []


def test_where_nothing_was_measured_nothing_is_drawn() -> None:
    """A gap is no line, and a lone value a dot."""
    image = picture(Chart("x", TIMES, [line("a", 1.0, float("nan"), 1.0)]))
    columns = {x for x, y in dots(image, COLOURS[0]) if y < 360}
    assert not columns & set(range(560, 700))
    values = np.full(len(TIMES), np.nan)
    values[100] = 5.0
    assert dots(picture(Chart("x", TIMES, [Line("a", values)])), COLOURS[0])


def test_a_mark_stands_at_its_instant() -> None:
    """One outside of what is seen is left out."""
    seen = Chart("x", TIMES, [line("a", 1.0)], marks=[Mark(NOW - 1_800_000, "fired")])
    outside = Chart("x", TIMES, [line("a", 1.0)], marks=[Mark(NOW - 9_999_000, "fired")])
    ink = (28, 36, 48)
    middle = {x for x, y in dots(picture(seen), ink) if 100 < y < 360}
    assert middle
    assert all(560 < x < 700 for x in middle)
    assert not {x for x, y in dots(picture(outside), ink) if 100 < y < 360}


def test_long_words_fit() -> None:
    """A title, names and more lines than there is room to name: the picture keeps its size."""
    many = [line("instance=" + "é" * 300, float(place)) for place in range(10)]
    picture(Chart("sum(" * 500, TIMES, many, unseen=99))


@pytest.mark.parametrize(
    ("values", "threshold", "low", "high"),
    [
        ((1.0, 10.0), None, 0.0, 10.8),
        ((100.0, 110.0), None, 99.2, 110.8),
        ((0.0, 0.0), None, 0.0, 1.0),
        ((0.0, 1.0), 0.0, 0.0, 1.08),
        ((1.0, 2.0), 10.0, 0.0, 10.8),
        ((-10.0, -1.0), None, -10.8, 0.0),
        ((5.0, 5.0), None, 4.5, 5.5),
        ((1e300, float("inf")), None, 9e299, 1.1e300),
    ],
)
def test_the_axis_shows_all_and_some_air(
    values: tuple[float, float], threshold: float | None, low: float, high: float
) -> None:
    """And zero where it is near; a flat line is no division by zero."""
    chart = Chart("x", TIMES, [line("a", *values)], threshold)
    assert value_range(chart) == pytest.approx((low, high))
    picture(chart)
