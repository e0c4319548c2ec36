"""Bodies of OTLP/HTTP: protobuf or JSON, gzip or plain, within a bound."""

import json
import zlib
from enum import StrEnum
from typing import Final

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from controlplane.errors import InvalidInput, TooLarge

# Adds the detection of gzip's head to the largest window of zlib.
_GZIP: Final = 31


class Encoding(StrEnum):
    """How messages are written."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def unzip(body: bytes, most: int) -> bytes:
    """Return what a gzip body holds. Raises InvalidInput, TooLarge."""
    decompressor = zlib.decompressobj(_GZIP)
    try:
        plain = decompressor.decompress(body, most + 1)
    except zlib.error as error:
        raise InvalidInput(f"the body is no gzip: {error}") from None
    if len(plain) > most:
        raise TooLarge(f"the body decompressed is over the limit of {most} bytes")
    if not decompressor.eof:
        raise InvalidInput("the gzip body ends too early")
    return plain


def read(body: bytes, encoding: Encoding) -> ExportMetricsServiceRequest:
    """Return the request in a body. Raises InvalidInput.

    In JSON, unknown fields are skipped. Trace ids stand there in hexadecimal,
    which decodes as other bytes: exemplars are not looked at.
    """
    try:
        if encoding is Encoding.PROTOBUF:
            return ExportMetricsServiceRequest.FromString(body)
        fields = json.loads(body)
        if not isinstance(fields, dict):
            raise InvalidInput("the body is not a JSON object")
        return ParseDict(fields, ExportMetricsServiceRequest(), ignore_unknown_fields=True)
    except (DecodeError, ParseError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the body cannot be decoded: {error}") from None
