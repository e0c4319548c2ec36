"""`slack_configs`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS, required
from controlplane.transport.options import HTTPClientConfig

SLACK_APP_URL: Final = "https://slack.com/api/chat.postMessage"


@dataclass(frozen=True, slots=True)
class SlackConfirm:
    """`confirm` of an action: the question asked before it is done."""

    text: str
    title: str = ""
    ok_text: str = ""
    dismiss_text: str = ""

    def __post_init__(self) -> None:
        required(self, "text", "Slack confirmation")


@dataclass(frozen=True, slots=True)
class SlackAction:
    """A button under the message. One with a `url` has no name, value or confirm."""

    type: str
    text: str
    url: str = ""
    style: str = ""
    name: str = ""
    value: str = ""
    confirm: SlackConfirm | None = None

    def __post_init__(self) -> None:
        required(self, "type", "Slack action")
        required(self, "text", "Slack action")
        if not self.url and not self.name:
            raise InvalidInput("missing name or url in Slack action configuration")


@dataclass(frozen=True, slots=True)
class SlackField:
    """A titled value in the message; `short` ones stand side by side."""

    title: str
    value: str
    short: bool | None = None

    def __post_init__(self) -> None:
        required(self, "title", "Slack field")
        required(self, "value", "Slack field")


@dataclass(frozen=True, slots=True)
class SlackConfig:
    """One entry of `slack_configs`: an incoming webhook (`api_url`) or a bot (`app_token`).

    With a `signing_secret`, a key of ours, a bot's messages have buttons: Slack
    signs the clicks with it.
    """

    send_resolved: bool = False
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_url: Secret | None = None
    app_token: Secret | None = None
    app_url: str = SLACK_APP_URL
    signing_secret: Secret | None = None
    update_message: bool = False
    channel: str = ""
    username: str = '{{ template "controlplane.slack.username" . }}'
    color: str = '{{ template "controlplane.slack.color" . }}'
    title: str = '{{ template "controlplane.slack.title" . }}'
    title_link: str = '{{ template "controlplane.slack.titlelink" . }}'
    pretext: str = '{{ template "slack.default.pretext" . }}'
    text: str = '{{ template "controlplane.slack.text" . }}'
    message_text: str = ""
    fields: tuple[SlackField, ...] = ()
    short_fields: bool = False
    footer: str = '{{ template "controlplane.slack.footer" . }}'
    fallback: str = '{{ template "controlplane.slack.fallback" . }}'
    callback_id: str = '{{ template "slack.default.callbackid" . }}'
    icon_emoji: str = '{{ template "slack.default.iconemoji" . }}'
    icon_url: str = '{{ template "slack.default.iconurl" . }}'
    image_url: str = ""
    thumb_url: str = ""
    link_names: bool = False
    mrkdwn_in: tuple[str, ...] = ("fallback", "pretext", "text")  # not templates
    actions: tuple[SlackAction, ...] = ()
    timeout: Duration = 0

    def __post_init__(self) -> None:
        if self.api_url is None and self.app_token is None:
            raise InvalidInput("no Slack api_url and no app_token, inline or in a file")
        if self.api_url is not None and self.app_token is not None:
            raise InvalidInput(
                "at most one of api_url/api_url_file & app_token/app_token_file must be configured"
            )
        if self.app_token is not None:
            if self.http_config.authorization is not None:
                raise InvalidInput("http authorization can't be set when using Slack app tokens")
            if not self.channel:
                raise InvalidInput("a Slack app_token needs a channel", pointer="/channel")
        elif self.update_message and self.http_config.authorization is None:
            raise InvalidInput(
                "update_message needs a bot token: app_token, or http_config.authorization "
                f"with api_url {SLACK_APP_URL}",
                pointer="/update_message",
            )
        if self.signing_secret is not None and not self.is_bot:
            raise InvalidInput(
                "a signing_secret is for the buttons of a bot: it needs an app_token",
                pointer="/signing_secret",
            )
        if self.is_bot:
            _check_bot(self.http_config)

    @property
    def is_bot(self) -> bool:
        """By its own key, or as Alertmanager's files spelled it before there was one."""
        return self.app_token is not None or self.update_message

    @property
    def is_interactive(self) -> bool:
        """Whether its messages have buttons."""
        return self.signing_secret is not None

    @property
    def keeps_one_message(self) -> bool:
        """Whether a group is one message: what has buttons is not posted again and again."""
        return self.update_message or self.is_interactive


def _check_bot(client: HTTPClientConfig) -> None:
    """Refuse what a bot's requests, which slack-sdk makes, have no place for."""
    ways = client.authorization
    refused = {
        "basic_auth": client.basic_auth is not None,
        "oauth2": client.oauth2 is not None,
        "authorization/type": ways is not None and ways.type.lower() != "bearer",
        "authorization": ways is not None and ways.credentials is None,
        "tls_config/server_name": bool(client.tls_config.server_name),
        "proxy_connect_header": bool(client.proxy.proxy_connect_header),
        "proxy_url": client.proxy.proxy_url.startswith("socks"),
    }
    for key, given in refused.items():
        if given:
            name = f"http_config.{key.replace('/', '.')}"
            raise InvalidInput(
                f"{name} cannot be used by a Slack bot, which sends its token "
                "as a bearer, directly or by an http proxy",
                pointer=f"/http_config/{key}",
            )
