"""From a measurement on `/metrics` to the trace in which it was made, and no further."""

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, generate_latest
from starlette.types import Receive, Scope, Send

from controlplane.api.observe import INGEST, HttpMetrics, ObserveMiddleware
from controlplane.telemetry.correlation import correlated
from controlplane.telemetry.traces import TRACING, exemplar, span, trace_id_of

_ID = "0123456789abcdef"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Keep all spans in memory."""
    kept = InMemorySpanExporter()
    TRACING.start(kept, ratio=1.0, replica="test")
    yield kept
    TRACING.close()


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer anything."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def openmetrics(registry: CollectorRegistry) -> bytes:
    """Return what a scraper gets that asks for OpenMetrics."""
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    return encode(registry)


async def ask(path: str) -> CollectorRegistry:
    """Return what is counted when one request was answered."""
    registry = CollectorRegistry()
    application = ObserveMiddleware(answer, metrics=HttpMetrics(registry))
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        await client.post(path, headers={"x-correlation-id": _ID})
    return registry


async def test_a_request_that_is_traced_leaves_its_trace(exporter: InMemorySpanExporter) -> None:
    """OpenMetrics shows the trace's id beside the bucket; the old text format cannot."""
    registry = await ask("/api/v1/targets")
    wanted = f'# {{trace_id="{trace_id_of(_ID):032x}"}}'
    assert wanted in openmetrics(registry).decode()
    assert b"trace_id" not in generate_latest(registry)


@pytest.mark.parametrize("path", [*INGEST, "/prometheus/api/v1/otlp/v1/metrics", "/metrics"])
async def test_samples_that_come_in_are_not_traced(
    exporter: InMemorySpanExporter, path: str
) -> None:
    """They are counted like any request, and make neither span nor exemplar."""
    counted = openmetrics(await ask(path)).decode()
    assert "controlplane_http_requests_total{" in counted
    assert "trace_id" not in counted
    TRACING.close()
    assert exporter.get_finished_spans() == ()


def test_a_trace_that_is_not_recorded_is_not_pointed_at() -> None:
    """Neither without a span, nor in one that sampling left out, nor while traces are off."""
    assert exemplar() is None
    with span("off"):
        assert exemplar() is None
    TRACING.start(InMemorySpanExporter(), ratio=0.0, replica="test")
    with correlated(_ID), span("left out"):
        assert exemplar() is None
    TRACING.close()
