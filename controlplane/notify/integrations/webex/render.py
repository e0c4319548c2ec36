"""Webex messages: markdown, within Webex' limit."""

from typing import Any, Final

from controlplane.notify.integrations.webex.options import WebexConfig
from controlplane.notify.rendering import Render, truncate_bytes

MAX_BYTES: Final = 7_439


def message(config: WebexConfig, render: Render) -> dict[str, Any]:
    """Return the body of one message."""
    body = {"markdown": truncate_bytes(render(config.message), MAX_BYTES)}
    room = render(config.room_id)
    return {**body, "roomId": room} if room else body
