"""The protobuf format: metric families, one after the other, each with its length before it.

A page is made of them as it is of text: every series gets the head that it
would have there. Only this format has native histograms; where they are not
wanted, or a histogram has none, its classic buckets are taken.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from controlplane.errors import InvalidInput
from controlplane.model.histogram import Buckets, CounterResetHint, FloatHistogram, buckets_in
from controlplane.model.histogram import validate as validate_histogram
from controlplane.model.messages import Messages
from controlplane.scrape.exposition.grammar import ExpositionError, format_bound, series_head
from controlplane.scrape.exposition.openmetrics import OPENMETRICS
from controlplane.scrape.exposition.page import NO_TIME, Metadata, Page, Shape

_ONE, _MANY = False, True
# Numbers from prometheus/client_model: io/prometheus/client/metrics.proto. Of whole and fractional
# counts one is there, the other zero.
_MESSAGES: Final = Messages(
    "controlplane.scrape",
    {
        "Label": {"name": (1, "string", _ONE), "value": (2, "string", _ONE)},
        "Value": {"value": (1, "double", _ONE), "exemplar": (2, "bytes", _MANY)},
        "Quantile": {"quantile": (1, "double", _ONE), "value": (2, "double", _ONE)},
        "Summary": {
            "sample_count": (1, "uint64", _ONE),
            "sample_sum": (2, "double", _ONE),
            "quantile": (3, "Quantile", _MANY),
        },
        "Bucket": {
            "cumulative_count": (1, "uint64", _ONE),
            "upper_bound": (2, "double", _ONE),
            "exemplar": (3, "bytes", _MANY),
            "cumulative_count_float": (4, "double", _ONE),
        },
        "Span": {"offset": (1, "sint32", _ONE), "length": (2, "uint32", _ONE)},
        "Histogram": {
            "sample_count": (1, "uint64", _ONE),
            "sample_sum": (2, "double", _ONE),
            "bucket": (3, "Bucket", _MANY),
            "sample_count_float": (4, "double", _ONE),
            "schema": (5, "sint32", _ONE),
            "zero_threshold": (6, "double", _ONE),
            "zero_count": (7, "uint64", _ONE),
            "zero_count_float": (8, "double", _ONE),
            "negative_span": (9, "Span", _MANY),
            "negative_delta": (10, "sint64", _MANY),
            "negative_count": (11, "double", _MANY),
            "positive_span": (12, "Span", _MANY),
            "positive_delta": (13, "sint64", _MANY),
            "positive_count": (14, "double", _MANY),
            "exemplars": (16, "bytes", _MANY),
        },
        "Metric": {
            "label": (1, "Label", _MANY),
            "gauge": (2, "Value", _ONE),
            "counter": (3, "Value", _ONE),
            "summary": (4, "Summary", _ONE),
            "untyped": (5, "Value", _ONE),
            "timestamp_ms": (6, "int64", _ONE),
            "histogram": (7, "Histogram", _ONE),
        },
        "MetricFamily": {
            "name": (1, "string", _ONE),
            "help": (2, "string", _ONE),
            "type": (3, "int32", _ONE),
            "metric": (4, "Metric", _MANY),
            "unit": (5, "string", _ONE),
        },
    },
)
# `MetricType`, by number.
_TYPES: Final = ("counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram")
_GAUGE_HISTOGRAM: Final = "gaugehistogram"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whether native histograms are taken, and classic buckets beside them."""

    native: bool = False
    classic_too: bool = False


# Suffix of the name, a label more, the sample.
_Sample = tuple[str, tuple[str, str] | None, float | FloatHistogram]


def read_protobuf(body: bytes, wanted: Wanted, previous: Page | None = None) -> Page:
    """Read a body; the shape of `previous` is taken over where the series are the same.

    Raises ExpositionError.
    """
    found = _Found(wanted)
    try:
        for encoded in _delimited(body):
            found.add(_MESSAGES.decode("MetricFamily", encoded))
    except InvalidInput as error:
        raise ExpositionError(error.reason, line=0, samples=len(found.values)) from None
    return found.page(previous)


def exemplars(body: bytes) -> int:
    """Return how many exemplars a body holds."""
    number = 0
    for encoded in _delimited(body):
        for metric in _MESSAGES.decode("MetricFamily", encoded).metric:
            histogram = metric.histogram
            number += len(metric.counter.exemplar) + len(histogram.exemplars)
            number += sum(len(bucket.exemplar) for bucket in histogram.bucket)
    return number


