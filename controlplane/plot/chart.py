"""A line chart as a PNG: series over time, a limit, the moment of the alert."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from controlplane.clock import Timestamp
from controlplane.model.samples import Times, Values
from controlplane.plot.axis import number_words, time_ticks, time_words, value_ticks, value_words

WIDTH: Final = 600
HEIGHT: Final = 230
# Twice as many dots as it is shown with, for the screens of today; lines are
# drawn with twice as many again, and so come out smooth.
_DENSITY: Final = 2
_FINER: Final = 2

_PAPER: Final = (255, 255, 255)
_INK: Final = (28, 36, 48)
_PALE_INK: Final = (91, 102, 117)
_GRID: Final = (230, 233, 237)
_ALARM: Final = (179, 38, 30)
_ALARM_TINT: Final = (252, 236, 234)
# Told apart by those who do not see all colours (Okabe and Ito), the alarm's left out.
COLOURS: Final = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (110, 88, 60),
    (120, 94, 240),
    (150, 150, 40),
    (60, 60, 60),
    (70, 150, 150),
)

_TOP, _BOTTOM, _RIGHT = 40, 44, 14
_SMALL, _NORMAL = 11, 12
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `values` beside the chart's times, not a number where there is none."""

    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant that is pointed at."""

    at: Timestamp
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn. `times` rise; at least one line has a number in it.

    The alert fires above (`>`, `>=`), below (`<`, `<=`) or beside the threshold;
    `unseen` is how many more series there are.
    """

    title: str
    times: Times
    lines: Sequence[Line]
    threshold: float | None = None
    comparison: str = ""
    marks: Sequence[Mark] = ()
    unseen: int = 0


def draw(chart: Chart) -> bytes:
    """Return the chart as a PNG of 1,200 by 460 dots, to be shown with half as many."""
    return _Drawing(chart).png()


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # The font that comes with Pillow: nothing needs to be installed.
    return ImageFont.load_default(size)


