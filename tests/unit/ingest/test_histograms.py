"""Native histograms that others push: what they become, what of them is refused."""

from typing import Any

import numpy as np
import pytest

from controlplane.ingest.wire import message_class
from controlplane.model.histogram import CounterResetHint, FloatHistogram
from controlplane.model.samples import STALE_NAN
from controlplane.promql.engine import Engine
from controlplane.promql.histograms.text import written
from controlplane.promql.values import Vector
from tests.support.remote_write import snappy, version_1, version_2
from tests.unit.ingest.test_otlp import CUMULATIVE, point, request
from tests.unit.ingest.test_otlp import Bench as OtlpBench
from tests.unit.ingest.test_receiver import NOW, Bench

LATENCY = {"__name__": "latency", "job": "a"}
WHOLE: dict[str, Any] = {
    "count_int": 6,
    "sum": 12.5,
    "schema": 1,
    "zero_threshold": 0.25,
    "zero_count_int": 1,
    "positive_deltas": [1, 1, 0],
    "negative_deltas": [],
}
FRACTIONS: dict[str, Any] = {
    "count_float": 1.5,
    "sum": 3.0,
    "schema": 3,
    "positive_counts": [0.5, 1.0],
}


def histogram(spans: list[tuple[int, int]], time: int = NOW, **fields: Any) -> bytes:
    """Return an encoded message."""
    span = message_class("BucketSpan")
    message = message_class("Histogram")(timestamp=time, **fields)
    message.positive_spans.extend([span(offset=o, length=n) for o, n in spans])
    encoded: bytes = message.SerializeToString()
    return encoded


def send(bench: Bench, *encoded: bytes, version: int = 1) -> tuple[int, int, dict[str, int]]:
    """Send one series of histograms; return what was written, natively, and what refused."""
    name, body = ("WriteRequest", version_1) if version == 1 else ("Request2", version_2)
    message = message_class(name).FromString(body([(LATENCY, [])]))
    message.timeseries[0].histograms.extend(encoded)
    tally = bench.receiver.remote_write(snappy(message.SerializeToString()), version)
    return tally.written, tally.histograms, tally.rejections.counts


def stored(bench: Bench | OtlpBench, expr: str = "latency") -> list[FloatHistogram | None]:
    """Return what the newest samples are."""
    value = Engine(bench.store).instant(expr, NOW).value
    assert isinstance(value, Vector)
    return [] if value.histograms is None else list(value.histograms)


@pytest.mark.parametrize("version", [1, 2])
def test_whole_and_fractional_counts_are_read(version: int) -> None:
    """Buckets are differences in one form and counts in the other."""
    bench = Bench()
    assert send(bench, histogram([(0, 2), (3, 1)], **WHOLE), version=version) == (1, 1, {})
    (found,) = stored(bench)
    assert found is not None
    shown = "{{schema:1 count:6 sum:12.5 z_bucket:1 z_bucket_w:0.25 buckets:[1 2 0 0 0 2]}}"
    assert written(found) == shown
    other = Bench()
    send(other, histogram([(-2, 2)], **FRACTIONS), version=version)
    (found,) = stored(other)
    assert found is not None
    assert written(found) == "{{schema:3 count:1.5 sum:3 offset:-2 buckets:[0.5 1]}}"


def test_the_same_again_is_no_error() -> None:
    """A sender repeats what it is not sure of; another histogram at that time is refused."""
    bench = Bench()
    first = histogram([(0, 2), (3, 1)], **WHOLE)
    assert send(bench, first) == (1, 1, {})
    assert send(bench, first) == (1, 0, {})
    other = histogram([(0, 3)], **{**WHOLE, "count_int": 7})
    assert send(bench, other) == (0, 0, {"duplicate": 1})
    assert send(bench, histogram([(0, 3)], NOW - 1, **WHOLE)) == (0, 0, {"out_of_order": 1})


def test_a_receiver_that_begins_anew_knows_what_is_stored() -> None:
    """Histograms that the store has already are told from others by their content."""
    bench, first = Bench(), histogram([(0, 2), (3, 1)], **WHOLE)
    send(bench, first)
    anew = Bench()
    anew.receiver = type(bench.receiver)(
        bench.store, bench.clock, bench.receiver._metrics, bench.receiver._options
    )
    assert send(anew, first) == (1, 0, {})
    other = histogram([(0, 2), (3, 1)], **{**WHOLE, "sum": 13.0})
    assert send(anew, other) == (0, 0, {"duplicate": 1})


