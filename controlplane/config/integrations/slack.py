"""`slack_configs` (Alertmanager 0.34)."""

from functools import partial
from typing import Any

from controlplane.config.globals import GlobalOptions
from controlplane.config.http_client import HTTP_CLIENT
from controlplane.config.kinds import BOOLEAN, GO_DURATION, TEXTS
from controlplane.config.places import SECRET, SECRET_FILE, SECRET_URL, URL
from controlplane.config.schema import Key, Leaf, ListOf, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.slack.options import (
    SlackAction,
    SlackConfig,
    SlackConfirm,
    SlackField,
)


def _slack_confirm(text: Leaf[str]) -> Section[SlackConfirm]:
    return Section(
        "slack_confirm",
        SlackConfirm,
        {
            "text": Key(text, required=True),
            "title": Key(text),
            "ok_text": Key(text),
            "dismiss_text": Key(text),
        },
    )


def _action(**values: Any) -> SlackAction:
    """Leave out what an action with a URL has no use for, as Alertmanager does."""
    if values.get("url"):
        values = {
            key: held for key, held in values.items() if key in ("type", "text", "url", "style")
        }
    return SlackAction(**values)


def _slack_action(text: Leaf[str]) -> Section[SlackAction]:
    return Section(
        "slack_action",
        _action,
        {
            "type": Key(text, required=True),
            "text": Key(text, required=True),
            "url": Key(text),
            "style": Key(text),
            "name": Key(text),
            "value": Key(text),
            "confirm": Key(_slack_confirm(text)),
        },
    )


def _slack_field(text: Leaf[str]) -> Section[SlackField]:
    return Section(
        "slack_field",
        SlackField,
        {
            "title": Key(text, required=True),
            "value": Key(text, required=True),
            "short": Key(BOOLEAN),
        },
    )


def _slack(defaults: GlobalOptions, **values: Any) -> SlackConfig:
    """Fill in what `global` says: its bot token only where nothing here says how to post.

    Its signing secret gives buttons to every bot, but for those told not to
    update their messages.
    """
    client = values.setdefault("http_config", defaults.http_config)
    values.setdefault("app_url", defaults.slack_app_url)
    if "api_url" not in values and "app_token" not in values:
        if defaults.slack_app_token is not None and client.authorization is None:
            values["app_token"] = defaults.slack_app_token
        else:
            values["api_url"] = defaults.slack_api_url
    updates = values.get("update_message")
    if updates or ("app_token" in values and updates is None):
        values.setdefault("signing_secret", defaults.slack_signing_secret)
    return SlackConfig(**values)


def slack_config(defaults: GlobalOptions, check: Check) -> Section[SlackConfig]:
    """Return the section of one entry of `slack_configs`."""
    text = template(check)
    templates = (
        "channel",
        "username",
        "color",
        "title",
        "title_link",
        "pretext",
        "text",
        "message_text",
        "footer",
        "fallback",
        "callback_id",
        "icon_emoji",
        "icon_url",
        "image_url",
        "thumb_url",
    )
    return Section(
        "slack_config",
        partial(_slack, defaults),
        {
            "send_resolved": Key(BOOLEAN),
            "http_config": Key(HTTP_CLIENT),
            "api_url": Key(SECRET_URL),
            "api_url_file": Key(SECRET_FILE, field="api_url"),
            "app_token": Key(SECRET),
            "app_token_file": Key(SECRET_FILE, field="app_token"),
            "app_url": Key(URL),
            "signing_secret": Key(SECRET),
            "signing_secret_file": Key(SECRET_FILE, field="signing_secret"),
            "update_message": Key(BOOLEAN),
            **{name: Key(text) for name in templates},
            "fields": Key(ListOf("a list of fields", _slack_field(text))),
            "short_fields": Key(BOOLEAN),
            "link_names": Key(BOOLEAN),
            "mrkdwn_in": Key(TEXTS),
            "actions": Key(ListOf("a list of actions", _slack_action(text))),
            "timeout": Key(GO_DURATION),
        },
    )
