"""Drawings made on the server, as SVG: charts, bars, sparklines. Colours are the style sheet's.

Numbers come in, markup goes out; text is escaped. `static/plots.js` puts an
interactive chart into the place of a line chart where scripts run.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from controlplane.plot.axis import time_ticks, time_words, value_ticks, value_words
from controlplane.ui.figures import Figure, Series

# As many colours as the style sheet has.
COLOURS: Final = 8
_BOTTOM, _TOP, _RIGHT = 18.0, 8.0, 8.0
_DIGIT: Final = 6.2  # how wide a character of the axis is, about

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of time among others: its state, and its words for a pointer that rests on it.

    `share` is how much of the span the state held; the rest is drawn as `up`.
    A span that is not whole is seen by its height too, not by its colour alone.
    """

    state: str
    words: str
    share: float = 1.0


def line_chart(
    figure: Figure, width: float = 640, height: float = 220, *, title: str = ""
) -> Markup:
    """Return a figure as lines, or as stacked areas, with its axes and its threshold."""
    if figure.is_empty or not figure.times:
        return Markup("")
    return _Chart(figure, width, height).svg(title)


def sparkline(values: Sequence[float], width: float = 120, height: float = 24) -> Markup:
    """Return numbers as a small line without axes; it says nothing that is not written beside."""
    numbers = [value for value in values if math.isfinite(value)]
    if not numbers:
        return Markup("")
    low, high = min(*numbers, 0.0), max(*numbers, 0.0)
    step, room = width / max(1, len(values) - 1), height - 3
    points = [
        (place * step, height - 1.5 - (value - low) / ((high - low) or 1.0) * room)
        for place, value in enumerate(values)
    ]
    return Markup(
        '<svg class="sparkline" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">'
        '<path class="line line-0" d="{}"/></svg>'
    ).format(_short(width), _short(height), _short(width), _short(height), _path(points))


def bars(
    spans: Sequence[Bar], width: float = 720, height: float = 34, *, title: str = ""
) -> Markup:
    """Return spans of time as bars, the oldest first."""
    if not spans:
        return Markup("")
    step = width / len(spans)
    gap = min(2.0, step * 0.25)
    drawn = Markup("").join(
        Markup("<g><title>{}</title>{}</g>").format(
            bar.words, _bar(bar, place * step, step - gap, height)
        )
        for place, bar in enumerate(spans)
    )
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(_short(width), _short(height), title, drawn)


def _bar(bar: Bar, x: float, width: float, height: float) -> Markup:
    def part(state: str, top: float, tall: float) -> Markup:
        return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
            state, _short(x), _short(top), _short(width), _short(tall)
        )

    if bar.state == "unknown":
        # Nothing is known: a low bar, not a good one.
        return part("none", 0, height) + part("unknown", height * 0.8, height * 0.2)
    if bar.share >= 1:
        return part(bar.state, 0, height)
    # However short it was, it can be seen.
    tall = height * max(0.2, bar.share)
    return part("up", 0, height - tall - 1) + part(bar.state, height - tall, tall)


