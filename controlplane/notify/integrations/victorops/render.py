"""VictorOps events, within VictorOps' limits."""

from typing import Final

from controlplane.model.alert import AlertStatus
from controlplane.notify.integrations.posting import dedup_key
from controlplane.notify.integrations.victorops.options import VictoropsConfig
from controlplane.notify.message import Notification
from controlplane.notify.rendering import Render, truncate

MAX_STATE_MESSAGE: Final = 20_480
_TRIGGERS: Final = frozenset({"INFO", "WARNING", "CRITICAL"})


def event(notification: Notification, config: VictoropsConfig, render: Render) -> dict[str, str]:
    """Return the body of one event."""
    return {
        "message_type": _message_type(notification, config, render),
        "entity_id": dedup_key(notification.key),
        "entity_display_name": render(config.entity_display_name),
        "state_message": truncate(render(config.state_message), MAX_STATE_MESSAGE),
        "monitoring_tool": render(config.monitoring_tool),
        **{name: render(text) for name, text in config.custom_fields.items()},
    }


def _message_type(notification: Notification, config: VictoropsConfig, render: Render) -> str:
    if notification.status is AlertStatus.RESOLVED:
        return "RECOVERY"
    wanted = render(config.message_type)
    return wanted if wanted in _TRIGGERS else "CRITICAL"
