"""sort, sort_desc, sort_by_label: the order of an instant vector."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from controlplane.model.labels import Labels
from controlplane.model.samples import Refs
from controlplane.promql.ast import Span
from controlplane.promql.frame import Block, Frame, VectorNode

_DIGITS: Final = re.compile(r"(\d+)")


class Sort:
    """Sorts by value, NaN last, or by labels; in a range query it only warns."""

    __slots__ = ("_labels", "_reverse", "_span", "vector")

    def __init__(
        self, vector: VectorNode, span: Span, *, reverse: bool, labels: Sequence[str] | None = None
    ) -> None:
        self.vector = vector
        self._span = span
        self._reverse = reverse
        self._labels = labels

    def evaluate(self, frame: Frame) -> Block:
        block = self.vector.evaluate(frame)
        if frame.steps > 1:
            text = (
                "sort is ineffective for range queries since results are always ordered by labels"
            )
            frame.run.annotations.warn(text, self._span)
            return block
        rows = np.flatnonzero(block.present[:, 0])
        if self._labels is None:
            values = block.values[rows, 0]
            order = np.lexsort((-values if self._reverse else values, np.isnan(values)))
        else:
            order = self._by_labels([block.series.labels[row] for row in rows.tolist()])
        rows = rows[order]
        kept = None if block.histograms is None else block.histograms[rows]
        return Block(block.series.take(rows), block.values[rows], block.present[rows], kept)

    def _by_labels(self, labels: Sequence[Labels]) -> Refs:
        names = self._labels or ()
        keys = [([natural(ls.value(name)) for name in names], ls.pairs) for ls in labels]
        order = sorted(range(len(keys)), key=keys.__getitem__, reverse=self._reverse)
        return np.array(order, dtype=np.int64)


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return a key by which `node9` stands before `node10`."""
    parts = _DIGITS.split(text)
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts if part]