class _Drawing:
    """One chart being drawn. Places are in the pixels that it is shown with."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._start, self._end = int(chart.times[0]), int(chart.times[-1])
        self._low, self._high = value_range(chart)
        self._ticks = value_ticks(self._low, self._high, 4)
        step = self._ticks[1] - self._ticks[0] if len(self._ticks) > 1 else 0.0
        self._labels = [value_words(tick, step) for tick in self._ticks]
        width = max(_font(_SMALL * _DENSITY).getlength(text) for text in self._labels)
        self._left = 14 + width / _DENSITY
        self._image = Image.new("RGB", (WIDTH * _DENSITY, HEIGHT * _DENSITY), _PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def png(self) -> bytes:
        self._image.paste(self._curves())
        self._title()
        self._axes()
        self._marks()
        self._legend()
        out = io.BytesIO()
        # Few colours are needed: as a palette it is a third as large.
        self._image.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            out, "PNG", optimize=True
        )
        return out.getvalue()

    def _x(self, instant: float) -> float:
        share = (instant - self._start) / max(1, self._end - self._start)
        return self._left + share * (WIDTH - _RIGHT - self._left)

    def _y(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _BOTTOM - _TOP)

    def _curves(self) -> Image.Image:
        """Return grid, limit and lines, without any text."""
        scale = _DENSITY * _FINER
        image = Image.new("RGB", (WIDTH * scale, HEIGHT * scale), _PAPER)
        draw = ImageDraw.Draw(image)

        def scaled(points: Sequence[Point]) -> list[Point]:
            return [(x * scale, y * scale) for x, y in points]

        right = WIDTH - _RIGHT
        zone = self._zone()
        if zone is not None:
            draw.rectangle(scaled([(self._left, zone[0]), (right, zone[1])]), fill=_ALARM_TINT)
        for tick in self._ticks:
            draw.line(scaled([(self._left, self._y(tick)), (right, self._y(tick))]), _GRID, scale)
        if self._chart.threshold is not None:
            level = self._y(self._chart.threshold)
            for x in range(int(self._left), right, 8):
                dash: list[Point] = [(x, level), (min(x + 5, right), level)]
                draw.line(scaled(dash), _ALARM, scale * 3 // 2)
        for line, colour in zip(reversed(self._chart.lines), self._colours(), strict=False):
            for points in self._strokes(line):
                draw.line(scaled(points), colour, scale * 7 // 4, joint="curve")
                if len(points) == 1:
                    (left, top), r = points[0], 1.5
                    dot = [(left - r, top - r), (left + r, top + r)]
                    draw.ellipse(scaled(dot), fill=colour)
        return image.reduce(_FINER)

    def _colours(self) -> Iterator[tuple[int, int, int]]:
        """Return the lines' colours, the first line's last: it lies on top."""
        return reversed(COLOURS[: len(self._chart.lines)])

    def _zone(self) -> tuple[float, float] | None:
        """Return between which heights the alert fires."""
        threshold, top, bottom = self._chart.threshold, _TOP, HEIGHT - _BOTTOM
        if threshold is None or self._chart.comparison in ("", "==", "!="):
            return None
        if self._chart.comparison in (">", ">="):
            return (top, self._y(threshold))
        return (self._y(threshold), bottom)

    def _strokes(self, line: Line) -> Iterator[list[Point]]:
        """Return the parts of a line between which there are no numbers."""
        stroke: list[Point] = []
        for instant, value in zip(self._chart.times, line.values, strict=True):
            if np.isfinite(value):
                stroke.append((self._x(float(instant)), self._y(float(value))))
            elif stroke:
                yield stroke
                stroke = []
        if stroke:
            yield stroke

    def _title(self) -> None:
        day = f"{np.datetime64(self._end, 'ms').astype('datetime64[D]')} UTC"
        self._text((WIDTH - _RIGHT, 9), day, _SMALL, _PALE_INK, anchor="ra")
        room = WIDTH - 2 * _RIGHT - 90
        self._text((10, 8), self._cut(self._chart.title, _NORMAL, room), _NORMAL, _INK)

    def _axes(self) -> None:
        for tick, label in zip(self._ticks, self._labels, strict=True):
            self._text((self._left - 6, self._y(tick)), label, _SMALL, _PALE_INK, anchor="rm")
        bottom = HEIGHT - _BOTTOM
        for instant in time_ticks(self._start, self._end, 6):
            x = self._x(instant)
            self._rule([(x, bottom), (x, bottom + 3)], _PALE_INK)
            words = time_words(instant, self._end - self._start)
            self._text((x, bottom + 5), words, _SMALL, _PALE_INK, anchor="ma")
        self._rule([(self._left, bottom), (WIDTH - _RIGHT, bottom)], _PALE_INK)
        if self._chart.threshold is not None:
            self._limit(self._chart.threshold)

    def _limit(self, threshold: float) -> None:
        words = f"{self._chart.comparison} {number_words(threshold)}"
        y = self._y(threshold)
        below = y < _TOP + 16
        self._text(
            (WIDTH - _RIGHT - 2, y + (2 if below else -2)),
            words,
            _SMALL,
            _ALARM,
            anchor="ra" if below else "rd",
        )

    def _marks(self) -> None:
        for mark in self._chart.marks:
            if not self._start <= mark.at <= self._end:
                continue
            x = self._x(mark.at)
            for y in range(_TOP, HEIGHT - _BOTTOM, 6):
                self._rule([(x, y), (x, y + 3)], _INK)
            near_end = x > WIDTH - 90
            place = (x + 3 if near_end else x - 3, _TOP - 14)
            self._text(place, mark.words, _SMALL, _INK, anchor="ra" if near_end else "la")

    def _legend(self) -> None:
        """Name as many lines as fit into one row; the rest are counted."""
        x, y, room = self._left, HEIGHT - 12.0, WIDTH - _RIGHT - 70.0
        shown, alone = 0, len(self._chart.lines) == 1
        for line, colour in zip(self._chart.lines, COLOURS, strict=False):
            name = self._cut(line.name, _SMALL, WIDTH - _RIGHT - 14 - x if alone else 260)
            if shown and x + 14 + self._length(name, _SMALL) > room:
                break
            self._rule([(x, y), (x + 10, y)], colour, 3)
            self._text((x + 14, y), name, _SMALL, _INK, anchor="lm")
            x += 28 + self._length(name, _SMALL)
            shown += 1
        more = len(self._chart.lines) - shown + self._chart.unseen
        if more:
            self._text((x, y), f"and {more} more", _SMALL, _PALE_INK, anchor="lm")

    def _rule(
        self, points: Sequence[Point], colour: tuple[int, int, int], width: int = _DENSITY
    ) -> None:
        self._draw.line([(x * _DENSITY, y * _DENSITY) for x, y in points], colour, width)

    def _text(
        self,
        place: Point,
        words: str,
        size: int,
        colour: tuple[int, int, int],
        *,
        anchor: str = "la",
    ) -> None:
        at = (place[0] * _DENSITY, place[1] * _DENSITY)
        font = _font(size * _DENSITY)
        # With a rim of paper, so that it can be read on any line.
        self._draw.text(at, words, colour, font, anchor=anchor, stroke_width=2, stroke_fill=_PAPER)

    def _length(self, words: str, size: int) -> float:
        return _font(size * _DENSITY).getlength(words) / _DENSITY

    def _cut(self, words: str, size: int, room: float) -> str:
        """Return the words as one line that fits, `…` at its end when it was cut."""
        words = " ".join(words.split())[:200]
        if self._length(words, size) <= room:
            return words
        while words and self._length(words + "…", size) > room:
            words = words[:-1]
        return words + "…"


def value_range(chart: Chart) -> tuple[float, float]:
    """Return the lowest and highest value to be seen: all numbers, the limit, and some air.

    Zero is in where the numbers come near it.
    """
    numbers = np.concatenate([line.values for line in chart.lines])
    numbers = numbers[np.isfinite(numbers)]
    limit = () if chart.threshold is None else (chart.threshold,)
    low = float(min((numbers.min(), *limit)))
    high = float(max((numbers.max(), *limit)))
    if 0 < low < high / 2:
        low = 0.0
    elif low / 2 < high < 0:
        high = 0.0
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    # An axis that begins or ends at zero does so exactly.
    return (low and low - air, high + air if high or not low else high)
