"""An export request as series and samples: what each kind of metric becomes."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, cast

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    DataPointFlags,
    Metric,
    ResourceMetrics,
)

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.ingest.incoming import Incoming, Rejections
from controlplane.ingest.metadata import Metadata, MetadataBook
from controlplane.ingest.otlp.attributes import IDENTIFYING, identity, labels_of
from controlplane.ingest.otlp.histograms import exponential
from controlplane.ingest.otlp.names import Kind, metric_name, unit_name
from controlplane.model.duration import MINUTE
from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import STALE_NAN
from controlplane.promql.numbers import format_plain

TARGET_INFO: Final = "target_info"
# Half of the default lookback, so that every instant between two samples finds one.
_INFO_STEP: Final[Duration] = 5 * MINUTE // 2
_MOST_INFOS: Final = 100


def translate(request: ExportMetricsServiceRequest, metadata: MetadataBook) -> Incoming:
    """Return all that a request holds; what cannot be stored is among the rejections."""
    translation = _Translation(metadata)
    for resource in request.resource_metrics:
        translation.add(resource)
    return translation.incoming()


class _Translation:
    """Samples of a request, put together."""

    def __init__(self, metadata: MetadataBook) -> None:
        self._metadata = metadata
        self._rejections = Rejections()
        self._keys: list[Hashable] = []
        self._times: list[Timestamp] = []
        # An array keeps the bits of the staleness marker; it is filled at the end.
        self._values: list[float] = []
        self._stale: list[int] = []
        self._identity: Mapping[str, str] = {}
        self._seen: list[Timestamp] = []
        self._exemplars = 0
        self._histograms: dict[int, FloatHistogram] = {}

    def incoming(self) -> Incoming:
        values = np.array(self._values, dtype=np.float64)
        values[self._stale] = STALE_NAN
        return Incoming(
            "otlp",
            self._keys,
            lambda key: cast(Labels, key),
            np.arange(len(self._keys)),
            np.array(self._times, dtype=np.int64),
            values,
            self._rejections,
            self._exemplars,
            self._histograms,
        )

    def add(self, resource: ResourceMetrics) -> None:
        """Take in what one resource sends."""
        self._identity = identity(resource.resource.attributes)
        self._seen = []
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                try:
                    self._add_metric(metric)
                except InvalidInput as error:
                    self._refuse("invalid_name", metric, error.reason)
        try:
            self._add_target_info(resource)
        except InvalidInput as error:
            self._rejections.add("invalid_name", 1, error.reason)

    def _add_metric(self, metric: Metric) -> None:
        kind = _kind(metric)
        data = getattr(metric, metric.WhichOneof("data") or "gauge")
        if not _is_cumulative(data):
            self._refuse("delta_temporality", metric, metric.name)
            return
        family = metric_name(metric.name, metric.unit, kind)
        said = Metadata(kind.type, metric.description, unit_name(metric.unit))
        self._metadata.note(family, said)
        for point in data.data_points:
            if kind is Kind.EXPONENTIAL:
                self._add_exponential(family, point)
                continue
            labels = {**labels_of(point.attributes), **self._identity}
            self._add_point(kind, family, labels, point)

    def _add_point(self, kind: Kind, family: str, labels: dict[str, str], point: Any) -> None:
        time = point.time_unix_nano // 1_000_000
        self._seen.append(time)
        if kind is not Kind.SUMMARY:
            self._exemplars += len(point.exemplars)
        for suffix, extra, value in _samples(kind, point):
            series = Labels({**labels, **extra, METRIC_NAME: family + suffix})
            if point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
                self._stale.append(len(self._values))
            self._append(series, time, value)

    def _add_exponential(self, family: str, point: Any) -> None:
        """Take in one sample with all its buckets."""
        time = point.time_unix_nano // 1_000_000
        self._exemplars += len(point.exemplars)
        series = Labels({**labels_of(point.attributes), **self._identity, METRIC_NAME: family})
        if point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
            self._stale.append(len(self._values))
        else:
            try:
                self._histograms[len(self._values)] = exponential(point)
            except InvalidInput as error:
                self._rejections.add("invalid_histogram", 1, error.reason)
                return
        self._seen.append(time)
        self._append(series, time, 0.0)

    def _add_target_info(self, resource: ResourceMetrics) -> None:
        """Say of what a resource consists, at every instant where its samples may be asked for."""
        told = labels_of(resource.resource.attributes, without=IDENTIFYING)
        if not told or not self._identity or not self._seen:
            return
        series = Labels({**told, **self._identity, METRIC_NAME: TARGET_INFO})
        self._metadata.note(TARGET_INFO, Metadata("gauge", "Target metadata", ""))
        last = max(self._seen)
        first = max(min(self._seen), last - _MOST_INFOS * _INFO_STEP)
        for time in (*range(first, last, _INFO_STEP), last):
            self._append(series, time, 1.0)

    def _append(self, series: Labels, time: Timestamp, value: float) -> None:
        self._keys.append(series)
        self._times.append(time)
        self._values.append(value)

    def _refuse(self, reason: str, metric: Metric, example: str) -> None:
        data = getattr(metric, metric.WhichOneof("data") or "gauge")
        self._rejections.add(reason, len(data.data_points), example)


def _kind(metric: Metric) -> Kind:
    """Return what a metric is to Prometheus."""
    data = metric.WhichOneof("data")
    if data == "sum":
        return Kind.COUNTER if metric.sum.is_monotonic else Kind.UP_DOWN
    return Kind(data) if data else Kind.GAUGE


def _is_cumulative(data: Any) -> bool:
    """Tell whether values count from a start; gauges and summaries have no temporality."""
    wanted = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    return bool(getattr(data, "aggregation_temporality", wanted) == wanted)


def _samples(kind: Kind, point: Any) -> Iterable[tuple[str, Mapping[str, str], float]]:
    """Return suffix of the name, labels besides, and value of each sample of a point."""
    if kind is Kind.HISTOGRAM:
        return _histogram(point)
    if kind is Kind.SUMMARY:
        quantiles = [
            ("", {"quantile": format_plain(each.quantile)}, each.value)
            for each in point.quantile_values
        ]
        return [("_sum", {}, point.sum), ("_count", {}, float(point.count)), *quantiles]
    value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return [("", {}, float(value))]


def _histogram(point: Any) -> Iterable[tuple[str, Mapping[str, str], float]]:
    if point.HasField("sum"):
        yield "_sum", {}, point.sum
    yield "_count", {}, float(point.count)
    total = 0
    # The last bucket has no bound: it is the count.
    for bound, count in zip(point.explicit_bounds, point.bucket_counts, strict=False):
        total += count
        yield "_bucket", {"le": format_plain(bound)}, float(total)
    yield "_bucket", {"le": "+Inf"}, float(point.count)
