"""`discord_configs`."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig


@dataclass(frozen=True, slots=True)
class DiscordConfig:
    """One entry of `discord_configs`. `username` and `avatar_url` are not templates."""

    webhook_url: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    content: str = ""
    title: str = '{{ template "discord.default.title" . }}'
    message: str = '{{ template "discord.default.message" . }}'
    username: str = ""
    avatar_url: str = ""
    timeout: Duration = 0
