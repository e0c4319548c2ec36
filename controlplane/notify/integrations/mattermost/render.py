"""Mattermost messages, within its limit, with a priority that it takes."""

from typing import Any, Final

from controlplane.notify.integrations.mattermost.options import (
    ATTACHMENT_TEXTS,
    MattermostAttachment,
    MattermostConfig,
    MattermostField,
    MattermostPriority,
)
from controlplane.notify.rendering import Render, truncate

MAX_TEXT: Final = 16_383
_URGENT: Final = "urgent"
_STANDARD: Final = "standard"
_PRIORITIES: Final = (_URGENT, "important", _STANDARD)


def message(config: MattermostConfig, render: Render) -> dict[str, Any]:
    """Return the body of one message; what is empty is left out."""
    own = config.attachments
    return _given(
        text=truncate(render(config.text), MAX_TEXT) if own else "",
        channel=render(config.channel),
        username=render(config.username),
        icon_url=render(config.icon_url),
        icon_emoji=render(config.icon_emoji),
        attachments=[_attachment(each, render) for each in own or (config,)],
        type=render(config.type),
        props={"card": render(config.props.card)} if config.props and config.props.card else None,
        priority=_priority(config.priority, render) if config.priority else None,
    )


def _attachment(
    attachment: MattermostAttachment | MattermostConfig, render: Render
) -> dict[str, Any]:
    texts = {name: render(getattr(attachment, name)) for name in ATTACHMENT_TEXTS}
    return _given(**texts, fields=[_field(field, render) for field in attachment.fields])


def _field(field: MattermostField, render: Render) -> dict[str, Any]:
    shown = _given(title=render(field.title), value=render(field.value))
    return shown if field.short is None else {**shown, "short": field.short}


def _priority(config: MattermostPriority, render: Render) -> dict[str, Any] | None:
    """Return what Mattermost takes: it refuses a message that asks for more than it may."""
    if not config.priority:
        return None
    level = render(config.priority).lower()
    level = level if level in _PRIORITIES else _STANDARD
    return {
        "priority": level,
        **_given(
            requested_ack=config.requested_ack and level != _STANDARD,
            persistent_notifications=config.persistent_notifications and level == _URGENT,
        ),
    }


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
