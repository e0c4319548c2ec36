"""`incidentio_configs`."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig


@dataclass(frozen=True, slots=True)
class IncidentioConfig:
    """One entry of `incidentio_configs`. `max_alerts` 0 means all.

    The token is `alert_source_token` or the `authorization` of `http_config`.
    """

    url: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    alert_source_token: Secret | None = None
    max_alerts: int = 0
    timeout: Duration = 0

    def __post_init__(self) -> None:
        if self.max_alerts < 0:
            raise InvalidInput("max_alerts cannot be negative", pointer="/max_alerts")
        given = self.http_config.authorization is not None
        if given and self.alert_source_token is not None:
            raise InvalidInput(
                "cannot specify alert_source_token or alert_source_token_file when using "
                "http_config.authorization",
                pointer="/alert_source_token",
            )
        if not given and self.alert_source_token is None:
            raise InvalidInput(
                "at least one of alert_source_token, alert_source_token_file or "
                "http_config.authorization must be configured"
            )
