"""What a stand-in received, and how a person would read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What a message did at its service."""

    POSTED = "posted"
    UPDATED = "updated"
    REPLIED = "replied in thread"
    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CHANGED = "change event"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Received:
    """One message that the service accepted. `where` is a channel, an incident key, a path."""

    service: str
    action: Action
    where: str
    body: Mapping[str, Any] = field(repr=False)


def render_for_person(message: Received) -> str:
    """Return the message as its reader would see it, some lines of plain text."""
    lines = [f"{message.service} · {message.action} · {message.where}"]
    if message.service == "slack":
        lines += _slack(message.body)
    elif message.service == "pagerduty":
        lines += _pagerduty(message.body)
    else:
        lines += _webhook(message.body)
    return "\n".join(lines)


def _slack(body: Mapping[str, Any]) -> list[str]:
    attachments = body.get("attachments") or []
    # The text stands for the attachments on phones; beside them it is not shown twice.
    lines = [] if attachments else str(body.get("text", "")).splitlines()
    for attachment in attachments:
        bar = {"good": "🟩", "warning": "🟨", "danger": "🟥"}.get(attachment.get("color", ""), "▌")
        shown = [attachment.get("pretext", ""), attachment.get("title", "")]
        shown += str(attachment.get("text", "")).splitlines()
        shown += [f"{f['title']}: {f['value']}" for f in attachment.get("fields") or []]
        shown.append(attachment.get("footer", ""))
        lines += [f"{bar} {line}" for line in shown if line]
    return lines


def _pagerduty(body: Mapping[str, Any]) -> list[str]:
    payload = body.get("payload") or {}
    lines = [
        f"{str(payload.get('severity', '')).upper()}: {payload.get('summary', '')}",
        f"source {payload.get('source', '')}",
    ]
    return lines + [f"{link.get('text', 'link')}: {link['href']}" for link in body.get("links", [])]


def _webhook(body: Mapping[str, Any]) -> list[str]:
    alerts = body.get("alerts") or []
    labels = body.get("groupLabels") or {}
    return [f"{body.get('status', '')}: {len(alerts)} alerts, group {dict(labels)}"]
