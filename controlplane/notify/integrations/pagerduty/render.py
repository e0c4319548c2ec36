"""PagerDuty events, within the limits of the Events API v2."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controlplane.model.alert import AlertStatus
from controlplane.model.duration import format_time
from controlplane.notify.changes import Change
from controlplane.notify.errors import TooLarge
from controlplane.notify.integrations.pagerduty.options import (
    DEFAULT_DETAILS,
    PagerdutyConfig,
    PagerdutyLink,
)
from controlplane.notify.integrations.posting import dedup_key
from controlplane.notify.message import Notification
from controlplane.notify.rendering import Render, render_tree, truncate

MAX_SUMMARY: Final = 1_024
MAX_FIELD: Final = 1_024
MAX_EVENT: Final = 512_000
_SOURCE: Final = '{{ template "controlplane.pagerduty.source" . }}'
_DEFAULT_LINKS: Final = (
    PagerdutyLink('{{ template "controlplane.pagerduty.runbook" . }}', "runbook"),
    PagerdutyLink('{{ template "controlplane.pagerduty.dashboard" . }}', "dashboard"),
    PagerdutyLink('{{ template "controlplane.pagerduty.graph" . }}', "graph"),
    PagerdutyLink('{{ template "controlplane.pagerduty.story" . }}', "story"),
    PagerdutyLink('{{ template "controlplane.pagerduty.silence" . }}', "silence"),
)
_SEVERITIES: Final = frozenset({"critical", "error", "warning", "info"})


@dataclass(frozen=True, slots=True)
class Event:
    """The body of an event, and how many of its parts there was no room for."""

    body: bytes
    cut: int = 0


def event(
    notification: Notification, config: PagerdutyConfig, routing_key: str, render: Render
) -> Event:
    """Return a trigger, or a resolve once nothing fires.

    What would make it too large is left out, and said to be: first the
    details, then links and pictures.
    """
    body = _event(notification, config, routing_key, render)
    try:
        details = render_tree({**DEFAULT_DETAILS, **config.details}, render)
        body["payload"]["custom_details"] = details
        encoded = _encoded(body)
        if len(encoded) <= MAX_EVENT:
            return Event(encoded)
        size = f"{len(encoded)} bytes"
    except TooLarge:
        size = "far more bytes"
    body["payload"]["custom_details"] = {
        "error": f"the details were left out: the event had {size}, "
        f"of which PagerDuty takes {MAX_EVENT}",
        "num_firing": render(str(DEFAULT_DETAILS["num_firing"])),
        "num_resolved": render(str(DEFAULT_DETAILS["num_resolved"])),
    }
    shorter = _encoded(body)
    if len(shorter) <= MAX_EVENT:
        return Event(shorter, cut=1)
    left_out = len(body["links"]) + len(body["images"])
    body |= {"links": [], "images": []}
    return Event(_encoded(body), cut=1 + left_out)


def acknowledgement(notification: Notification, routing_key: str) -> bytes:
    """Return the event that says that somebody has taken the incident on."""
    return _encoded(
        {
            "routing_key": routing_key,
            "event_action": "acknowledge",
            "dedup_key": dedup_key(notification.key),
        }
    )


def change_event(change: Change, routing_key: str, external_url: str) -> bytes:
    """Return the event that tells a service of a change."""
    return _encoded(
        {
            "routing_key": routing_key,
            "payload": {
                "summary": truncate(change.summary, MAX_SUMMARY),
                "source": truncate(external_url, MAX_SUMMARY),
                "timestamp": format_time(change.at),
                "custom_details": dict(change.details),
            },
            "links": [{"href": external_url, "text": "controlplane"}],
        }
    )


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _event(
    notification: Notification, config: PagerdutyConfig, routing_key: str, render: Render
) -> dict[str, Any]:
    """Return an event without its details."""
    firing = notification.status is AlertStatus.FIRING
    client = render(config.client)
    source = render(config.source or _SOURCE) or client or notification.receiver
    optional = {
        "class": truncate(render(config.class_), MAX_FIELD),
        "component": truncate(render(config.component), MAX_FIELD),
        "group": truncate(render(config.group), MAX_FIELD),
    }
    return {
        "routing_key": routing_key,
        "event_action": "trigger" if firing else "resolve",
        "dedup_key": dedup_key(notification.key),
        "client": truncate(client, MAX_FIELD),
        "client_url": render(config.client_url),
        "links": _present(
            "href",
            [
                {"href": render(i.href), "text": truncate(render(i.text), MAX_FIELD)}
                for i in config.links or _DEFAULT_LINKS
            ],
        ),
        "images": _present(
            "src",
            [
                {
                    "src": render(i.src),
                    "alt": truncate(render(i.alt), MAX_FIELD),
                    "href": render(i.href),
                }
                for i in config.images
            ],
        ),
        "payload": {
            "summary": truncate(render(config.description), MAX_SUMMARY) or "(no summary)",
            "source": truncate(source, MAX_SUMMARY),
            "severity": _severity(notification, config, render),
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
