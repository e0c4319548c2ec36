"""`webhook_configs`."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS, Templated
from controlplane.transport.options import HTTPClientConfig


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
