"""The group as incident.io takes it: Alertmanager's JSON, within a limit."""

import json
from collections.abc import Mapping
from typing import Any, Final

from controlplane.notify.integrations.payload import payload
from controlplane.notify.message import Notification

MAX_BYTES: Final = 512 * 1024


def body(
    notification: Notification,
    *,
    max_alerts: int,
    external_url: str,
    route_labels: Mapping[str, str],
) -> tuple[bytes, int]:
    """Return the body, and how many alerts there was no room for.

    A body over the limit keeps its first alert only: incident.io makes one
    incident of a group, whatever number it is told of.
    """
    whole = payload(
        notification,
        version="1",
        max_alerts=max_alerts,
        external_url=external_url,
        route_labels=route_labels,
    )
    encoded = _encode(whole)
    if len(encoded) <= MAX_BYTES:
        return encoded, whole["truncatedAlerts"]
    left_out = len(whole["alerts"]) - 1
    missing = whole["truncatedAlerts"] + left_out
    return _encode({**whole, "alerts": whole["alerts"][:1], "truncatedAlerts": missing}), missing


def _encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
