"""`msteamsv2_configs`."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig


@dataclass(frozen=True, slots=True)
class MSTeamsV2Config:
    """One entry of `msteamsv2_configs`."""

    webhook_url: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    title: str = '{{ template "msteamsv2.default.title" . }}'
    text: str = '{{ template "msteamsv2.default.text" . }}'
    timeout: Duration = 0
