"""What a stand-in received, and how a person would read it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

_LINK: Final = re.compile(r"<([^|>]+)\|([^>]+)>")
_BOLD: Final = re.compile(r"\*([^*\n]+)\*")
_DATE: Final = re.compile(r"<!date\^[^|>]*\|([^>]+)>")
_EMOJI: Final = {
    "white_check_mark": "✅",
    "rotating_light": "🚨",
    "repeat": "🔁",
    "red_circle": "🔴",
    "large_green_circle": "🟢",
    "eyes": "👀",
    "no_bell": "🔕",
    "bell": "🔔",
}


class Action(StrEnum):
    """What a message did at its service."""

    POSTED = "posted"
    UPDATED = "updated"
    REPLIED = "replied in thread"
    UPLOADED = "uploaded"
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
        lines += _pagerduty(message)
    else:
        lines += _webhook(message.body)
    return "\n".join(lines)


def _slack(body: Mapping[str, Any]) -> list[str]:
    attachments = body.get("attachments") or []
    # The text stands for the attachments on phones; beside them it is not shown twice.
    lines = [] if attachments else _mrkdwn(str(body.get("text", "")))
    for attachment in attachments:
        bar = {"good": "🟩", "warning": "🟨", "danger": "🟥"}.get(attachment.get("color", ""), "▌")
        shown = _blocks(attachment.get("blocks") or [])
        shown += [attachment.get("pretext", ""), attachment.get("title", "")]
        shown += _mrkdwn(str(attachment.get("text", "")))
        shown += [f"{f['title']}: {f['value']}" for f in attachment.get("fields") or []]
        shown.append(attachment.get("footer", ""))
        lines += [f"{bar} {line}" for line in shown if line]
    return lines


def _blocks(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the texts of blocks as plain lines, buttons in brackets in a line of their own."""
    lines: list[str] = []
    for block in blocks:
        texts = [block.get("text") or {}, *block.get("fields", ())]
        if block["type"] == "context":
            texts += block["elements"]
        for text in texts:
            lines += _mrkdwn(str(text.get("text", "")))
        if block["type"] == "actions":
            lines.append(" ".join(f"[{button['text']['text']}]" for button in block["elements"]))
    return lines


def _mrkdwn(text: str) -> list[str]:
    """Return Slack's markup as plain lines, each link on a line of its own below its text."""
    for code, sign in _EMOJI.items():
        text = text.replace(f":{code}:", sign)
    text = _DATE.sub(r"\1", text)
    lines: list[str] = []
    for line in text.splitlines():
        words = _BOLD.sub(r"\1", _LINK.sub("", line)).rstrip(" ·")
        links = [f"  {label}: {url}" for url, label in _LINK.findall(line)]
        lines += [words, *links] if words else links
    return lines


def _pagerduty(message: Received) -> list[str]:
    body = message.body
    payload = body.get("payload") or {}
    state = "resolved" if message.action is Action.RESOLVED else payload.get("severity", "")
    lines = [
        f"{str(state).upper()}: {payload.get('summary', '')}",
        f"source {payload.get('source', '')}",
    ]
    links = body.get("links") or []
    return lines + [f"  {link.get('text', 'link')}: {link['href']}" for link in links]


def _webhook(body: Mapping[str, Any]) -> list[str]:
    alerts = body.get("alerts") or []
    labels = body.get("groupLabels") or {}
    return [f"{body.get('status', '')}: {len(alerts)} alerts, group {dict(labels)}"]
