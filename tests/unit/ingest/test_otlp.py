"""Export requests into a store: what each kind of metric becomes, what is refused."""

import gzip
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from prometheus_client import CollectorRegistry

from controlplane.errors import InvalidInput, TooLarge
from controlplane.ingest.incoming import Tally
from controlplane.ingest.metadata import Metadata
from controlplane.ingest.metrics import IngestMetrics
from controlplane.ingest.options import IngestOptions
from controlplane.ingest.otlp.decode import Encoding
from controlplane.ingest.receiver import Receiver
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
NANO = 1_000_000
CUMULATIVE, DELTA = 2, 1


def attributes(**values: Any) -> list[dict[str, Any]]:
    """Return attributes of texts, numbers and whatever is given as an AnyValue."""
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [
        {
            "key": name.replace("__", "."),
            "value": value if isinstance(value, dict) else {kinds[type(value)]: value},
        }
        for name, value in values.items()
    ]


def point(time: int = NOW, **fields: Any) -> dict[str, Any]:
    return {"timeUnixNano": str(time * NANO + 999), **fields}


def request(*metrics: dict[str, Any], **resource: Any) -> ExportMetricsServiceRequest:
    """Return what one resource exports."""
    given = {
        "resource": {"attributes": attributes(**resource)},
        "scopeMetrics": [{"metrics": list(metrics)}],
    }
    return ParseDict({"resourceMetrics": [given]}, ExportMetricsServiceRequest())


def gauge(*points: dict[str, Any], name: str = "g", **more: Any) -> dict[str, Any]:
    return {"name": name, "gauge": {"dataPoints": list(points)}, **more}


class Bench:
    """A receiver over a store in memory."""

    def __init__(self, options: IngestOptions | None = None) -> None:
        self.registry = CollectorRegistry()
        clock = ManualClock(NOW)
        self.store = Store.in_memory(clock=clock)
        metrics = IngestMetrics(self.registry)
        self.receiver = Receiver(self.store, clock, metrics, options or IngestOptions())

    def export(self, sent: ExportMetricsServiceRequest) -> Tally:
        return self.receiver.otlp(sent.SerializeToString(), Encoding.PROTOBUF)

    def stored(self) -> dict[str, list[float]]:
        """Return all samples by series."""
        querier = self.store.querier()
        refs = querier.select([])
        window = querier.window(refs, 0, 2**45)
        return {
            str(labels): window.values[window.offsets[i] : window.offsets[i + 1]].tolist()
            for i, labels in enumerate(querier.labels(refs))
        }


def test_numbers_become_samples() -> None:
    """Gauges and sums, whole or not, at the millisecond."""
    bench = Bench()
    total = {"dataPoints": [point(asInt="7")], "aggregationTemporality": CUMULATIVE}
    tally = bench.export(
        request(
            gauge(point(asDouble=1.5), unit="1", name="used"),
            {"name": "jobs", "sum": {**total, "isMonotonic": True}, "description": "Done."},
            {"name": "queue", "unit": "By", "sum": total},
        )
    )
    assert (tally.written, bool(tally.rejections)) == (3, False)
    assert bench.stored() == {"used_ratio": [1.5], "jobs_total": [7.0], "queue_bytes": [7.0]}
    querier = bench.store.querier()
    found = querier.instants(querier.select([]), np.array([NOW]), 1)
    assert found.present.all()
    assert bench.receiver.metadata.families() == {
        "used_ratio": Metadata("gauge"),
        "jobs_total": Metadata("counter", "Done."),
        "queue_bytes": Metadata("gauge", "", "bytes"),
    }


def test_a_histogram_becomes_a_classic_one() -> None:
    """Buckets add up; a missing sum is none; the last bucket is the count."""
    bench = Bench()
    data: dict[str, Any] = {
        "count": "6",
        "bucketCounts": ["1", "2", "3"],
        "explicitBounds": [0.5, 10],
    }
    points = [point(**data, sum=9.5), point(**data, attributes=attributes(k="v"))]
    histogram = {"aggregationTemporality": CUMULATIVE, "dataPoints": points}
    bench.export(request({"name": "took", "unit": "s", "histogram": histogram}))
    assert bench.stored() == {
        "took_seconds_sum": [9.5],
        "took_seconds_count": [6.0],
        'took_seconds_bucket{le="0.5"}': [1.0],
        'took_seconds_bucket{le="10"}': [3.0],
        'took_seconds_bucket{le="+Inf"}': [6.0],
        'took_seconds_count{k="v"}': [6.0],
        'took_seconds_bucket{k="v", le="0.5"}': [1.0],
        'took_seconds_bucket{k="v", le="10"}': [3.0],
        'took_seconds_bucket{k="v", le="+Inf"}': [6.0],
    }


def test_a_summary_keeps_its_quantiles() -> None:
    """One series for each, and sum and count."""
    bench = Bench()
    values = [{"quantile": 0.99, "value": 3.0}]
    data = {"dataPoints": [point(count="2", sum=4.0, quantileValues=values)]}
    bench.export(request({"name": "s", "summary": data}))
    assert bench.stored() == {"s_sum": [4.0], "s_count": [2.0], 's{quantile="0.99"}': [3.0]}


