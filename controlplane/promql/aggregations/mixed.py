"""Aggregations of vectors that hold native histograms, alone or among floats."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from controlplane.model.histogram import FloatHistogram, Histograms
from controlplane.model.samples import Mask
from controlplane.promql.aggregations.grouping import Grouping
from controlplane.promql.ast import Span
from controlplane.promql.cells import histogram_cells, no_histograms
from controlplane.promql.frame import Block, Frame
from controlplane.promql.histograms.arithmetic import Combined, IncompatibleBuckets
from controlplane.promql.histograms.summing import mean, total

# What sums up the histograms of a group.
SUMMING: Final[dict[str, Callable[[Sequence[FloatHistogram]], Combined]]] = {
    "sum": total,
    "avg": mean,
}
# These count samples and see no difference.
INDIFFERENT: Final = frozenset({"count", "group"})


def ignored(op: str, cells: Mask, frame: Frame, span: Span) -> None:
    """Say that an aggregation passed over histograms."""
    if cells.any():
        frame.run.annotations.inform(f"ignored histogram in {op} aggregation", span)


def mixed_up(floats: Mask, cells: Mask, frame: Frame, span: Span) -> Mask:
    """Return where groups have floats and histograms, which have no sum; warn of it."""
    both: Mask = floats & cells
    if both.any():
        text = "encountered a mix of histograms and floats for aggregation"
        frame.run.annotations.warn(text, span)
    return both


def summed(
    op: str, block: Block, grouping: Grouping, wanted: Mask, frame: Frame, span: Span
) -> tuple[Histograms, Mask]:
    """Return the sums (or means) of histograms, and where there are any, (groups, k).

    `wanted` tells which groups hold histograms alone.
    """
    cells = histogram_cells(block)
    result, present = no_histograms(wanted.shape), np.zeros(wanted.shape, dtype=np.bool_)
    if block.histograms is None:
        return result, present
    order = grouping.segments.order
    ends = np.r_[grouping.starts[1:], len(order)]
    for number, step in zip(*np.nonzero(wanted), strict=True):
        rows = order[grouping.starts[number] : ends[number]]
        rows = rows[cells[rows, step]]
        names = [block.series.labels[row].name for row in rows.tolist()]
        found = _group(op, block.histograms[rows, step].tolist(), names, frame, span)
        if found is not None:
            result[number, step], present[number, step] = found, True
    return result, present


def _group(
    op: str,
    histograms: Sequence[FloatHistogram],
    names: Sequence[str],
    frame: Frame,
    span: Span,
) -> FloatHistogram | None:
    annotations = frame.run.annotations
    try:
        combined = SUMMING[op](histograms)
    except IncompatibleBuckets:
        first = histograms[0].is_custom
        other = next(place for place, h in enumerate(histograms) if h.is_custom != first)
        annotations.warn(mixed_schemas(names[other]), span)
        return None
    if combined.collision:
        annotations.warn("conflicting counter resets during histogram aggregation", span)
    if combined.reconciled:
        annotations.inform("mismatched custom buckets were reconciled during aggregation", span)
    return combined.histogram.compact()


def mixed_schemas(name: str) -> str:
    """Return the warning of exponential and custom buckets under one name."""
    return (
        "vector contains a mix of histograms with exponential and custom buckets schemas "
        f'for metric name "{name}"'
    )