def _delimited(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        size = shift = 0
        while True:
            if at >= len(body) or shift > 63:
                raise InvalidInput("the body ends within a length")
            byte = body[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if at + size > len(body):
            raise InvalidInput("the body ends within a metric family")
        yield body[at : at + size]
        at += size


@dataclass(slots=True)
class _Found:
    """What families come to."""

    wanted: Wanted
    heads: list[bytes] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    histograms: dict[int, FloatHistogram] = field(default_factory=dict)
    metadata: dict[str, Metadata] = field(default_factory=dict)

    def add(self, family: Any) -> None:
        """Take a family in. Raises InvalidInput."""
        kind = _TYPES[family.type] if 0 <= family.type < len(_TYPES) else "unknown"
        self.metadata[family.name] = Metadata(kind, family.help, family.unit)
        for metric in family.metric:
            time = metric.timestamp_ms or NO_TIME
            labels = [(label.name, label.value) for label in metric.label]
            for suffix, extra, sample in self._samples(kind, metric):
                pairs = labels if extra is None else [*labels, extra]
                self.heads.append(series_head(family.name + suffix, pairs))
                self.kinds.append(kind)
                self.times.append(time)
                if isinstance(sample, FloatHistogram):
                    self.histograms[len(self.values)] = sample
                    self.values.append(0.0)
                else:
                    self.values.append(sample)

    def _samples(self, kind: str, metric: Any) -> Iterator[_Sample]:
        if kind == "summary":
            summary = metric.summary
            yield "_count", None, float(summary.sample_count)
            yield "_sum", None, summary.sample_sum
            for each in summary.quantile:
                yield "", ("quantile", format_bound(each.quantile)), each.value
        elif kind in ("histogram", _GAUGE_HISTOGRAM):
            native = self.wanted.native and _is_native(metric.histogram)
            if native:
                yield "", None, _native(metric.histogram, gauge=kind == _GAUGE_HISTOGRAM)
            if not native or (self.wanted.classic_too and len(metric.histogram.bucket)):
                yield from _classic(metric.histogram)
        else:
            yield "", None, getattr(metric, "untyped" if kind == "unknown" else kind).value

    def page(self, previous: Page | None) -> Page:
        values = np.array(self.values, dtype=np.float64)
        values[np.isnan(values)] = np.nan
        times = None
        if any(time != NO_TIME for time in self.times):
            times = np.array(self.times, dtype=np.int64)
        shape = None if previous is None else previous.shape
        if shape is None or list(shape.heads) != self.heads or list(shape.kinds) != self.kinds:
            lines = np.arange(len(self.heads), dtype=np.int64)
            shape = Shape(OPENMETRICS, self.heads, lines, self.kinds, self.metadata)
        return Page(shape, values, times, self.histograms)


def _is_native(histogram: Any) -> bool:
    """Tell whether a histogram has more than classic buckets."""
    return bool(
        len(histogram.positive_span)
        or len(histogram.negative_span)
        or histogram.zero_threshold > 0
        or histogram.zero_count > 0
        or histogram.zero_count_float > 0
    )


def _native(histogram: Any, *, gauge: bool) -> FloatHistogram:
    """Return the native histogram. Raises InvalidInput."""
    h = histogram
    native = FloatHistogram(
        schema=h.schema,
        count=float(h.sample_count) + h.sample_count_float,
        sum=h.sample_sum,
        zero_threshold=h.zero_threshold,
        zero_count=float(h.zero_count) + h.zero_count_float,
        positive=_side(h.positive_span, h.positive_delta, h.positive_count),
        negative=_side(h.negative_span, h.negative_delta, h.negative_count),
        hint=CounterResetHint.GAUGE if gauge else CounterResetHint.UNKNOWN,
    )
    validate_histogram(native)
    return native


def _side(spans: Sequence[Any], deltas: Sequence[int], counts: Sequence[float]) -> Buckets:
    values = np.cumsum(np.array(deltas, dtype=np.int64)) if len(deltas) else counts
    return buckets_in([(span.offset, span.length) for span in spans], list(values))


def _classic(histogram: Any) -> Iterator[_Sample]:
    count = float(histogram.sample_count) + histogram.sample_count_float
    yield "_count", None, count
    yield "_sum", None, histogram.sample_sum
    bound = -math.inf
    for bucket in histogram.bucket:
        bound = bucket.upper_bound
        inside = float(bucket.cumulative_count) + bucket.cumulative_count_float
        yield "_bucket", ("le", format_bound(bound)), inside
    if bound != math.inf:
        yield "_bucket", ("le", "+Inf"), count
