"""What a chart shows: numbers over time, for the server's drawing and for the browser's."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from controlplane.model.labels import Labels
from controlplane.promql.values import Matrix

MOST_SERIES: Final = 20


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a value for each instant of its figure, NaN where there is none."""

    label: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """Lines over the same instants, which are in seconds, ascending.

    `stacked` areas lie on top of each other, in order. A threshold is drawn
    across, each of the `marks` (when, and its words) upwards. `unit` stands
    behind numbers: `s` is shown as milliseconds where numbers are small, `%`
    takes ratios. `unseen` counts what was left out.
    """

    times: Sequence[float]
    series: Sequence[Series]
    stacked: bool = False
    threshold: float | None = None
    unit: str = ""
    unseen: int = 0
    marks: Sequence[tuple[float, str]] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no number to be seen."""
        return not any(math.isfinite(value) for each in self.series for value in each.values)

    def data(self) -> dict[str, Any]:
        """Return what `static/plots.js` draws: the content of a `data-plot`."""
        return {
            "times": list(self.times),
            "series": [
                {"label": each.label, "values": [_number(value) for value in each.values]}
                for each in self.series
            ],
            "stacked": self.stacked,
            "threshold": self.threshold,
            "unit": self.unit,
            "marks": [list(mark) for mark in self.marks],
        }


def figure_of(
    matrix: Matrix,
    name: Callable[[Labels], str] = str,
    *,
    stacked: bool = False,
    threshold: float | None = None,
    unit: str = "",
    most: int = MOST_SERIES,
) -> Figure:
    """Return the figure of a range query's answer: its first `most` series."""
    values = np.where(matrix.present, matrix.values, np.nan)
    series = [
        Series(name(labels), values[row].tolist())
        for row, labels in enumerate(matrix.labels[:most])
    ]
    return Figure(
        times=(matrix.times / 1000).tolist(),
        series=series,
        stacked=stacked,
        threshold=threshold,
        unit=unit,
        unseen=max(0, len(matrix.labels) - most),
    )


def _number(value: float) -> float | None:
    """Return a number as JSON can hold it, in as many digits as can be seen."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
