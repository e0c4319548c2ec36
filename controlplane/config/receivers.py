"""`receivers`: alertmanager.yml's list of whom to tell, and how (Alertmanager 0.34)."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

from controlplane.config.email import email_config
from controlplane.config.globals import GlobalOptions
from controlplane.config.http_client import HTTP_CLIENT
from controlplane.config.kinds import BOOLEAN, GO_DURATION, NATURAL, TEXT, TEXTS, text
from controlplane.config.places import (
    SECRET,
    SECRET_FILE,
    SECRET_URL,
    URL,
    show_inline,
    split_url,
)
from controlplane.config.schema import Key, Leaf, ListOf, MapOf, Section, UniqueList
from controlplane.config.templates import Check, TemplateTree, template
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import Secret
from controlplane.notify.integrations.pagerduty.options import (
    PagerdutyConfig,
    PagerdutyImage,
    PagerdutyLink,
)
from controlplane.notify.integrations.slack.options import (
    SlackAction,
    SlackConfig,
    SlackConfirm,
    SlackField,
)
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.options import Receiver

_ALERTMANAGER: Final = "an Alertmanager key"

# What receivers of Alertmanager can have besides.
_FOREIGN_INTEGRATIONS: Final = (
    "discord",
    "incidentio",
    "jira",
    "mattermost",
    "msteams",
    "msteamsv2",
    "opsgenie",
    "pushover",
    "rocketchat",
    "sns",
    "telegram",
    "victorops",
    "webex",
    "wechat",
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
    """Fill in what `global` says: its bot token only where nothing here says how to post."""
    client = values.setdefault("http_config", defaults.http_config)
    values.setdefault("app_url", defaults.slack_app_url)
    if "api_url" not in values and "app_token" not in values:
        if defaults.slack_app_token is not None and client.authorization is None:
            values["app_token"] = defaults.slack_app_token
        else:
            values["api_url"] = defaults.slack_api_url
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


def _pagerduty_image(text: Leaf[str]) -> Section[PagerdutyImage]:
    keys = {"src": Key(text, required=True), "alt": Key(text), "href": Key(text)}
    return Section("pagerduty_image", PagerdutyImage, keys)


def _pagerduty_link(text: Leaf[str]) -> Section[PagerdutyLink]:
    keys = {"href": Key(text, required=True), "text": Key(text)}
    return Section("pagerduty_link", PagerdutyLink, keys)


def _pagerduty(
    defaults: GlobalOptions, *, routing_key: Secret | None = None, **values: Any
) -> PagerdutyConfig:
    if routing_key is None:
        raise InvalidInput("missing routing_key or routing_key_file in PagerDuty config")
    values.setdefault("http_config", defaults.http_config)
    values.setdefault("url", defaults.pagerduty_url)
    return PagerdutyConfig(routing_key, **values)


def pagerduty_config(defaults: GlobalOptions, check: Check) -> Section[PagerdutyConfig]:
    """Return the section of one entry of `pagerduty_configs`."""
    text = template(check)
    templates = ("client", "client_url", "description", "source", "severity", "component", "group")
    return Section(
        "pagerduty_config",
        partial(_pagerduty, defaults),
        {
            "send_resolved": Key(BOOLEAN),
            "http_config": Key(HTTP_CLIENT),
            "routing_key": Key(_secret_template(check, SECRET)),
            "routing_key_file": Key(SECRET_FILE, field="routing_key"),
            "url": Key(URL),
            **{name: Key(text) for name in templates},
            "class": Key(text, field="class_"),
            "details": Key(MapOf("a mapping of details", TemplateTree(check), check)),
            "images": Key(ListOf("a list of images", _pagerduty_image(text))),
            "links": Key(ListOf("a list of links", _pagerduty_link(text))),
            "timeout": Key(GO_DURATION),
        },
        unsupported=dict.fromkeys(
            ("service_key", "service_key_file"), "an Alertmanager key (Events API v1)"
        ),
    )


def _template_url(node: Scalar) -> Secret:
    """Return a URL that may be a template; only one that is none can be looked at as a URL."""
    if "{{" not in node.text:
        split_url(node.text)
    return Secret(text(node))


def _secret_template(check: Check, plain: Leaf[Secret]) -> Leaf[Secret]:
    """Return the kind of a secret that may be a template; no message repeats any of it."""

    def parse(node: Scalar) -> Secret:
        try:
            check(node.text)
        except InvalidInput:
            raise InvalidInput("not a valid template") from None
        return plain.parse(node)

    return replace(plain, parse=parse)


_TEMPLATE_URL: Final = Leaf("a URL", _template_url, show_inline, blank=True)


def _webhook(defaults: GlobalOptions, *, url: Secret | None = None, **values: Any) -> WebhookConfig:
    if url is None:
        raise InvalidInput("one of url & url_file must be configured")
    values.setdefault("http_config", defaults.http_config)
    return WebhookConfig(url, **values)


def webhook_config(defaults: GlobalOptions, check: Check) -> Section[WebhookConfig]:
    """Return the section of one entry of `webhook_configs`."""
    return Section(
        "webhook_config",
        partial(_webhook, defaults),
        {
            "send_resolved": Key(BOOLEAN),
            "http_config": Key(HTTP_CLIENT),
            "url": Key(_secret_template(check, _TEMPLATE_URL)),
            "url_file": Key(SECRET_FILE, field="url"),
            "max_alerts": Key(NATURAL),
            "timeout": Key(GO_DURATION),
            "payload": Key(TemplateTree(check)),
        },
    )


def receiver(defaults: GlobalOptions, check: Check) -> Section[Receiver]:
    """Return the section of one receiver under a file's `global` and `templates`."""
    return Section(
        "receiver",
        Receiver,
        {
            "name": Key(TEXT, required=True),
            "slack_configs": Key(ListOf("a list of Slack configs", slack_config(defaults, check))),
            "pagerduty_configs": Key(
                ListOf("a list of PagerDuty configs", pagerduty_config(defaults, check))
            ),
            "webhook_configs": Key(
                ListOf("a list of webhook configs", webhook_config(defaults, check))
            ),
            "email_configs": Key(ListOf("a list of email configs", email_config(defaults, check))),
        },
        unsupported=dict.fromkeys(
            ("labels", *(f"{name}_configs" for name in _FOREIGN_INTEGRATIONS)), _ALERTMANAGER
        ),
    )


def receivers(defaults: GlobalOptions, check: Check) -> UniqueList[Receiver]:
    """Return the list of receivers; their names are unique."""
    return UniqueList("a list of receivers", receiver(defaults, check), "name")
