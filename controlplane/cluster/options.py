"""How replicas find each other: what `cluster` says in the configuration."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.duration import SECOND
from controlplane.model.secret import Secret


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """A Redis, and how long a replica that says nothing still counts as alive there.

    Without `url` there is one replica. Every key in Redis begins with `prefix`:
    two services may share a Redis under different ones. A lease of length
    `lease` is renewed every `renew`; both are milliseconds.
    """

    url: Secret | None = None
    prefix: str = "controlplane"
    lease: Duration = 10 * SECOND
    renew: Duration = 3 * SECOND

    def __post_init__(self) -> None:
        if not self.prefix:
            raise InvalidInput("must not be empty", pointer="/prefix")
        if 2 * self.renew > self.lease:
            raise InvalidInput(
                "must be at most half of lease: one late renewal is no death", pointer="/renew"
            )