class _Chart:
    """One line chart being drawn; places are in the units of its view box."""

    def __init__(self, figure: Figure, width: float, height: float) -> None:
        self._figure = figure
        self._width, self._height = width, height
        self._tops = list(_stacked(figure.series)) if figure.stacked else list(figure.series)
        self._low, self._high = self._range()
        self._ticks = value_ticks(self._low, self._high, max(2, int(height // 45)))
        step = self._ticks[1] - self._ticks[0] if len(self._ticks) > 1 else 0.0
        self._words = [with_unit(tick, step, figure.unit, self._high) for tick in self._ticks]
        self._left = 8 + _DIGIT * max((len(each) for each in self._words), default=0)
        self._start, self._end = figure.times[0], figure.times[-1]

    def svg(self, title: str) -> Markup:
        parts = [*self._grid(), *self._drawn(), *self._limit(), *self._marks()]
        return Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        ).format(_short(self._width), _short(self._height), title, Markup("").join(parts))

    def _range(self) -> tuple[float, float]:
        numbers = [value for each in self._tops for value in each.values if math.isfinite(value)]
        if self._figure.threshold is not None:
            numbers.append(self._figure.threshold)
        low, high = min(numbers), max(numbers)
        if self._figure.stacked or 0 < low < high / 2:
            low = min(0.0, low)
        air = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        return (low and low - air, high + air if high or not low else high)

    def _x(self, time: float) -> float:
        share = (time - self._start) / ((self._end - self._start) or 1.0)
        return self._left + share * (self._width - _RIGHT - self._left)

    def _y(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return self._height - _BOTTOM - share * (self._height - _BOTTOM - _TOP)

    def _grid(self) -> Iterator[Markup]:
        right = self._width - _RIGHT
        for tick, words in zip(self._ticks, self._words, strict=True):
            y = self._y(tick)
            yield Markup(
                '<path class="axis" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(
                _short(self._left),
                _short(y),
                _short(right),
                _short(self._left - 5),
                _short(y + 3.5),
                words,
            )
        start, end = round(self._start * 1000), round(self._end * 1000)
        for instant in time_ticks(start, end, max(2, int(self._width // 110))):
            yield Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
                _short(self._x(instant / 1000)),
                _short(self._height - 4),
                time_words(instant, end - start),
            )

    def _drawn(self) -> Iterator[Markup]:
        if not self._figure.stacked:
            for place, each in enumerate(self._figure.series):
                strokes = " ".join(_path(points) for points in self._strokes(each))
                yield Markup('<path class="line line-{}" d="{}"/>').format(place % COLOURS, strokes)
            return
        # From the top down: each area covers the lower part of the one above it.
        for place, each in reversed(list(enumerate(self._tops))):
            floor = self._y(self._low)
            areas = " ".join(
                f"{_path(points)}V{_short(floor)}H{_short(points[0][0])}Z"
                for points in self._strokes(each)
            )
            yield Markup('<path class="area area-{}" d="{}"/>').format(place % COLOURS, areas)

    def _strokes(self, series: Series) -> Iterator[list[Point]]:
        """Yield the parts of a line between which there are no numbers."""
        stroke: list[Point] = []
        for time, value in zip(self._figure.times, series.values, strict=True):
            if math.isfinite(value):
                stroke.append((self._x(time), self._y(value)))
            elif stroke:
                yield _visible(stroke)
                stroke = []
        if stroke:
            yield _visible(stroke)

    def _limit(self) -> Iterator[Markup]:
        if self._figure.threshold is None:
            return
        y = self._y(self._figure.threshold)
        yield Markup('<path class="threshold" d="M{} {}H{}"/>').format(
            _short(self._left), _short(y), _short(self._width - _RIGHT)
        )

    def _marks(self) -> Iterator[Markup]:
        for instant, words in self._figure.marks:
            if not self._start <= instant <= self._end:
                continue
            x = self._x(instant)
            near_end = x > self._width * 0.8
            yield Markup(
                '<path class="mark" d="M{} {}V{}"/>'
                '<text class="mark" x="{}" y="{}" text-anchor="{}">{}</text>'
            ).format(
                _short(x),
                _short(_TOP),
                _short(self._height - _BOTTOM),
                _short(x - 4 if near_end else x + 4),
                _short(_TOP + 8),
                "end" if near_end else "start",
                words,
            )


def with_unit(value: float, step: float, unit: str, largest: float) -> str:
    """Return a number of an axis with its unit; marks are `step` apart, the top is `largest`."""
    if unit == "s" and abs(largest) < 1:
        return f"{value_words(value * 1000, step * 1000)} ms"
    if unit == "%":
        return f"{value_words(value * 100, step * 100)}%"
    return f"{value_words(value, step)} {unit}".strip()


def _stacked(series: Sequence[Series]) -> Iterator[Series]:
    """Yield each series as the sum of itself and all before it; no number counts as nothing."""
    below: list[float] = []
    for each in series:
        values = [
            (0.0 if math.isnan(value) else value) + (below[place] if below else 0.0)
            for place, value in enumerate(each.values)
        ]
        nobody = [
            all(math.isnan(other.values[place]) for other in series) for place in range(len(values))
        ]
        below = values
        yield Series(
            each.label,
            [math.nan if absent else value for absent, value in zip(nobody, values, strict=True)],
        )


def _visible(points: list[Point]) -> list[Point]:
    """Return a stroke that can be seen: a lone point becomes a dash."""
    (x, y) = points[0]
    return [(x - 1, y), (x + 1, y)] if len(points) == 1 else points


def _path(points: Sequence[Point]) -> str:
    """Return a path through all points that are numbers."""
    good = [f"{_short(x)} {_short(y)}" for x, y in points if math.isfinite(y)]
    return "M" + "L".join(good) if good else ""


def _short(number: float) -> str:
    """Return a number in as few characters as can be seen."""
    return f"{number:.1f}".removesuffix(".0")
