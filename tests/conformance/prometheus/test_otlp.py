"""OpenTelemetry's own SDK exports its metrics to us."""

import asyncio
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from tests.support.service import running


async def test_the_sdk_exports_to_us(tmp_path: Path) -> None:
    """Counters, histograms and the resource arrive under Prometheus' names."""
    async with running(tmp_path) as service:
        await asyncio.to_thread(_export, f"{service.url}/v1/metrics")
        labels = 'job="shop",instance="i-1"'
        assert await service.value(f'requests_total{{{labels},http_method="GET"}}') == 3
        assert await service.value(f"took_seconds_count{{{labels}}}") == 2
        assert await service.value(f'took_seconds_bucket{{{labels},le="5"}}') == 1
        assert await service.value(f'target_info{{{labels},host_name="h"}}') == 1
        joined = "requests_total * on (job, instance) group_left (host_name) target_info"
        [found] = await service.query(joined)
        assert found["metric"]["host_name"] == "h"
        said = (await service.get("/prometheus/api/v1/metadata?metric=took_seconds"))["data"]
        assert said == {
            "took_seconds": [{"type": "histogram", "help": "How long.", "unit": "seconds"}]
        }


def _export(endpoint: str) -> None:
    exporter = OTLPMetricExporter(endpoint=endpoint, compression=Compression.Gzip)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=600_000)
    resource = Resource({"service.name": "shop", "service.instance.id": "i-1", "host.name": "h"})
    provider = MeterProvider([reader], resource)
    meter = provider.get_meter("test")
    meter.create_counter("requests").add(3, {"http.method": "GET"})
    took = meter.create_histogram("took", unit="s", description="How long.")
    for seconds in (2.0, 7.0):
        took.record(seconds)
    assert provider.force_flush()
    provider.shutdown()
