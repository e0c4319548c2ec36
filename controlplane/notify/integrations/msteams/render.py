"""Message cards: a title over a text in markdown, with a coloured line."""

from typing import Any, Final

from controlplane.model.alert import AlertStatus
from controlplane.notify.integrations.msteams.options import MSTeamsConfig
from controlplane.notify.rendering import Render

_COLORS: Final = {AlertStatus.FIRING: "8C1A1A", AlertStatus.RESOLVED: "2DC72D"}


def card(config: MSTeamsConfig, status: AlertStatus, render: Render) -> dict[str, Any]:
    """Return one card."""
    return {
        "@context": "http://schema.org/extensions",
        "type": "MessageCard",
        "title": render(config.title),
        "summary": render(config.summary),
        "text": render(config.text),
        "themeColor": _COLORS[status],
    }
