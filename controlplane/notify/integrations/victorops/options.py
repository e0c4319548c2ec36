"""`victorops_configs`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS, required
from controlplane.transport.options import HTTPClientConfig

VICTOROPS_API_URL: Final = "https://alert.victorops.com/integrations/generic/20131114/alert/"
_RESERVED: Final = (
    "routing_key",
    "message_type",
    "state_message",
    "entity_display_name",
    "monitoring_tool",
    "entity_id",
    "entity_state",
)


@dataclass(frozen=True, slots=True)
class VictoropsConfig:
    """One entry of `victorops_configs`. `api_key` is no template.

    A `message_type` that is none of INFO, WARNING and CRITICAL is CRITICAL.
    """

    api_key: Secret
    routing_key: str
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_url: str = VICTOROPS_API_URL
    message_type: str = "CRITICAL"
    state_message: str = '{{ template "victorops.default.state_message" . }}'
    entity_display_name: str = '{{ template "victorops.default.entity_display_name" . }}'
    monitoring_tool: str = '{{ template "victorops.default.monitoring_tool" . }}'
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    timeout: Duration = 0

    def __post_init__(self) -> None:
        required(self, "routing_key", "VictorOps")
        for name in _RESERVED:
            if name in self.custom_fields:
                raise InvalidInput(
                    f"{name} is a field of every VictorOps event, and cannot be a custom one",
                    pointer=f"/custom_fields/{name}",
                )
