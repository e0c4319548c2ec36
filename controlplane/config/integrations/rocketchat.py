"""`rocketchat_configs` (Alertmanager 0.34)."""

from typing import Any, Final

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.kinds import BOOLEAN, choice
from controlplane.config.places import SECRET, SECRET_FILE, URL
from controlplane.config.schema import Key, Leaf, ListOf, Section
from controlplane.config.templates import Check, template
from controlplane.errors import InvalidInput
from controlplane.notify.integrations.rocketchat.options import (
    RocketchatAction,
    RocketchatConfig,
    RocketchatField,
)

_WITHOUT_EFFECT: Final = "an Alertmanager key, which has no effect there"
_IDLE_ACTION_KEYS: Final = (
    "imageurl",
    "iswebview",
    "webviewheightratio",
    "msginchatwindow",
    "msgprocessingtype",
)


def _field(text: Leaf[str]) -> Section[RocketchatField]:
    keys = {"title": Key(text), "value": Key(text), "short": Key(BOOLEAN)}
    return Section("rocketchat_field", RocketchatField, keys)


def _action(*, type: str = "button", **values: Any) -> RocketchatAction:  # noqa: A002 - the key's name
    del type  # there is one
    return RocketchatAction(**values)


def _actions(text: Leaf[str]) -> Section[RocketchatAction]:
    return Section(
        "rocketchat_action",
        _action,
        {
            "type": Key(choice("button")),
            "text": Key(text),
            "url": Key(text),
            "msg": Key(text),
        },
        unsupported=dict.fromkeys(_IDLE_ACTION_KEYS, _WITHOUT_EFFECT),
    )


def _rocketchat(*, link_names: bool = False, **values: Any) -> RocketchatConfig:
    if link_names:
        raise InvalidInput("Rocket.Chat cannot be asked for link_names", pointer="/link_names")
    return RocketchatConfig(**values)


def rocketchat_config(defaults: GlobalOptions, check: Check) -> Section[RocketchatConfig]:
    """Return the section of one entry of `rocketchat_configs`."""
    text = template(check)
    templates = (
        "channel",
        "color",
        "title",
        "title_link",
        "text",
        "emoji",
        "icon_url",
        "image_url",
        "thumb_url",
    )
    return posting(
        "rocketchat_config",
        _rocketchat,
        defaults,
        {
            "api_url": Key(URL),
            "token_id": Key(SECRET),
            "token_id_file": Key(SECRET_FILE, field="token_id"),
            "token": Key(SECRET),
            "token_file": Key(SECRET_FILE, field="token"),
            **{name: Key(text) for name in templates},
            "fields": Key(ListOf("a list of fields", _field(text))),
            "short_fields": Key(BOOLEAN),
            "link_names": Key(BOOLEAN),
            "actions": Key(ListOf("a list of actions", _actions(text))),
        },
        inherits={
            "api_url": "rocketchat_api_url",
            "token_id": "rocketchat_token_id",
            "token": "rocketchat_token",
        },
    )
