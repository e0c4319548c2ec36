"""What Slack posts to the interactivity URL of an app when somebody clicks a button."""

import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Press:
    """A request as Slack sends it: post `body` with `headers` to the interactivity URL."""

    payload: Mapping[str, Any]
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def on(
        cls,
        shown: Mapping[str, Any],
        channel: str,
        ts: str,
        action_id: str,
        user: str,
        at: float,
    ) -> "Press":
        """Return a click on the button of a message. Raises LookupError without such a button."""
        button = next((b for b in _buttons(shown) if b.get("action_id") == action_id), None)
        if button is None:
            raise LookupError(f"the message has no button {action_id!r}")
        action = {
            "type": "button",
            "action_id": action_id,
            "block_id": "actions",
            "text": button["text"],
            "value": button.get("value", ""),
            "action_ts": f"{at:.6f}",
        }
        return cls.of(
            {
                "type": "block_actions",
                "user": {"id": f"U{user.upper()}", "username": user, "team_id": "T000"},
                "team": {"id": "T000", "domain": "stand-in"},
                "container": {"type": "message", "message_ts": ts, "channel_id": channel},
                "channel": {"id": channel, "name": "alerts"},
                "actions": [action],
            }
        )

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "Press":
        """Return any payload, not signed yet."""
        return cls(payload, urlencode({"payload": json.dumps(payload)}).encode())

    def signed(self, secret: str, timestamp: int) -> "Press":
        """Return it signed with the secret of an app, at a time in seconds."""
        base = f"v0:{timestamp}:".encode() + self.body
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": f"v0={hmac.new(secret.encode(), base, sha256).hexdigest()}",
        }
        return replace(self, headers=headers)


def _buttons(shown: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for holder in (shown, *(shown.get("attachments") or ())):
        for block in holder.get("blocks") or ():
            if block.get("type") == "actions":
                yield from block["elements"]
