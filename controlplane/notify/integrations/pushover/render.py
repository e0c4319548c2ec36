"""Pushover messages, within Pushover's limits."""

from typing import Final

from controlplane.notify.integrations.pushover.options import PushoverConfig
from controlplane.notify.rendering import Render, truncate

MAX_TITLE: Final = 250
MAX_MESSAGE: Final = 1_024
MAX_URL: Final = 512


def message(config: PushoverConfig, render: Render) -> dict[str, str]:
    """Return the fields of a message, but for who sends it and who gets it."""
    text = truncate(render(config.message, html=config.html), MAX_MESSAGE).strip()
    style = {"html": config.html, "monospace": config.monospace}
    fields = {
        "title": truncate(render(config.title), MAX_TITLE),
        "message": text or "(no details)",  # an empty one is refused
        "url": truncate(render(config.url), MAX_URL),
        "url_title": render(config.url_title),
        "priority": render(config.priority),
        "retry": str(config.retry // 1000),
        "expire": str(config.expire // 1000),
        "device": render(config.device),
        "sound": render(config.sound),
        **{name: "1" for name, wanted in style.items() if wanted},
    }
    return {**fields, "ttl": str(config.ttl // 1000)} if config.ttl >= 1000 else fields
