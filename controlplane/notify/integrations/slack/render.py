"""Slack messages: one attachment with a coloured bar, within Slack's limits."""

from dataclasses import replace
from typing import Any, Final

from controlplane.model.alert import AlertStatus
from controlplane.notify.message import Notification
from controlplane.notify.options import SlackAction, SlackConfig
from controlplane.notify.rendering import Render, Templates, truncate

# Slack cuts, folds or refuses what is longer.
MAX_TITLE: Final = 1_024
MAX_TEXT: Final = 8_000
MAX_MESSAGE: Final = 40_000
MAX_FIELD: Final = 2_000
MAX_FIELDS: Final = 10
MAX_ACTIONS: Final = 5
_MAX_FOOTER: Final = 300
_HISTORY: Final = '{{ template "slack.default.history" . }}'


def message(config: SlackConfig, render: Render) -> dict[str, Any]:
    """Return the arguments of a message, but for its channel."""
    optional = {
        "text": truncate(render(config.message_text), MAX_MESSAGE),
        "username": render(config.username),
        "icon_emoji": render(config.icon_emoji),
        "icon_url": render(config.icon_url),
        "link_names": config.link_names,
    }
    given = {name: value for name, value in optional.items() if value}
    return {**given, "attachments": [_attachment(config, render)]}


def history(notification: Notification, templates: Templates) -> str:
    """Return what to say in the thread: the alerts that changed since the last message."""
    known = notification.delivered.firing if notification.delivered else frozenset()
    content = notification.content
    changed = tuple(
        alert
        for alert in content.alerts
        if (content.status_of(alert) is AlertStatus.FIRING) != (alert.fingerprint in known)
    )
    about = replace(notification, content=replace(content, alerts=changed))
    return truncate(templates.renderer(about)(_HISTORY), MAX_MESSAGE)


def _attachment(config: SlackConfig, render: Render) -> dict[str, Any]:
    optional = {
        "title_link": render(config.title_link),
        "pretext": truncate(render(config.pretext), MAX_TEXT),
        "callback_id": render(config.callback_id),
        "image_url": render(config.image_url),
        "thumb_url": render(config.thumb_url),
        "footer": truncate(render(config.footer), _MAX_FOOTER),
        "color": render(config.color),
        "fields": _fields(config, render),
        "actions": [_action(action, render) for action in config.actions[:MAX_ACTIONS]],
    }
    given = {name: value for name, value in optional.items() if value}
    return {
        "title": truncate(render(config.title), MAX_TITLE),
        "text": truncate(render(config.text), MAX_TEXT),
        "fallback": truncate(render(config.fallback), MAX_TITLE),
        "mrkdwn_in": list(config.mrkdwn_in),
        **given,
    }


def _fields(config: SlackConfig, render: Render) -> list[dict[str, Any]]:
    return [
        {
            "title": truncate(render(field.title), MAX_FIELD),
            "value": truncate(render(field.value), MAX_FIELD),
            "short": config.short_fields if field.short is None else field.short,
        }
        for field in config.fields[:MAX_FIELDS]
    ]


def _action(action: SlackAction, render: Render) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": render(action.type),
        "text": render(action.text),
        "style": render(action.style),
    }
    if action.url:
        described["url"] = render(action.url)
    else:
        described |= {"name": render(action.name), "value": render(action.value)}
        if action.confirm is not None:
            described["confirm"] = {
                "title": render(action.confirm.title),
                "text": render(action.confirm.text),
                "ok_text": render(action.confirm.ok_text),
                "dismiss_text": render(action.confirm.dismiss_text),
            }
    return {name: value for name, value in described.items() if value}
