"""What is watched: an address that a service, a file or discovery named."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.dependency import Dependency
from controlplane.model.labels import EMPTY, Labels

# Dashboards of its own that a service may ask for.
DASHBOARD_TEMPLATES: Final = ("red",)


class Provenance(StrEnum):
    """Who owns an object: what a file owns is read-only in the API."""

    FILE = "file"
    API = "api"
    DISCOVERED = "discovered"


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """What a registration says; POST replaces all of it.

    Exactly one of `url` and `address` is set. `interval` and `lease` are
    milliseconds; None means the file's default, and no lease. While one of
    what it `depends_on` is down, nobody is told of its alerts.
    """

    name: str
    url: str | None = None
    address: str | None = None
    module: str = "http_2xx"
    interval: Duration | None = None
    labels: Labels = EMPTY
    metrics_url: str | None = None
    lease: Duration | None = None
    depends_on: tuple[Dependency, ...] = ()
    dashboard: str | None = None  # one of DASHBOARD_TEMPLATES, synced to a Grafana

    @property
    def endpoint(self) -> str:
        """The url or address that is probed."""
        return self.url or self.address or ""

    def own_labels(self) -> Mapping[str, str]:
        """Return the labels of all series, as long as no operator puts others over them.

        `job` and `instance` default to the name and the endpoint.
        """
        return {"job": self.name, "instance": self.endpoint, **self.labels}


@dataclass(frozen=True, slots=True)
class Operator:
    """What an operator set by PATCH. It survives POST, and names its actor."""

    paused: bool = False
    labels: Mapping[str, str] = EMPTY  # put over the spec's; an empty value removes one
    actor: str = ""
    changed_at: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target. `renewed_at` moves with each renewal of the lease."""

    id: str
    spec: TargetSpec
    provenance: Provenance
    created_at: Timestamp
    updated_at: Timestamp
    renewed_at: Timestamp
    operator: Operator = Operator()

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def endpoint(self) -> str:
        """The url or address that is probed."""
        return self.spec.endpoint

    @property
    def expires_at(self) -> Timestamp | None:
        """When the lease runs out, or None without one."""
        return None if self.spec.lease is None else self.renewed_at + self.spec.lease

    def labels(self) -> Labels:
        """Return the labels that all series of this target carry; what the operator set counts."""
        return Labels({**self.spec.own_labels(), **self.operator.labels})
