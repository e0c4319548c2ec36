"""rate, increase, delta, irate and idelta of native histograms, one window at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.clock import Timestamp
from controlplane.model.histogram import CounterResetHint, FloatHistogram
from controlplane.model.histogram_layout import at_schema
from controlplane.model.histogram_resets import is_reset
from controlplane.model.samples import Times
from controlplane.promql.aggregations.mixed import mixed_schemas
from controlplane.promql.annotations import Annotations
from controlplane.promql.ast import Span
from controlplane.promql.functions.rates import RateKind
from controlplane.promql.histograms.arithmetic import (
    Combined,
    IncompatibleBuckets,
    add,
    divided,
    multiplied,
    subtract,
)


@dataclass(frozen=True, slots=True)
class Remarks:
    """Says what is doubtful about the histograms of one series."""

    annotations: Annotations
    span: Span
    name: str

    def mixed(self) -> None:
        """Say that floats and histograms are in one window."""
        text = f'encountered a mix of histograms and floats for metric name "{self.name}"'
        self.annotations.warn(text, self.span)

    def incompatible(self) -> None:
        """Say that exponential and custom buckets are in one window."""
        self.annotations.warn(mixed_schemas(self.name), self.span)

    def ignored(self) -> None:
        """Say that histograms were passed over."""
        text = (
            "ignored histograms in a range containing both floats and histograms "
            f'for metric name "{self.name}"'
        )
        self.annotations.inform(text, self.span)

    def no_counter(self) -> None:
        text = f'this native histogram metric is not a counter: "{self.name}"'
        self.annotations.warn(text, self.span)

    def no_gauge(self) -> None:
        text = f'this native histogram metric is not a gauge: "{self.name}"'
        self.annotations.warn(text, self.span)

    def collision(self, operation: str) -> None:
        text = f"conflicting counter resets during histogram {operation}"
        self.annotations.warn(text, self.span)

    def reconciled(self, operation: str) -> None:
        text = f"mismatched custom buckets were reconciled during {operation}"
        self.annotations.inform(text, self.span)

    def plus(self, left: FloatHistogram, right: FloatHistogram) -> FloatHistogram:
        """Return the sum, saying if bounds had to be reconciled. Raises IncompatibleBuckets."""
        return self._take(add(left, right), "addition")

    def minus(self, left: FloatHistogram, right: FloatHistogram) -> FloatHistogram:
        """Return the difference, as `plus` does."""
        return self._take(subtract(left, right), "subtraction")

    def _take(self, combined: Combined, operation: str) -> FloatHistogram:
        if combined.reconciled:
            self.reconciled(operation)
        return combined.histogram


def is_gauge(histogram: FloatHistogram) -> bool:
    return histogram.hint is CounterResetHint.GAUGE


def extrapolated(
    times: Times,
    samples: Sequence[FloatHistogram],
    start: Timestamp,
    end: Timestamp,
    kind: RateKind,
    remarks: Remarks,
) -> FloatHistogram | None:
    """Return the growth within (start, end] carried to its edges, as that of floats is."""
    if len(samples) < 2:
        return None
    try:
        growth = _growth(samples, kind, remarks)
    except IncompatibleBuckets:
        remarks.incompatible()
        return None
    first, last = int(times[0]), int(times[-1])
    sampled = (last - first) / 1000
    average = sampled / (len(samples) - 1)
    to_start, to_end = (first - start) / 1000, (end - last) / 1000
    if to_start >= average * 1.1:
        to_start = average / 2
    if kind.counter and growth.count > 0 and samples[0].count >= 0:
        # A counter does not begin before its zero.
        to_start = min(to_start, sampled * (samples[0].count / growth.count))
    if to_end >= average * 1.1:
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    if kind.per_second:
        factor /= (end - start) / 1000
    return multiplied(growth, factor)


def _growth(samples: Sequence[FloatHistogram], kind: RateKind, remarks: Remarks) -> FloatHistogram:
    first, last = samples[0], samples[-1]
    _remark_on_type(samples, kind, remarks)
    if kind.counter and is_reset(samples[1], first):
        # What came before the reset does not matter, nor does how its buckets lay.
        first = FloatHistogram(schema=samples[1].schema, custom_values=samples[1].custom_values)
    relevant = [first, *samples[1:]] if kind.counter else [first, last]
    if len({sample.is_custom for sample in relevant}) > 1:
        raise IncompatibleBuckets
    schema = min(sample.schema for sample in relevant)
    growth = remarks.minus(at_schema(last, schema), first)
    if kind.counter:
        previous = first
        for current in samples[1:]:
            if is_reset(current, previous):
                growth = remarks.plus(growth, previous)
            previous = current
    return growth.hinted(CounterResetHint.GAUGE).compact()


def _remark_on_type(samples: Sequence[FloatHistogram], kind: RateKind, remarks: Remarks) -> None:
    if kind.counter:
        if any(is_gauge(sample) for sample in samples):
            remarks.no_counter()
    elif not (is_gauge(samples[0]) and is_gauge(samples[-1])):
        remarks.no_gauge()


def between_two(
    before: FloatHistogram, after: FloatHistogram, distance: int, kind: RateKind, remarks: Remarks
) -> FloatHistogram | None:
    """Return irate or idelta of two samples that are `distance` milliseconds apart."""
    if kind.counter and (is_gauge(before) or is_gauge(after)):
        remarks.no_counter()
    if not kind.counter and not (is_gauge(before) and is_gauge(after)):
        remarks.no_gauge()
    result = after
    if not kind.counter or not is_reset(after, before):
        try:
            result = remarks.minus(after, before)
        except IncompatibleBuckets:
            remarks.incompatible()
            return None
    result = result.hinted(CounterResetHint.GAUGE).compact()
    return divided(result, distance / 1000) if kind.per_second else result


def over_all(
    samples: Sequence[FloatHistogram],
    combine: Callable[[Sequence[FloatHistogram]], Combined],
    remarks: Remarks,
) -> FloatHistogram | None:
    """Return the sum or the mean of the histograms of a window."""
    try:
        combined = combine(samples)
    except IncompatibleBuckets:
        remarks.incompatible()
        return None
    if combined.collision:
        remarks.collision("aggregation")
    if combined.reconciled:
        remarks.reconciled("aggregation")
    return combined.histogram
