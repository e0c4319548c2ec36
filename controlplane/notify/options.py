"""`receivers:` of alertmanager.yml: its keys, its defaults, its refusals.

A pair such as `api_url` and `api_url_file` is one `Secret` here, which reads
the file at each use. Texts are Go templates unless said otherwise. What the
`global` section defaults (`slack_api_url`, `slack_app_token`, `slack_app_url`,
`pagerduty_url`, `http_config`) has been filled in by whoever builds these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.transport.options import HTTPClientConfig, TLSConfig

# JSON whose strings are templates.
Templated = str | int | float | bool | None | Mapping[str, "Templated"] | tuple["Templated", ...]

HTTP_DEFAULTS: Final = HTTPClientConfig()
SLACK_APP_URL: Final = "https://slack.com/api/chat.postMessage"
PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"

_FIELD_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322, 2.2
DEFAULT_DETAILS: Final[Mapping[str, Templated]] = {
    "firing": "{{ .Alerts.Firing | toJson }}",
    "resolved": "{{ .Alerts.Resolved | toJson }}",
    "num_firing": "{{ .Alerts.Firing | len }}",
    "num_resolved": "{{ .Alerts.Resolved | len }}",
}


@dataclass(frozen=True, slots=True)
class SlackConfirm:
    """`confirm` of an action: the question asked before it is done."""

    text: str
    title: str = ""
    ok_text: str = ""
    dismiss_text: str = ""

    def __post_init__(self) -> None:
        _required(self, "text", "Slack confirmation")


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
        _required(self, "type", "Slack action")
        _required(self, "text", "Slack action")
        if not self.url and not self.name:
            raise InvalidInput("missing name or url in Slack action configuration")


@dataclass(frozen=True, slots=True)
class SlackField:
    """A titled value in the message; `short` ones stand side by side."""

    title: str
    value: str
    short: bool | None = None

    def __post_init__(self) -> None:
        _required(self, "title", "Slack field")
        _required(self, "value", "Slack field")


@dataclass(frozen=True, slots=True)
class SlackConfig:
    """One entry of `slack_configs`: an incoming webhook (`api_url`) or a bot (`app_token`)."""

    send_resolved: bool = False
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_url: Secret | None = None
    app_token: Secret | None = None
    app_url: str = SLACK_APP_URL
    update_message: bool = False
    channel: str = ""
    username: str = '{{ template "slack.default.username" . }}'
    color: str = '{{ template "slack.default.color" . }}'
    title: str = '{{ template "slack.default.title" . }}'
    title_link: str = '{{ template "slack.default.titlelink" . }}'
    pretext: str = '{{ template "slack.default.pretext" . }}'
    text: str = '{{ template "slack.default.text" . }}'
    message_text: str = ""
    fields: tuple[SlackField, ...] = ()
    short_fields: bool = False
    footer: str = '{{ template "slack.default.footer" . }}'
    fallback: str = '{{ template "slack.default.fallback" . }}'
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
        if self.is_bot:
            _check_bot(self.http_config)

    @property
    def is_bot(self) -> bool:
        """By its own key, or as Alertmanager's files spelled it before there was one."""
        return self.app_token is not None or self.update_message


@dataclass(frozen=True, slots=True)
class PagerdutyLink:
    """A link in the incident."""

    href: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class PagerdutyImage:
    """A picture in the incident; PagerDuty takes `https` sources only."""

    src: str
    alt: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class PagerdutyConfig:
    """One entry of `pagerduty_configs`: Events API v2. `service_key` (v1) is refused by config.

    `details` is put over DEFAULT_DETAILS. `source` defaults to the instance or job that all
    alerts share, else to `client`; `links` to the alerts' runbook, dashboard, query and story.
    """

    routing_key: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    url: str = PAGERDUTY_URL
    client: str = '{{ template "pagerduty.default.client" . }}'
    client_url: str = '{{ template "pagerduty.default.clientURL" . }}'
    description: str = '{{ template "pagerduty.default.description" . }}'
    details: Mapping[str, Templated] = field(default_factory=dict)
    images: tuple[PagerdutyImage, ...] = ()
    links: tuple[PagerdutyLink, ...] = ()
    source: str = ""
    severity: str = ""
    class_: str = ""  # the key `class`
    component: str = ""
    group: str = ""
    timeout: Duration = 0


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """One entry of `webhook_configs`. `url` is a template; `max_alerts` 0 means all."""

    url: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    max_alerts: int = 0
    timeout: Duration = 0
    payload: Templated = None

    def __post_init__(self) -> None:
        if self.max_alerts < 0:
            raise InvalidInput("max_alerts cannot be negative", pointer="/max_alerts")


