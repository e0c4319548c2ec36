"""`rocketchat_configs`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig

ROCKETCHAT_API_URL: Final = "https://open.rocket.chat/"


@dataclass(frozen=True, slots=True)
class RocketchatField:
    """A titled value in the message; `short` ones stand side by side."""

    title: str = ""
    value: str = ""
    short: bool | None = None


@dataclass(frozen=True, slots=True)
class RocketchatAction:
    """A button under the message: it opens `url`, or has the reader say `msg`."""

    text: str = ""
    url: str = ""
    msg: str = ""


@dataclass(frozen=True, slots=True)
class RocketchatConfig:
    """One entry of `rocketchat_configs`: `token_id` names the user whose `token` it is."""

    token_id: Secret
    token: Secret
    send_resolved: bool = False
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_url: str = ROCKETCHAT_API_URL
    channel: str = ""
    color: str = '{{ if eq .Status "firing" }}red{{ else }}green{{ end }}'
    title: str = '{{ template "rocketchat.default.title" . }}'
    title_link: str = '{{ template "rocketchat.default.titlelink" . }}'
    text: str = '{{ template "rocketchat.default.text" . }}'
    fields: tuple[RocketchatField, ...] = ()
    short_fields: bool = False
    emoji: str = '{{ template "rocketchat.default.emoji" . }}'
    icon_url: str = '{{ template "rocketchat.default.iconurl" . }}'
    image_url: str = ""
    thumb_url: str = ""
    actions: tuple[RocketchatAction, ...] = ()
    timeout: Duration = 0
