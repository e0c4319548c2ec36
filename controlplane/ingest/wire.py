"""Protobuf messages of remote write, declared here and built at the first use.

Labels and samples are declared as `bytes` although they are messages: both
look alike on the wire. The label set's encoding is then the key under which
its series is remembered, and samples are decoded in columns (`columns.py`).
What is not declared is skipped by the decoder.
"""

from collections.abc import Sequence
from typing import Final

from controlplane.model.messages import Messages, Schema

_ONE, _MANY = False, True

# Numbers from prometheus/prompb: remote.proto, types.proto, io/prometheus/write/v2/types.proto.
_SCHEMA: Final[Schema] = {
    "Label": {"name": (1, "string", _ONE), "value": (2, "string", _ONE)},
    "Sample": {"value": (1, "double", _ONE), "timestamp": (2, "int64", _ONE)},
    "BucketSpan": {"offset": (1, "sint32", _ONE), "length": (2, "uint32", _ONE)},
    # Of whole and fractional counts one is there, the other zero.
    "Histogram": {
        "count_int": (1, "uint64", _ONE),
        "count_float": (2, "double", _ONE),
        "sum": (3, "double", _ONE),
        "schema": (4, "sint32", _ONE),
        "zero_threshold": (5, "double", _ONE),
        "zero_count_int": (6, "uint64", _ONE),
        "zero_count_float": (7, "double", _ONE),
        "negative_spans": (8, "BucketSpan", _MANY),
        "negative_deltas": (9, "sint64", _MANY),
        "negative_counts": (10, "double", _MANY),
        "positive_spans": (11, "BucketSpan", _MANY),
        "positive_deltas": (12, "sint64", _MANY),
        "positive_counts": (13, "double", _MANY),
        "reset_hint": (14, "int32", _ONE),
        "timestamp": (15, "int64", _ONE),
        "custom_values": (16, "double", _MANY),
    },
    "MetricMetadata": {
        "type": (1, "int32", _ONE),
        "metric_family_name": (2, "string", _ONE),
        "help": (4, "string", _ONE),
        "unit": (5, "string", _ONE),
    },
    "TimeSeries": {
        "labels": (1, "bytes", _MANY),
        "samples": (2, "bytes", _MANY),
        "exemplars": (3, "bytes", _MANY),
        "histograms": (4, "bytes", _MANY),
    },
    "WriteRequest": {
        "timeseries": (1, "TimeSeries", _MANY),
        "metadata": (3, "MetricMetadata", _MANY),
    },
    "Metadata2": {
        "type": (1, "int32", _ONE),
        "help_ref": (3, "uint32", _ONE),
        "unit_ref": (4, "uint32", _ONE),
    },
    # WriteRequest, its series left encoded.
    "EncodedRequest": {
        "timeseries": (1, "bytes", _MANY),
        "metadata": (3, "MetricMetadata", _MANY),
    },
    "TimeSeries2": {
        "labels_refs": (1, "uint32", _MANY),
        "samples": (2, "bytes", _MANY),
        "histograms": (3, "bytes", _MANY),
        "exemplars": (4, "bytes", _MANY),
        "metadata": (5, "Metadata2", _ONE),
    },
    # google.rpc.Status, in which OTLP tells of errors.
    "Status": {"code": (1, "int32", _ONE), "message": (2, "string", _ONE)},
    "Request2": {"symbols": (4, "string", _MANY), "timeseries": (5, "TimeSeries2", _MANY)},
}

# `MetricMetadata.MetricType`, by number; the same in both versions.
METRIC_TYPES: Final[Sequence[str]] = (
    "unknown",
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
)


_MESSAGES: Final = Messages("controlplane.ingest", _SCHEMA)
message_class = _MESSAGES.message_class
decode = _MESSAGES.decode


def metric_type(number: int) -> str:
    """Return the name of a metric type."""
    return METRIC_TYPES[number] if 0 <= number < len(METRIC_TYPES) else METRIC_TYPES[0]
