"""Blocks into the values that leave the engine."""

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import EMPTY
from controlplane.model.samples import Times, Values
from controlplane.promql.annotations import Annotations
from controlplane.promql.errors import EvaluationError
from controlplane.promql.frame import Block, Windows
from controlplane.promql.series import SAME_LABELSET
from controlplane.promql.values import Matrix, Result, Value, Vector


def vector(block: Block, time: Timestamp) -> Vector:
    """Return what is present at the one instant of the block, in the block's order."""
    present = block.present[:, 0]
    labels, values = block.series.labels, block.values[:, 0]
    histograms = None if block.histograms is None else block.histograms[:, 0]
    if present.all():
        return Vector(time, labels, values, histograms)
    rows = np.flatnonzero(present)
    kept = None if histograms is None else histograms[rows]
    return Vector(time, [labels[row] for row in rows.tolist()], values[rows], kept)


def matrix(block: Block, times: Times) -> Matrix:
    """Return the series that are present at any instant, sorted by their labels."""
    order = block.series.order()
    rows = order[block.present[order].any(axis=1)]
    labels = [block.series.labels[row] for row in rows.tolist()]
    histograms = None if block.histograms is None else block.histograms[rows]
    return Matrix(labels, times, block.values[rows], block.present[rows], histograms)


def number(values: Values, times: Times) -> Matrix:
    """Return a number at each instant as the one series without labels."""
    present = np.ones((1, len(times)), dtype=bool)
    return Matrix([EMPTY], times, values[None, :], present)


def range_vector(windows: Windows) -> Matrix:
    """Return the samples of the one window of each series, sorted by labels."""
    low, sizes = windows.low[:, 0], windows.high[:, 0] - windows.low[:, 0]
    order = windows.series.order()
    rows = order[sizes[order] > 0]
    longest = int(sizes.max(initial=0))
    columns = np.arange(longest)
    present = columns < sizes[rows][:, None]
    index = np.where(present, low[rows][:, None] + columns, 0)
    labels = [windows.series.labels[row] for row in rows.tolist()]
    if len(set(labels)) != len(labels):
        raise EvaluationError(SAME_LABELSET)
    if not len(rows):
        none = np.zeros((0, 0))
        return Matrix([], none.astype(np.int64), none, none.astype(bool))
    histograms = None if windows.histograms is None else windows.histograms[index]
    return Matrix(labels, windows.times[index], windows.values[index], present, histograms)


def limited(value: Value, annotations: Annotations, limit: int) -> Result:
    """Return the answer with its annotations, cut to the first `limit` series."""
    if limit and isinstance(value, Vector) and len(value.labels) > limit:
        kept = None if value.histograms is None else value.histograms[:limit]
        value = Vector(value.time, value.labels[:limit], value.values[:limit], kept)
        annotations.notice("results truncated due to limit")
    elif limit and isinstance(value, Matrix) and len(value.labels) > limit:
        times = value.times if value.times.ndim == 1 else value.times[:limit]
        cut = value.values[:limit], value.present[:limit]
        kept = None if value.histograms is None else value.histograms[:limit]
        value = Matrix(value.labels[:limit], times, *cut, kept)
        annotations.notice("results truncated due to limit")
    return Result(value, annotations.warnings, annotations.infos)
