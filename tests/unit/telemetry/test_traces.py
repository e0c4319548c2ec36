"""Spans, and what the process says of itself."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import CollectorRegistry

from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.telemetry.correlation import correlated
from controlplane.telemetry.metrics import ProcessMetrics
from controlplane.telemetry.traces import (
    TRACING,
    answering,
    configure_traces,
    span,
    trace_id_of,
)
from tests.support.clock import ManualClock


class Collector(BaseHTTPRequestHandler):
    """A real OTLP/HTTP endpoint that keeps what it is sent."""

    received: ClassVar[list[tuple[str, str | None, ExportTraceServiceRequest]]] = []
    stall: ClassVar[threading.Event | None] = None

    def do_POST(self) -> None:
        """Take one export; wait first where the test wants a slow collector."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        self.received.append((self.path, self.headers.get("x-key"), request))
        if self.stall is not None:
            self.stall.wait(30)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[str]:
    """Run a collector on a free port; yield its base URL."""
    Collector.received = []
    Collector.stall = None
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    TRACING.close(0)
    if Collector.stall is not None:
        Collector.stall.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_off_without_an_endpoint() -> None:
    """No endpoint: no span is recorded, and nesting is fine."""
    configure_traces("", ratio=1.0, replica="a")
    with span("outer", size=1) as outer, span("inner"):
        assert not outer.is_recording()
    assert TRACING.close()


def test_spans_reach_the_collector(collector: str) -> None:
    """Spans nest, carry attributes and the correlation id, and go out at the end."""
    configure_traces(collector + "/", ratio=1.0, replica="r1", headers=Secret("X-Key=a%20b"))
    with correlated("abcd"), span("evaluate", group="g"), span("query"):
        pass
    assert TRACING.close()
    (path, key, request) = Collector.received[0]
    assert (path, key) == ("/v1/traces", "a b")
    resource = request.resource_spans[0]
    about = {entry.key: entry.value.string_value for entry in resource.resource.attributes}
    assert (about["service.name"], about["service.instance.id"]) == ("controlplane", "r1")
    inner, outer = resource.scope_spans[0].spans
    assert (inner.name, outer.name) == ("query", "evaluate")
    assert inner.parent_span_id == outer.span_id
    attributes = {entry.key: entry.value.string_value for entry in outer.attributes}
    assert attributes == {"group": "g", "correlation_id": "abcd"}


def test_an_error_marks_its_span(collector: str) -> None:
    """A block that raises leaves an error on its span, and raises."""
    configure_traces(collector, ratio=1.0, replica="r")
    with pytest.raises(ValueError, match="boom"), span("work"):
        raise ValueError("boom")
    TRACING.close()
    (work,) = Collector.received[0][2].resource_spans[0].scope_spans[0].spans
    assert work.status.code == work.status.STATUS_CODE_ERROR


def test_a_ratio_of_zero_records_nothing(collector: str) -> None:
    """The share of traces is obeyed."""
    configure_traces(collector, ratio=0.0, replica="r")
    with span("work") as current:
        assert not current.is_recording()
    TRACING.close()
    assert Collector.received == []


def test_the_end_does_not_wait_for_a_slow_collector(collector: str) -> None:
    """The flush at the end is bounded, and says whether all went out."""
    Collector.stall = threading.Event()
    configure_traces(collector, ratio=1.0, replica="r")
    with span("work"):
        pass
    assert not TRACING.close(0.2)
    assert TRACING.close()


def test_bad_headers_are_refused() -> None:
    """Headers that are not name=value are refused without being repeated."""
    with pytest.raises(InvalidInput, match="OTEL_EXPORTER_OTLP_HEADERS") as caught:
        configure_traces("http://c", ratio=1.0, replica="r", headers=Secret("hunter2"))
    assert "hunter2" not in str(caught.value)


async def test_a_late_event_loop_is_seen() -> None:
    """The lag of the loop, and the version, are metrics."""
    registry, clock = CollectorRegistry(), ManualClock()
    metrics = ProcessMetrics(registry, clock, replica="r1", external_url="https://watch.example")
    task = asyncio.create_task(metrics.run())
    await clock.settle()
    await clock.advance(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert registry.get_sample_value("controlplane_event_loop_lag_seconds_count") == 1
    assert (
        registry.get_sample_value("controlplane_event_loop_lag_seconds_bucket", {"le": "0.001"})
        == 1
    )
    console = {"url": "https://watch.example"}
    assert registry.get_sample_value("controlplane_console_info", console) == 1
    assert registry.get_sample_value("process_resident_memory_bytes")


def test_what_is_recorded_follows_from_the_correlation_id(collector: str) -> None:
    """The same ids as the SDK's sampler would choose; of the others no span is made at all."""
    configure_traces(collector, ratio=0.5, replica="r")
    low = (1 << 64) - 1
    chosen = {f"id{n}": trace_id_of(f"id{n}") & low < 1 << 63 for n in range(40)}
    for identifier, recorded in chosen.items():
        with correlated(identifier), span("outer") as outer, span("inner") as inner:
            assert (outer.is_recording(), inner.is_recording()) == (recorded, recorded)
            assert outer.get_span_context().is_valid == recorded
    TRACING.close()
    sent = Collector.received[0][2].resource_spans[0].scope_spans[0].spans
    assert len(sent) == 2 * sum(chosen.values())
    assert 0 < sum(chosen.values()) < 40


@pytest.mark.parametrize("sampled", [True, False])
def test_a_caller_decides_for_its_trace(collector: str, *, sampled: bool) -> None:
    """`traceparent` counts, whatever the share says, for all that is done within."""
    configure_traces(collector, ratio=0.0 if sampled else 1.0, replica="r")
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-0{int(sampled)}"}
    with correlated("abcd"), answering("request", headers) as outer, span("work") as inner:
        assert (outer.is_recording(), inner.is_recording()) == (sampled, sampled)
    TRACING.close()
    assert bool(Collector.received) == sampled
