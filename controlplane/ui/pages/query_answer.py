"""What a query gave, as the rows of a table or the lines of a chart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, cast

import numpy as np

from controlplane.clock import Timestamp
from controlplane.errors import ParseError
from controlplane.model.histogram import FloatHistogram, Histograms
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.promql.histograms.text import printed
from controlplane.promql.numbers import format_value
from controlplane.promql.values import Matrix, Result, Scalar, String, Vector
from controlplane.ui.figures import MOST_SERIES, Figure, figure_of

MOST_ROWS: Final = 500
MOST_SAMPLES: Final = 12
_MOST_LABELS_TOLD: Final = 160


@dataclass(frozen=True, slots=True)
class Row:
    """One series of a table. `samples` are the newest of a range vector, with their instants."""

    name: str
    labels: Sequence[tuple[str, str]]
    value: str = ""
    samples: Sequence[tuple[Timestamp, str]] = ()
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that are shown, and how many there are in all."""

    rows: Sequence[Row]
    total: int
    kind: str


@dataclass(frozen=True, slots=True)
class Mark:
    """An expression that cannot be read, cut where it breaks: the middle part is wrong."""

    before: str
    wrong: str
    after: str
    reason: str
    line: int
    column: int


def table_of(result: Result, most: int = MOST_ROWS) -> Table:
    """Return the table of an answer, whatever its type."""
    match result.value:
        case Scalar(_, value):
            return Table([Row("", (), format_value(value))], 1, "scalar")
        case String(_, text):
            return Table([Row("", (), text)], 1, "string")
        case Vector() as vector:
            return Table(list(islice(_of_vector(vector), most)), len(vector.labels), "vector")
        case Matrix() as matrix:
            return Table(list(islice(_of_matrix(matrix), most)), len(matrix.labels), "matrix")


def chart_of(result: Result, *, threshold: float | None = None) -> tuple[Figure | None, str]:
    """Return the chart of a range query's answer, and what all its lines have in common.

    There is no chart when nothing can be drawn: histograms are no heights.
    """
    matrix = result.value
    if not isinstance(matrix, Matrix) or not len(matrix.times) or matrix.histograms is not None:
        return None, ""
    shown = matrix.labels[:MOST_SERIES]
    shared = shared_labels(shown)
    names = dict(zip(shown, distinct_names(shown), strict=True))
    figure = figure_of(matrix, lambda labels: names[labels], threshold=threshold)
    return (None if figure.is_empty else figure), str(Labels(shared)) if shared else ""


def shared_labels(series: Sequence[Labels]) -> dict[str, str]:
    """Return the labels that all of several series have; of one alone, none."""
    if len(series) < 2:
        return {}
    return dict(set(series[0].items()).intersection(*(labels.items() for labels in series[1:])))


def distinct_names(series: Sequence[Labels]) -> list[str]:
    """Return what tells the series apart; of one alone, all its labels."""
    shared = shared_labels(series)
    names = []
    for labels in series:
        own = Labels({name: value for name, value in labels.items() if name not in shared})
        text = str(own) if own else (shared.get(METRIC_NAME) or "value")
        cut = len(text) > _MOST_LABELS_TOLD
        names.append(f"{text[: _MOST_LABELS_TOLD - 1]}…" if cut else text)
    return names


def mark(text: str, error: ParseError) -> Mark:
    """Return where an expression breaks; lines and columns count from 1."""
    lines = text.split("\n")
    start = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
    start = max(0, min(start, len(text)))
    end = start
    while end < len(text) and (text[end].isalnum() or text[end] in "_:."):
        end += 1
    end = min(len(text), max(end, start + 1))
    return Mark(text[:start], text[start:end], text[end:], error.detail, error.line, error.column)


def _of_vector(vector: Vector) -> Iterator[Row]:
    for place, (labels, value) in enumerate(zip(vector.labels, vector.values, strict=True)):
        yield _row(labels, _text(float(value), vector.histograms, place))


def _of_matrix(matrix: Matrix) -> Iterator[Row]:
    for place, labels in enumerate(matrix.labels):
        columns = np.flatnonzero(matrix.present[place])
        times = matrix.times if matrix.times.ndim == 1 else matrix.times[place]
        held = None if matrix.histograms is None else matrix.histograms[place]
        samples = [
            (int(times[column]), _text(float(matrix.values[place, column]), held, column))
            for column in columns[-MOST_SAMPLES:].tolist()
        ]
        yield _row(labels, "", samples, max(0, len(columns) - MOST_SAMPLES))


def _row(
    labels: Labels, value: str, samples: Sequence[tuple[Timestamp, str]] = (), unseen: int = 0
) -> Row:
    pairs = [pair for pair in labels.items() if pair[0] != METRIC_NAME]
    return Row(labels.name, pairs, value, samples, unseen)


def _text(value: float, histograms: Histograms | None, place: int) -> str:
    held = None if histograms is None else cast(FloatHistogram | None, histograms[place])
    return format_value(value) if held is None else printed(held)
