"""`msteams_configs`."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig


@dataclass(frozen=True, slots=True)
class MSTeamsConfig:
    """One entry of `msteams_configs`."""

    webhook_url: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    title: str = '{{ template "msteams.default.title" . }}'
    summary: str = '{{ template "msteams.default.summary" . }}'
    text: str = '{{ template "msteams.default.text" . }}'
    timeout: Duration = 0
