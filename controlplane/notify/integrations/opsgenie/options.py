"""`opsgenie_configs`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig

OPSGENIE_API_URL: Final = "https://api.opsgenie.com/"
_TYPES: Final = ("team", "teams", "user", "escalation", "schedule")


@dataclass(frozen=True, slots=True)
class OpsgenieResponder:
    """Who is called. `teams` is our word for the names of several, separated by commas."""

    type: str
    id: str = ""
    name: str = ""
    username: str = ""

    def __post_init__(self) -> None:
        if not (self.id or self.name or self.username):
            raise InvalidInput("an Opsgenie responder needs an id, a name or a username")
        if "{{" not in self.type and self.type.lower() not in _TYPES:
            raise InvalidInput(
                f"not a type of responder: {self.type!r} (one of {', '.join(_TYPES)})",
                pointer="/type",
            )


@dataclass(frozen=True, slots=True)
class OpsgenieConfig:
    """One entry of `opsgenie_configs`. `api_key` is a template too.

    `details` are put over the labels that all alerts share; `actions` and
    `tags` are separated by commas. With `update_alerts` each notification
    writes message and description of the alert anew.
    """

    api_key: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_url: str = OPSGENIE_API_URL
    message: str = '{{ template "opsgenie.default.message" . }}'
    description: str = '{{ template "opsgenie.default.description" . }}'
    source: str = '{{ template "opsgenie.default.source" . }}'
    details: Mapping[str, str] = field(default_factory=dict)
    entity: str = ""
    responders: tuple[OpsgenieResponder, ...] = ()
    actions: str = ""
    tags: str = ""
    note: str = ""
    priority: str = ""
    update_alerts: bool = False
    timeout: Duration = 0
