"""Discord messages: one embed with a coloured bar, within Discord's limits."""

from typing import Any, Final

from controlplane.model.alert import AlertStatus
from controlplane.notify.integrations.discord.options import DiscordConfig
from controlplane.notify.rendering import Render, truncate

# Characters; Discord refuses a message in which one part has more.
MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 4_096
MAX_CONTENT: Final = 2_000
_COLORS: Final = {AlertStatus.FIRING: 0x992D22, AlertStatus.RESOLVED: 0x2ECC71}


def message(config: DiscordConfig, status: AlertStatus, render: Render) -> dict[str, Any]:
    """Return the body of one message."""
    embed = {
        "title": truncate(render(config.title), MAX_TITLE),
        "description": truncate(render(config.message), MAX_DESCRIPTION),
        "color": _COLORS[status],
    }
    named = {"username": config.username, "avatar_url": config.avatar_url}
    return {
        "content": truncate(render(config.content), MAX_CONTENT),
        "embeds": [embed],
        **{name: value for name, value in named.items() if value},
    }
