"""Slack messages: one attachment with a coloured bar, within Slack's limits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from controlplane.model.alert import AlertStatus
from controlplane.notify.integrations.slack.options import SlackAction, SlackConfig
from controlplane.notify.message import Notification
from controlplane.notify.rendering import Render, Templates, truncate

# Slack cuts, folds or refuses what is longer.
MAX_TITLE: Final = 1_024
MAX_TEXT: Final = 8_000
MAX_MESSAGE: Final = 40_000
MAX_FIELD: Final = 2_000
MAX_FIELDS: Final = 10
MAX_ACTIONS: Final = 5
_MAX_FOOTER: Final = 300
_HISTORY: Final = '{{ template "controlplane.slack.history" . }}'


def cut(config: SlackConfig) -> int:
    """Return how many fields and actions there is no room for."""
    fits = len(config.fields) <= MAX_FIELDS
    fields = 0 if fits else len(config.fields) - MAX_FIELDS + 1
    return fields + _over(config.actions, MAX_ACTIONS)


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
        "text": _text(config, render),
        "fallback": truncate(render(config.fallback), MAX_TITLE),
        "mrkdwn_in": list(config.mrkdwn_in),
        **given,
    }


def _text(config: SlackConfig, render: Render) -> str:
    missing = _over(config.actions, MAX_ACTIONS)
    note = f"\n… and {missing} more actions" if missing else ""
    return truncate(render(config.text), MAX_TEXT - len(note)) + note


def _over(items: Sequence[object], most: int) -> int:
    return max(0, len(items) - most)


def _fields(config: SlackConfig, render: Render) -> list[dict[str, Any]]:
    """Return the fields; where they are too many, the last says how many are missing."""
    fits = len(config.fields) <= MAX_FIELDS
    shown = config.fields if fits else config.fields[: MAX_FIELDS - 1]
    missing = len(config.fields) - len(shown)
    more = {"title": "…", "value": f"and {missing} more fields", "short": True}
    fields = [
        {
            "title": truncate(render(field.title), MAX_FIELD),
            "value": truncate(render(field.value), MAX_FIELD),
            "short": config.short_fields if field.short is None else field.short,
        }
        for field in shown
    ]
    return fields if fits else [*fields, more]


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
