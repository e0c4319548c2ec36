"""Attributes of OTLP as labels."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from controlplane.ingest.otlp.names import label_name
from controlplane.model.labels import METRIC_NAME
from controlplane.promql.numbers import format_value

# What `job` and `instance` are made of, and nothing else.
IDENTIFYING: Final = ("service.namespace", "service.name", "service.instance.id")


def labels_of(attributes: Iterable[KeyValue], *, without: Iterable[str] = ()) -> dict[str, str]:
    """Return labels; values of names that become the same are put together by `;`.

    Raises InvalidInput for a name of which nothing is left.
    """
    skipped = {METRIC_NAME, *without}
    labels: dict[str, str] = {}
    for key, value in sorted((each.key, text_of(each.value)) for each in attributes):
        if key in skipped or not value:
            continue
        name = label_name(key)
        labels[name] = f"{labels[name]};{value}" if name in labels else value
    return labels


def identity(attributes: Iterable[KeyValue]) -> Mapping[str, str]:
    """Return `job` and `instance` of a resource, as far as it says them."""
    found = {each.key: text_of(each.value) for each in attributes if each.key in IDENTIFYING}
    labels = {}
    if "service.name" in found:
        space = found.get("service.namespace")
        name = found["service.name"]
        labels["job"] = name if space is None else f"{space}/{name}"
    if "service.instance.id" in found:
        labels["instance"] = found["service.instance.id"]
    return labels


def text_of(value: AnyValue) -> str:
    """Return a value as text; lists and maps as JSON."""
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return "" if plain is None else json.dumps(plain, separators=(",", ":"))
    return str(plain) if isinstance(plain, int) else format_value(plain)


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: _plain(each.value) for each in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return None if kind is None else getattr(value, kind)
