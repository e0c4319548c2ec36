"""Adaptive cards: a coloured title over a text in markdown."""

from typing import Any, Final

from controlplane.model.alert import AlertStatus
from controlplane.notify.integrations.msteamsv2.options import MSTeamsV2Config
from controlplane.notify.rendering import Render

_COLORS: Final = {AlertStatus.FIRING: "Attention", AlertStatus.RESOLVED: "Good"}


def message(config: MSTeamsV2Config, status: AlertStatus, render: Render) -> dict[str, Any]:
    """Return a message with one card."""
    title = {
        "type": "TextBlock",
        "text": render(config.title),
        "weight": "Bolder",
        "size": "Medium",
        "wrap": True,
        "style": "heading",
        "color": _COLORS[status],
    }
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [title, {"type": "TextBlock", "text": render(config.text), "wrap": True}],
        "msteams": {"width": "full"},
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}
