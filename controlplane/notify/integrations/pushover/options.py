"""`pushover_configs`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig

PUSHOVER_API_URL: Final = "https://api.pushover.net/1/messages.json"


@dataclass(frozen=True, slots=True)
class PushoverConfig:
    """One entry of `pushover_configs`. `user_key` and `token` are templates too.

    `retry` and `expire` concern emergencies, priority 2: how often Pushover
    repeats one until it is acknowledged, and for how long. A message vanishes
    from the devices after `ttl`, never with 0.
    """

    user_key: Secret
    token: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    title: str = '{{ template "pushover.default.title" . }}'
    message: str = '{{ template "pushover.default.message" . }}'
    url: str = '{{ template "pushover.default.url" . }}'
    url_title: str = ""
    device: str = ""
    sound: str = ""
    priority: str = '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'
    retry: Duration = 60_000
    expire: Duration = 3_600_000
    ttl: Duration = 0
    html: bool = False
    monospace: bool = False
    timeout: Duration = 0

    def __post_init__(self) -> None:
        if self.html and self.monospace:
            raise InvalidInput(
                "at most one of monospace & html must be configured", pointer="/monospace"
            )
