"""`mattermost_configs`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS, required
from controlplane.transport.options import HTTPClientConfig

# What stands in an attachment, and beside them where there are none.
ATTACHMENT_TEXTS: Final = (
    "fallback",
    "color",
    "pretext",
    "text",
    "author_name",
    "author_link",
    "author_icon",
    "title",
    "title_link",
    "thumb_url",
    "footer",
    "footer_icon",
    "image_url",
)


@dataclass(frozen=True, slots=True)
class MattermostField:
    """A titled value in an attachment; `short` ones stand side by side."""

    title: str
    value: str
    short: bool | None = None

    def __post_init__(self) -> None:
        required(self, "title", "Mattermost field")
        required(self, "value", "Mattermost field")


@dataclass(frozen=True, slots=True)
class MattermostAttachment:
    """A box with a coloured bar. Its keys are Slack's."""

    fallback: str = ""
    color: str = ""
    pretext: str = ""
    text: str = ""
    author_name: str = ""
    author_link: str = ""
    author_icon: str = ""
    title: str = ""
    title_link: str = ""
    fields: tuple[MattermostField, ...] = ()
    thumb_url: str = ""
    footer: str = ""
    footer_icon: str = ""
    image_url: str = ""


@dataclass(frozen=True, slots=True)
class MattermostProps:
    """What else Mattermost shows: `card` is markdown, for the panel beside the channel."""

    card: str = ""


@dataclass(frozen=True, slots=True)
class MattermostPriority:
    """`urgent`, `important` or `standard`; only an urgent message can be persistent."""

    priority: str = ""
    requested_ack: bool = False
    persistent_notifications: bool = False


@dataclass(frozen=True, slots=True)
class MattermostConfig:
    """One entry of `mattermost_configs`.

    Without `attachments` the keys of one stand here; with them, `text` alone.
    """

    webhook_url: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    channel: str = ""
    username: str = '{{ template "mattermost.default.username" . }}'
    text: str = '{{ template "mattermost.default.text" . }}'
    fallback: str = '{{ template "mattermost.default.fallback" . }}'
    color: str = '{{ template "mattermost.default.color" . }}'
    pretext: str = ""
    author_name: str = ""
    author_link: str = ""
    author_icon: str = ""
    title: str = '{{ template "mattermost.default.title" . }}'
    title_link: str = '{{ template "mattermost.default.titlelink" . }}'
    fields: tuple[MattermostField, ...] = ()
    thumb_url: str = ""
    footer: str = ""
    footer_icon: str = ""
    image_url: str = ""
    icon_url: str = ""
    icon_emoji: str = ""
    attachments: tuple[MattermostAttachment, ...] = ()
    type: str = ""
    props: MattermostProps | None = None
    priority: MattermostPriority | None = None
    timeout: Duration = 0
