"""`pagerduty_configs`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS, Templated
from controlplane.transport.options import HTTPClientConfig

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
# How both addresses of the Events API end.
_EVENTS: Final = "/v2/enqueue"
_CHANGES: Final = "/v2/change/enqueue"
DEFAULT_DETAILS: Final[Mapping[str, Templated]] = {
    "firing": "{{ .Alerts.Firing | toJson }}",
    "resolved": "{{ .Alerts.Resolved | toJson }}",
    "num_firing": "{{ .Alerts.Firing | len }}",
    "num_resolved": "{{ .Alerts.Resolved | len }}",
}


@dataclass(frozen=True, slots=True)
class PagerdutyLink:
    """A link in the incident."""

    href: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class PagerdutyImage:
    """A picture in the incident; PagerDuty takes `https` sources only."""

    src: str
    alt: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class PagerdutyConfig:
    """One entry of `pagerduty_configs`: Events API v2. `service_key` (v1) is refused by config.

    `details` is put over DEFAULT_DETAILS. `source` defaults to the instance or job that all
    alerts share, else to `client`; `links` to the alerts' runbook, dashboard, graph, story
    and silence form.
    With `change_events`, a key of ours, the service is told of every new configuration.
    """

    routing_key: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    url: str = PAGERDUTY_URL
    client: str = '{{ template "controlplane.pagerduty.client" . }}'
    client_url: str = '{{ template "controlplane.pagerduty.clientURL" . }}'
    description: str = '{{ template "controlplane.pagerduty.description" . }}'
    details: Mapping[str, Templated] = field(default_factory=dict)
    images: tuple[PagerdutyImage, ...] = ()
    links: tuple[PagerdutyLink, ...] = ()
    source: str = ""
    severity: str = ""
    class_: str = ""  # the key `class`
    component: str = ""
    group: str = ""
    timeout: Duration = 0
    change_events: bool = False

    def __post_init__(self) -> None:
        if self.change_events and not self.url.endswith(_EVENTS):
            raise InvalidInput(f"change_events needs a url ending with {_EVENTS}", pointer="/url")

    @property
    def change_url(self) -> str:
        """Where change events go: beside the events."""
        return self.url.removesuffix(_EVENTS) + _CHANGES
