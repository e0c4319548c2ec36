"""The routes of OTLP: types, codes and bodies as exporters need them."""

import gzip
import json
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from controlplane.errors import Overloaded
from controlplane.ingest.receiver import Receiver
from controlplane.ingest.wire import message_class

PATHS = ("/v1/metrics", "/prometheus/api/v1/otlp/v1/metrics")
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json; charset=utf-8"}


def exported(temporality: int, time: int = 1_700_000_000) -> dict[str, Any]:
    point = {"timeUnixNano": str(time * 10**9), "asInt": "1"}
    total = {"aggregationTemporality": temporality, "dataPoints": [point], "isMonotonic": True}
    metrics = [{"name": "jobs", "sum": total}]
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}


@pytest.mark.parametrize("path", PATHS)
async def test_all_taken_is_an_empty_answer_in_the_same_type(
    client: httpx.AsyncClient, path: str
) -> None:
    """Protobuf for protobuf, JSON for JSON, gzip or not."""
    body = ParseDict(exported(2), ExportMetricsServiceRequest()).SerializeToString()
    answer = await client.post(path, content=body, headers=PROTOBUF)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    packed = gzip.compress(json.dumps(exported(2)).encode())
    headers = {**JSON, "content-encoding": "gzip"}
    answer = await client.post(path, content=packed, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})


async def test_a_part_refused_is_a_partial_success(client: httpx.AsyncClient) -> None:
    """200, so that nobody sends it again, with a number and a reason."""
    answer = await client.post(PATHS[0], content=json.dumps(exported(1)), headers=JSON)
    assert answer.status_code == 200
    assert answer.json() == {
        "partialSuccess": {
            "rejectedDataPoints": "1",
            "errorMessage": "delta temporality: 1 (first: jobs)",
        }
    }
    body = ParseDict(exported(1), ExportMetricsServiceRequest()).SerializeToString()
    answer = await client.post(PATHS[0], content=body, headers=PROTOBUF)
    found = ExportMetricsServiceResponse.FromString(answer.content)
    assert found.partial_success.rejected_data_points == 1


async def test_what_cannot_be_decoded_is_a_status_message(client: httpx.AsyncClient) -> None:
    """400 with a google.rpc.Status in the type of the request."""
    answer = await client.post(PATHS[1], content=b"\xff", headers=PROTOBUF)
    assert answer.status_code == 400
    status = message_class("Status").FromString(answer.content)
    assert status.code == 3
    assert "decoded" in status.message
    answer = await client.post(PATHS[1], content=b"{", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


async def test_other_types_and_compressions_are_415(client: httpx.AsyncClient) -> None:
    """Nothing is guessed."""
    for headers in ({"content-type": "application/xml"}, {**JSON, "content-encoding": "zstd"}):
        answer = await client.post(PATHS[0], content=b"{}", headers=headers)
        assert answer.status_code == 415


async def test_overload_is_503_and_says_when(
    client: httpx.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the few codes that an exporter answers with another try."""

    def refuse(*_: object) -> None:
        raise Overloaded("full", retry_after=3)

    monkeypatch.setattr(receiver, "take", refuse)
    answer = await client.post(PATHS[0], content=b"{}", headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
