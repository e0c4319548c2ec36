"""OTLP/HTTP metrics: at Prometheus' path and at OpenTelemetry's own."""

import json
from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from controlplane.api.guard import sender
from controlplane.api.problems import kind_of
from controlplane.api.surface import On
from controlplane.errors import ControlPlaneError, InvalidInput, Overloaded
from controlplane.ingest.incoming import Tally
from controlplane.ingest.otlp.decode import Encoding
from controlplane.ingest.wire import message_class

router = APIRouter(tags=["otlp"])


# Of gRPC, by HTTP status: what a `Status` message says.
_CODES: Final[Mapping[int, int]] = {400: 3, 413: 8, 415: 3, 503: 14}
_LONGEST_MESSAGE: Final = 1024


@router.post("/v1/metrics")
@router.post("/prometheus/api/v1/otlp/v1/metrics")
async def export(request: Request, on: On) -> Response:
    """Take metrics in. 200 also when a part is refused: it must not be sent again."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in tuple(Encoding):
        return _status(415, f"send {' or '.join(Encoding)}, not {given!r}", Encoding.JSON)
    encoding = Encoding(given)
    compression = request.headers.get("content-encoding", "identity").lower()
    if compression not in ("identity", "gzip"):
        return _status(415, f"send gzip or plain bodies, not {compression}", encoding)
    body, gzip = await request.body(), compression == "gzip"
    try:
        tally = await on.intake.run(
            lambda: on.receiver.otlp(body, encoding, gzip=gzip, sender=sender(request))
        )
    except ControlPlaneError as error:
        return _refusal(error, encoding)
    return _answer(tally, encoding)


def _answer(tally: Tally, encoding: Encoding) -> Response:
    message = ExportMetricsServiceResponse()
    if tally.rejections:
        message.partial_success.rejected_data_points = tally.rejections.total
        message.partial_success.error_message = str(tally.rejections)[:_LONGEST_MESSAGE]
    if encoding is Encoding.JSON:
        return Response(MessageToJson(message), media_type=encoding)
    return Response(message.SerializeToString(), media_type=encoding)


def _refusal(error: ControlPlaneError, encoding: Encoding) -> Response:
    kind = kind_of(error)
    response = _status(
        400 if isinstance(error, InvalidInput) else kind.status, str(error), encoding
    )
    if isinstance(error, Overloaded):
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def _status(status: int, message: str, encoding: Encoding) -> Response:
    """Return google.rpc.Status, as OTLP wants errors to be."""
    fields = {"code": _CODES.get(status, 2), "message": message[:_LONGEST_MESSAGE]}
    if encoding is Encoding.JSON:
        return Response(json.dumps(fields), status, media_type=encoding)
    body = message_class("Status")(**fields).SerializeToString()
    return Response(body, status, media_type=encoding)