@dataclass(frozen=True, slots=True)
class Smarthost:
    """The mail server that takes our messages."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Threading:
    """Whether mails about one group stand together: each day anew (`daily`), or always (`none`)."""

    enabled: bool = False
    thread_by_date: str = ""

    def __post_init__(self) -> None:
        if self.enabled and self.thread_by_date not in ("none", "daily"):
            raise InvalidInput(
                "thread_by_date must be either 'none' or 'daily'", pointer="/thread_by_date"
            )


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """One entry of `email_configs`. `to`, `from_`, headers, `html` and `text` are templates.

    `force_implicit_tls` None means: on port 465. `auth_password` serves PLAIN
    and LOGIN, `auth_secret` CRAM-MD5.
    """

    to: str
    from_: str  # the key `from`
    smarthost: Smarthost
    send_resolved: bool = False
    hello: str = "localhost"
    auth_username: str = ""
    auth_password: Secret | None = None
    auth_secret: Secret | None = None
    auth_identity: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    html: str = '{{ template "email.default.html" . }}'
    text: str = ""
    require_tls: bool = True
    force_implicit_tls: bool | None = None
    tls_config: TLSConfig = field(default_factory=TLSConfig)
    threading: Threading = field(default_factory=Threading)
    timeout: Duration = 0

    def __post_init__(self) -> None:
        _required(self, "to", "email")
        _required(self, "from_", "email")
        names = [name.title() for name in self.headers]
        for name in names:
            if _FIELD_NAME.fullmatch(name) is None:
                raise InvalidInput(f"not a header's name: {name!r}", pointer="/headers")
            if names.count(name) > 1:
                raise InvalidInput(f"duplicate header {name!r}", pointer="/headers")
            if self.threading.enabled and name in ("References", "In-Reply-To"):
                raise InvalidInput(f"threading writes the header {name}", pointer="/headers")

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the connection."""
        return (
            self.smarthost.port == 465
            if self.force_implicit_tls is None
            else (self.force_implicit_tls)
        )


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


IntegrationConfig = SlackConfig | PagerdutyConfig | WebhookConfig | EmailConfig


@dataclass(frozen=True, slots=True)
class Receiver:
    """A name and everything that is told when an alert is routed to it."""

    name: str
    slack_configs: tuple[SlackConfig, ...] = ()
    pagerduty_configs: tuple[PagerdutyConfig, ...] = ()
    webhook_configs: tuple[WebhookConfig, ...] = ()
    email_configs: tuple[EmailConfig, ...] = ()

    def __post_init__(self) -> None:
        _required(self, "name", "receiver")


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How hard deliveries are tried, and how long their rows are kept."""

    timeout: Duration = 10_000  # of one attempt, where the integration names none
    concurrency: int = 4  # attempts at once to one receiver
    rate: float = 0.0  # attempts a second to one receiver's integration; 0: as they come
    burst: int = 10  # of these at once, after a quiet time
    max_age: Duration = 24 * 3_600_000  # after that a message is a dead letter
    max_attempts: int = 0  # 0: only its age counts
    first_backoff: Duration = 1_000
    longest_backoff: Duration = 300_000
    lease: Duration = 60_000  # a claim older than this may be taken over

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise InvalidInput("concurrency must be at least 1", pointer="/concurrency")
        if self.longest_backoff < self.first_backoff:
            raise InvalidInput(
                "longest_backoff is shorter than first_backoff", pointer="/longest_backoff"
            )


def _required(options: object, key: str, where: str) -> None:
    if not getattr(options, key):
        name = key.rstrip("_")
        raise InvalidInput(f"missing {name} in {where} configuration", pointer=f"/{name}")