def test_a_resource_becomes_job_instance_and_target_info() -> None:
    """`target_info` has what else is known of it, at least every half lookback."""
    bench = Bench()
    resource = {
        "service__name": "shop",
        "service__namespace": "eu",
        "service__instance__id": "i-1",
        "host__name": "h",
    }
    points = [point(NOW - 200_000, asInt="1"), point(NOW, asInt="2")]
    bench.export(request(gauge(*points), **resource))
    identity = 'instance="i-1", job="eu/shop"'
    assert bench.stored() == {
        f"g{{{identity}}}": [1.0, 2.0],
        f'target_info{{host_name="h", {identity}}}': [1.0, 1.0, 1.0],
    }


def test_a_resource_of_which_nothing_else_is_known_has_no_target_info() -> None:
    """Nor has one without a name."""
    bench = Bench()
    bench.export(request(gauge(point(asInt="1")), service__name="shop"))
    bench.export(request(gauge(point(asInt="1"), name="h"), host__name="h"))
    assert bench.stored() == {'g{job="shop"}': [1.0], "h": [1.0]}


def test_attributes_of_every_type_become_labels() -> None:
    """Colliding names are put together; `__name__` is not theirs; empty ones are none."""
    bench = Bench()
    given = attributes(
        a__b="1", a_b="2", yes=True, n=-3, f=0.5, none="", list={"arrayValue": {"values": []}}
    )
    given += attributes(map={"kvlistValue": {"values": attributes(k=1)}})
    given += [{"key": "__name__", "value": {"stringValue": "x"}}]
    given += attributes(raw={"bytesValue": "AAE="})
    bench.export(request(gauge(point(asInt="1", attributes=given))))
    text = 'a_b="1;2", f="0.5", list="[]", map="{\\"k\\":1}", n="-3", raw="AAE=", yes="true"'
    assert bench.stored() == {f"g{{{text}}}": [1.0]}


def test_a_point_without_a_value_ends_its_series() -> None:
    """The flag of no recorded value is the staleness marker."""
    bench = Bench()
    bench.export(request(gauge(point(NOW - 1, asInt="1"))))
    assert bench.export(request(gauge(point(NOW, flags=1)))).written == 1
    querier = bench.store.querier()
    refs = querier.select([])
    assert not querier.instants(refs, np.array([NOW]), 60_000).present.any()
    assert querier.instants(refs, np.array([NOW - 1]), 60_000).present.all()


def test_what_is_not_stored_is_told() -> None:
    """Deltas, names of nothing, what is too late: the rest of the request is kept."""
    bench = Bench()
    delta = {"aggregationTemporality": DELTA, "dataPoints": [point(asInt="1")] * 2}
    tally = bench.export(
        request(
            {"name": "d", "sum": delta},
            gauge(point(asInt="1"), name="日本"),
            gauge(point(asInt="1"), point(NOW - 1, asInt="1")),
        )
    )
    assert tally.written == 1
    assert tally.rejections.counts == {
        "delta_temporality": 2,
        "invalid_name": 1,
        "out_of_order": 1,
    }
    assert "delta temporality: 2 (first: d)" in str(tally.rejections)


def test_json_and_gzip_are_read() -> None:
    """Whole numbers as texts, names in camel case, what is unknown is skipped."""
    bench = Bench()
    body = (
        b'{"resourceMetrics":[{"new":1,"scopeMetrics":[{"metrics":[{"name":"g","gauge":'
        b'{"dataPoints":[{"timeUnixNano":"1700000000000000000","asInt":"4","exemplars":'
        b'[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}}]}]}]}'
    )
    packed = gzip.compress(body)
    assert bench.receiver.otlp(packed, Encoding.JSON, gzip=True).written == 1
    assert bench.stored() == {"g": [4.0]}
    name = "controlplane_ingest_exemplars_dropped_total"
    assert bench.registry.get_sample_value(name, {"protocol": "otlp"}) == 1


@pytest.mark.parametrize(
    ("body", "encoding", "packed"),
    [
        (b"\xff", Encoding.PROTOBUF, False),
        (b"{", Encoding.JSON, False),
        (b"[]", Encoding.JSON, False),
        (b'{"resourceMetrics":[1]}', Encoding.JSON, False),
        (b'{"resourceMetrics":{"a":[]}}', Encoding.JSON, False),
        (b'{"resourceMetrics":[{"resource":[1]}]}', Encoding.JSON, False),
        (b'{"resourceMetrics":[{"scopeMetrics":"x"}]}', Encoding.JSON, False),
        (b'{"resourceMetrics":[{"schemaUrl":{}}]}', Encoding.JSON, False),
        (b"\xff\xfe", Encoding.JSON, False),
        (b"{}", Encoding.JSON, True),
        (gzip.compress(b"{}", mtime=0)[:-9], Encoding.JSON, True),
        (b'{"resourceMetrics":' * 100_000, Encoding.JSON, False),
    ],
)
def test_what_cannot_be_decoded_is_refused(
    body: bytes, encoding: Encoding, *, packed: bool
) -> None:
    """With a reason, and never with an error of ours."""
    with pytest.raises(InvalidInput):
        Bench().receiver.otlp(body, encoding, gzip=packed)


def test_a_body_is_bounded_after_decompression() -> None:
    """A small body that unpacks to a large one is not unpacked to its end."""
    bench = Bench(IngestOptions(max_otlp_bytes=1000))
    for body, packed in ((gzip.compress(bytes(10**6)), True), (bytes(1001), False)):
        with pytest.raises(TooLarge):
            bench.receiver.otlp(body, Encoding.PROTOBUF, gzip=packed)
