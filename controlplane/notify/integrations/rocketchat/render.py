"""Rocket.Chat messages: one attachment with a coloured bar."""

from typing import Any, Final

from controlplane.notify.integrations.rocketchat.options import (
    RocketchatAction,
    RocketchatConfig,
    RocketchatField,
)
from controlplane.notify.rendering import Render, truncate

MAX_TITLE: Final = 1_024


def message(config: RocketchatConfig, render: Render) -> dict[str, Any]:
    """Return the body of one message; what is empty is left out."""
    return {
        **_given(
            channel=render(config.channel),
            emoji=render(config.emoji),
            avatar=render(config.icon_url),
        ),
        "attachments": [_attachment(config, render)],
    }


def _attachment(config: RocketchatConfig, render: Render) -> dict[str, Any]:
    return _given(
        title=truncate(render(config.title), MAX_TITLE),
        title_link=render(config.title_link),
        text=render(config.text),
        image_url=render(config.image_url),
        thumb_url=render(config.thumb_url),
        color=render(config.color),
        fields=[_field(field, config, render) for field in config.fields],
        actions=[_action(action, render) for action in config.actions],
    )


def _field(field: RocketchatField, config: RocketchatConfig, render: Render) -> dict[str, Any]:
    short = config.short_fields if field.short is None else field.short
    return {**_given(title=render(field.title), value=render(field.value)), "short": short}


def _action(action: RocketchatAction, render: Render) -> dict[str, Any]:
    texts = _given(text=render(action.text), url=render(action.url), msg=render(action.msg))
    return {"type": "button", **texts, "is_webview": False, "msg_in_chat_window": False}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
