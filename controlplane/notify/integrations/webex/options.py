"""`webex_configs`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.notify.integrations.options import required
from controlplane.transport.options import HTTPClientConfig

WEBEX_API_URL: Final = "https://webexapis.com/v1/messages"


@dataclass(frozen=True, slots=True)
class WebexConfig:
    """One entry of `webex_configs`."""

    room_id: str
    http_config: HTTPClientConfig
    send_resolved: bool = True
    api_url: str = WEBEX_API_URL
    message: str = '{{ template "webex.default.message" . }}'
    timeout: Duration = 0

    def __post_init__(self) -> None:
        required(self, "room_id", "Webex")
        if self.http_config.authorization is None:
            raise InvalidInput(
                "missing authorization in the http_config of a Webex configuration",
                pointer="/http_config",
            )
