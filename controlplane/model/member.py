"""A replica as the others know it, and what it owns of the work that is shared out."""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.clock import Timestamp
from controlplane.model.share import Role


class Network(StrEnum):
    """The network that a replica is in, as it judges it itself by its canaries.

    DOUBTED is one in which a mass failure may be the replica's own; ISOLATED one
    in which it has been found to be; RECOVERING one that is there again, and may
    not stay.
    """

    CONNECTED = "connected"
    DOUBTED = "doubted"
    ISOLATED = "isolated"
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True)
class Member:
    """One process: `incarnation` is new at each start, so that nobody passes for a former self.

    `version` and `config_digest` are empty of one that does not say: it is an
    older one, or has no configuration file.
    """

    name: str
    incarnation: str
    roles: frozenset[Role]
    url: str = ""
    joined_at: Timestamp = 0
    version: str = ""
    config_digest: str = ""
    network: Network = Network.CONNECTED

    @property
    def owner(self) -> str:
        """What stands beside a shard that is this process's."""
        return f"{self.name}/{self.incarnation}"


@dataclass(frozen=True, slots=True)
class Ownership:
    """One shard as the database has it; nobody owns it when `owner` is empty."""

    role: Role
    shard: int
    owner: str
    token: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A shard that has just become ours, and when somebody last had it: None when nobody ever."""

    token: int
    since: Timestamp | None