def test_hints_of_senders_are_found_out_anew() -> None:
    """Only that a histogram is a gauge is taken from its sender."""
    bench = Bench()
    fields = {**WHOLE, "reset_hint": 2}
    send(
        bench,
        histogram([(0, 3)], NOW - 2, **{**fields, "reset_hint": 3}),
        histogram([(0, 3)], NOW - 1, **fields),
    )
    window = Engine(bench.store).instant("latency[1m]", NOW).value
    assert not isinstance(window, Vector)
    objects = getattr(window, "histograms", None)
    assert objects is not None
    hints = [one.hint for one in objects[0]]
    assert hints == [CounterResetHint.GAUGE, CounterResetHint.UNKNOWN]


def test_a_marker_ends_the_series() -> None:
    """A stale sum is a staleness marker."""
    bench = Bench()
    send(bench, histogram([(0, 3)], NOW - 1, **WHOLE))
    send(bench, histogram([], NOW, sum=float(STALE_NAN)))
    assert stored(bench) == []
    assert not bench.store.querier().instants(np.array([0]), np.array([NOW]), 60_000).present.any()


@pytest.mark.parametrize(
    ("spans", "fields", "words"),
    [
        ([(0, 4)], WHOLE, "spans need 4 buckets"),
        ([(0, 2), (-1, 1)], WHOLE, "negative offset"),
        ([(0, 3)], {**WHOLE, "schema": 60}, "invalid schema"),
        ([(0, 3)], {**WHOLE, "positive_deltas": [1, -2, 0]}, "negative number of observations"),
        ([(0, 3)], {**WHOLE, "schema": -53, "custom_values": [1.0, 1.0]}, "increasing order"),
    ],
)
def test_histograms_that_make_no_sense_are_refused(
    spans: list[tuple[int, int]], fields: dict[str, Any], words: str
) -> None:
    """The reason is in the answer; the rest of the request is kept."""
    bench = Bench()
    message = message_class("WriteRequest").FromString(version_1([(LATENCY, [(NOW, 1.0)])]))
    message.timeseries[0].histograms.append(histogram(spans, **fields))
    tally = bench.receiver.remote_write(snappy(message.SerializeToString()), 1)
    assert (tally.written, tally.rejections.counts) == (1, {"invalid_histogram": 1})
    assert words in str(tally.rejections)


def test_finer_schemas_are_merged() -> None:
    """Schema 9 is known, 8 is the finest that is kept."""
    bench = Bench()
    send(bench, histogram([(1, 4)], count_int=4, schema=9, positive_deltas=[1, 0, 0, 0]))
    (found,) = stored(bench)
    assert found is not None
    assert written(found) == "{{schema:8 count:4 offset:1 buckets:[2 2]}}"


def test_exponential_histograms_of_otlp() -> None:
    """Buckets count from one further on; finer scales are merged, an empty side is none."""
    bench = OtlpBench()
    points = [
        point(
            count="7",
            sum=11.5,
            scale=0,
            zeroCount="1",
            positive={"offset": 1, "bucketCounts": ["2", "0", "4"]},
        )
    ]
    exponential = {"aggregationTemporality": CUMULATIVE, "dataPoints": points}
    tally = bench.export(request({"name": "latency", "exponentialHistogram": exponential}))
    assert (tally.written, tally.histograms) == (1, 1)
    (found,) = stored(bench)
    assert found is not None
    shown = "{{count:7 sum:11.5 z_bucket:1 z_bucket_w:1e-128 offset:2 buckets:[2 0 4]}}"
    assert written(found) == shown


def test_a_scale_that_is_too_coarse_is_refused() -> None:
    """Prometheus has no schema for it."""
    bench = OtlpBench()
    points = [point(count="1", scale=-5)]
    exponential = {"aggregationTemporality": CUMULATIVE, "dataPoints": points}
    tally = bench.export(request({"name": "latency", "exponentialHistogram": exponential}))
    assert tally.rejections.counts == {"invalid_histogram": 1}
    assert "Scale must be >= -4, was -5" in str(tally.rejections)
