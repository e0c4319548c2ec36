"""PagerDuty events, within the limits of the Events API v2."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from controlplane.model.alert import AlertStatus
from controlplane.notify.integrations.pagerduty.options import (
    DEFAULT_DETAILS,
    PagerdutyConfig,
    PagerdutyLink,
)
from controlplane.notify.integrations.posting import dedup_key
from controlplane.notify.message import Notification
from controlplane.notify.rendering import Render, render_tree, truncate

MAX_SUMMARY: Final = 1_024
MAX_EVENT: Final = 512_000
_SOURCE: Final = '{{ template "pagerduty.default.source" . }}'
_DEFAULT_LINKS: Final = (
    PagerdutyLink('{{ template "pagerduty.default.runbook" . }}', "runbook"),
    PagerdutyLink('{{ template "pagerduty.default.dashboard" . }}', "dashboard"),
    PagerdutyLink('{{ template "pagerduty.default.query" . }}', "query"),
    PagerdutyLink('{{ template "pagerduty.default.clientURL" . }}', "story"),
)
_SEVERITIES: Final = frozenset({"critical", "error", "warning", "info"})


def event(
    notification: Notification, config: PagerdutyConfig, routing_key: str, render: Render
) -> bytes:
    """Return the body of a trigger, or of a resolve once nothing fires.

    Details that would make it too large are left out, and said to be.
    """
    body = _event(notification, config, routing_key, render)
    encoded = json.dumps(body, ensure_ascii=False).encode()
    if len(encoded) <= MAX_EVENT:
        return encoded
    body["payload"]["custom_details"] = {
        "error": f"the details were left out: the event had {len(encoded)} bytes, "
        f"of which PagerDuty takes {MAX_EVENT}",
        "num_firing": render(str(DEFAULT_DETAILS["num_firing"])),
        "num_resolved": render(str(DEFAULT_DETAILS["num_resolved"])),
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _event(
    notification: Notification, config: PagerdutyConfig, routing_key: str, render: Render
) -> dict[str, Any]:
    firing = notification.status is AlertStatus.FIRING
    client = render(config.client)
    source = render(config.source or _SOURCE) or client or notification.receiver
    optional = {
        "class": render(config.class_),
        "component": render(config.component),
        "group": render(config.group),
    }
    return {
        "routing_key": routing_key,
        "event_action": "trigger" if firing else "resolve",
        "dedup_key": dedup_key(notification.key),
        "client": client,
        "client_url": render(config.client_url),
        "links": _present(
            "href",
            [
                {"href": render(i.href), "text": render(i.text)}
                for i in config.links or _DEFAULT_LINKS
            ],
        ),
        "images": _present(
            "src",
            [
                {"src": render(i.src), "alt": render(i.alt), "href": render(i.href)}
                for i in config.images
            ],
        ),
        "payload": {
            "summary": truncate(render(config.description), MAX_SUMMARY) or "(no summary)",
            "source": truncate(source, MAX_SUMMARY),
            "severity": _severity(notification, config, render),
            "custom_details": render_tree({**DEFAULT_DETAILS, **config.details}, render),
            **{name: value for name, value in optional.items() if value},
        },
    }


def _severity(notification: Notification, config: PagerdutyConfig, render: Render) -> str:
    """Return the configured severity, else the alerts' own where PagerDuty knows it."""
    if config.severity:
        return render(config.severity)
    shared = {alert.labels.value("severity") for alert in notification.content.alerts}
    return shared.pop() if len(shared) == 1 and shared <= _SEVERITIES else "error"


def _present(key: str, items: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the items that have what they need, without empty fields."""
    return [{name: text for name, text in item.items() if text} for item in items if item[key]]
