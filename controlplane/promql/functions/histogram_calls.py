"""histogram_quantile, histogram_quantiles and histogram_fraction as parts of a plan."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from controlplane.model.duration import format_time
from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import METRIC_NAME
from controlplane.model.samples import Mask, Values
from controlplane.promql.aggregations.nodes import warn_of_rank
from controlplane.promql.ast import Span
from controlplane.promql.cells import floats_of, histogram_cells
from controlplane.promql.frame import Block, Frame, ScalarNode, VectorNode, empty
from controlplane.promql.functions.buckets import (
    BUCKET_LABEL,
    Histograms,
    Repairs,
    fractions,
    histograms,
    quantiles,
)
from controlplane.promql.histograms import quantiles as native
from controlplane.promql.naming import drop_names, relabelled
from controlplane.promql.numbers import format_general
from controlplane.promql.series import SeriesSet, merge_equal


class _HistogramCall(ABC):
    """What all have in common: the buckets, found once for a set of series."""

    __slots__ = ("_late", "_span", "vector")

    def __init__(self, vector: VectorNode, span: Span, *, late: bool) -> None:
        self.vector = vector
        self._span = span
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        run, before = frame.run, frame.run.samples
        self.check_arguments(frame)
        block = self.vector.evaluate(frame)
        run.check()
        if not len(block.series):
            return empty(frame.steps)
        found = block.series.kept("histograms", histograms)
        floats, natives = self._parted(block, found, frame)
        self._warn(floats, found, frame)
        classic = self.compute(floats, found, frame)
        if natives is not None:
            ours = self.compute_native(natives, frame)
            joined = Block(
                SeriesSet(
                    [*ours.series.labels, *classic.series.labels],
                    _drops((ours.series, classic.series)),
                ),
                np.concatenate([ours.values, classic.values]),
                np.concatenate([ours.present, classic.present]),
            )
            classic = relabelled(joined, merge_equal(joined.series.labels, joined.series.drops))
        result = drop_names(classic, late=self._late)
        run.hold(before, result.values, result.present)
        return result

    def check_arguments(self, frame: Frame) -> None:  # noqa: B027 - most need no check
        """Warn of arguments, also when there is nothing to compute."""

    @abstractmethod
    def compute(self, block: Block, found: Histograms, frame: Frame) -> Block:
        """Return a value for each histogram of a block that is not empty."""

    @abstractmethod
    def compute_native(self, block: Block, frame: Frame) -> Block:
        """Return a value for each native histogram of a block that holds some."""

    def _parted(self, block: Block, found: Histograms, frame: Frame) -> tuple[Block, Block | None]:
        """Return classic buckets and native histograms, without those that are both at once."""
        if block.histograms is None:
            return block, None
        ours, floats = histogram_cells(block), floats_of(block).present.copy()
        clashes = found.beside(block.series)
        for row, buckets in clashes.items():
            both = ours[row] & floats[buckets].any(axis=0)
            if both.any():
                text = "vector contains a mix of classic and native histograms"
                name = block.series.labels[row].name
                frame.run.annotations.warn(text + self._of(name), self._span)
                ours[row] &= ~both
                floats[buckets] &= ~both
        classic = Block(block.series, block.values, floats)
        return classic, Block(block.series, block.values, ours, block.histograms)

    def _native_values(
        self, block: Block, function: Callable[[FloatHistogram, int, str], float]
    ) -> Values:
        """Return `function(histogram, step, name)` of each native histogram."""
        values = np.zeros(block.present.shape)
        if block.histograms is not None:
            for row, step in zip(*np.nonzero(block.present), strict=True):
                name = block.series.labels[row].name if self._late else ""
                values[row, step] = function(block.histograms[row, step], int(step), name)
        return values

    def _native_quantiles(self, rank: Values, block: Block, frame: Frame) -> Values:
        def value(histogram: FloatHistogram, step: int, name: str) -> float:
            found = native.quantile(float(rank[step]), histogram)
            if found.nan_result or found.skewed:
                end = "NaN" if found.nan_result else "skewed higher"
                text = f"input to histogram_quantile has NaN observations, result is {end}"
                frame.run.annotations.inform(text + self._of(name), self._span)
            return found.value

        return self._native_values(block, value)

    def _warn(self, block: Block, found: Histograms, frame: Frame) -> None:
        for row in found.bad_rows:
            if block.present[row].any():
                labels = block.series.labels[row]
                text = (
                    'bucket label "le" is missing or has a malformed value of '
                    f'"{labels.value(BUCKET_LABEL)}"'
                )
                frame.run.annotations.warn(text + self._of(labels.name), self._span)

    def _of(self, name: str) -> str:
        return f' for metric name "{name}"' if name and self._late else ""

    def _quantiles(
        self, rank: Values, block: Block, found: Histograms, frame: Frame
    ) -> tuple[Values, Mask]:
        repairs: dict[int, Repairs] = {}
        result = quantiles(rank, found, block.values, block.present, repairs)
        by_name: dict[str, list[Repairs]] = {}
        for number, repair in repairs.items():
            name = found.series.labels[number].value(METRIC_NAME) if self._late else ""
            by_name.setdefault(name, []).append(repair)
        for name, noted in by_name.items():
            self._inform(name, noted, frame)
        return result

    def _inform(self, name: str, noted: Sequence[Repairs], frame: Frame) -> None:
        text = (
            "input to histogram_quantile needed to be fixed for monotonicity (see "
            "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
        )
        cells = [len(set(repair.steps)) for repair in noted]
        steps = [step for repair in noted for step in repair.steps]
        times = [_second(int(frame.times[step])) for step in (min(steps), max(steps))]
        detail = (
            f", from buckets {format_general(min(r.low for r in noted))} to "
            f"{format_general(max(r.high for r in noted))}, with a max diff of "
            f"{max(r.most for r in noted):.2g}, over {sum(cells)} samples "
            f"from {times[0]} to {times[1]}"
        )
        frame.run.annotations.inform(text + self._of(name), self._span, detail=detail)


def _second(instant: int) -> str:
    return format_time(instant - instant % 1000).replace(".000Z", "Z")


class Quantile(_HistogramCall):
    """histogram_quantile(rank, buckets)."""

    __slots__ = ("_rank_span", "rank")

    def __init__(
        self, rank: ScalarNode, rank_span: Span, vector: VectorNode, span: Span, *, late: bool
    ) -> None:
        super().__init__(vector, span, late=late)
        self.rank = rank
        self._rank_span = rank_span

    def check_arguments(self, frame: Frame) -> None:
        warn_of_rank(self.rank.scalar(frame), frame, self._rank_span)

    def compute(self, block: Block, found: Histograms, frame: Frame) -> Block:
        rank = self.rank.scalar(frame)
        return Block(found.series, *self._quantiles(rank, block, found, frame))

    def compute_native(self, block: Block, frame: Frame) -> Block:
        values = self._native_quantiles(self.rank.scalar(frame), block, frame)
        return Block(block.series, values, block.present)


class Quantiles(_HistogramCall):
    """histogram_quantiles(buckets, label, rank, ...): one series a rank."""

    __slots__ = ("_label", "_ranks")

    def __init__(
        self,
        vector: VectorNode,
        label: str,
        ranks: Sequence[tuple[ScalarNode, Span]],
        span: Span,
        *,
        late: bool,
    ) -> None:
        super().__init__(vector, span, late=late)
        self._label = label
        self._ranks = ranks

    def check_arguments(self, frame: Frame) -> None:
        for node, span in self._ranks:
            warn_of_rank(node.scalar(frame), frame, span)

    def compute(self, block: Block, found: Histograms, frame: Frame) -> Block:
        results, texts = [], []
        for node, _ in self._ranks:
            rank = node.scalar(frame)
            results.append(self._quantiles(rank, block, found, frame))
            texts.append(open_metrics_float(float(rank[0])))
        return self._by_rank(found.series, texts, results)

    def compute_native(self, block: Block, frame: Frame) -> Block:
        results, texts = [], []
        for node, _ in self._ranks:
            rank = node.scalar(frame)
            results.append((self._native_quantiles(rank, block, frame), block.present))
            texts.append(open_metrics_float(float(rank[0])))
        return self._by_rank(block.series, texts, results)

    def _by_rank(
        self, series: SeriesSet, texts: Sequence[str], results: Sequence[tuple[Values, Mask]]
    ) -> Block:
        labels = [ls.merge({self._label: text}) for text in texts for ls in series.labels]
        drops = None if series.drops is None else np.tile(series.drops, len(texts))
        joined = Block(
            SeriesSet(labels, drops),
            np.concatenate([values for values, _ in results]),
            np.concatenate([present for _, present in results]),
        )
        return relabelled(joined, merge_equal(labels, drops))


def open_metrics_float(value: float) -> str:
    """Return a number as a label value of OpenMetrics: `1.0`, `0.5`, `+Inf`."""
    text = format_general(value)
    return text if any(char in text for char in ".eIN") else f"{text}.0"


class Fraction(_HistogramCall):
    """histogram_fraction(low, high, buckets)."""

    __slots__ = ("high", "low")

    def __init__(
        self, low: ScalarNode, high: ScalarNode, vector: VectorNode, span: Span, *, late: bool
    ) -> None:
        super().__init__(vector, span, late=late)
        self.low = low
        self.high = high

    def compute(self, block: Block, found: Histograms, frame: Frame) -> Block:
        low, high = self.low.scalar(frame), self.high.scalar(frame)
        return Block(found.series, *fractions(low, high, found, block.values, block.present))

    def compute_native(self, block: Block, frame: Frame) -> Block:
        low, high = self.low.scalar(frame), self.high.scalar(frame)

        def value(histogram: FloatHistogram, step: int, name: str) -> float:
            found = native.fraction(float(low[step]), float(high[step]), histogram)
            if found.excluded:
                text = (
                    "input to histogram_fraction has NaN observations, "
                    "which are excluded from all fractions"
                )
                frame.run.annotations.inform(text + self._of(name), self._span)
            return found.value

        return Block(block.series, self._native_values(block, value), block.present)


def _drops(parts: Sequence[SeriesSet]) -> Mask | None:
    if all(part.drops is None for part in parts):
        return None
    return np.concatenate(
        [np.zeros(len(p), dtype=np.bool_) if p.drops is None else p.drops for p in parts]
    )


class OfHistograms:
    """A number for each native histogram; floats are passed over."""

    __slots__ = ("_late", "function", "vector")

    def __init__(
        self, function: Callable[[FloatHistogram], float], vector: VectorNode, *, late: bool
    ) -> None:
        self.function = function
        self.vector = vector
        self._late = late

    def evaluate(self, frame: Frame) -> Block:
        block = self.vector.evaluate(frame)
        if block.histograms is None:
            return empty(frame.steps)
        frame.run.check()
        cells = histogram_cells(block)
        values = np.zeros(cells.shape)
        values[cells] = [self.function(one) for one in block.histograms[cells].tolist()]
        return drop_names(Block(block.series, values, cells), late=self._late)


class Nothing:
    """A function of what no sample of ours has: when its counter began."""

    __slots__ = ("vector",)

    def __init__(self, vector: VectorNode) -> None:
        self.vector = vector

    def evaluate(self, frame: Frame) -> Block:
        self.vector.evaluate(frame)
        return empty(frame.steps)
