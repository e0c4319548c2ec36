"""`/api/v1/replicas`: the processes that share the work."""

from fastapi import APIRouter
from pydantic import BaseModel

from controlplane.api.fields import TimeText
from controlplane.api.responses import problems
from controlplane.api.surface import On
from controlplane.api.v1.schemas import Page
from controlplane.model.member import Member, Network

router = APIRouter(prefix="/api/v1/replicas", tags=["cluster"], responses=problems())


class ReplicaOut(BaseModel):
    """One replica that is alive, as the one that was asked knows it.

    `version` and `config_digest` are null of a replica that does not say: it is
    of an older version, or has no configuration file. `network` is how it
    judges its own network, by its canaries.
    """

    name: str
    roles: list[str]
    url: str
    joined_at: TimeText
    version: str | None
    config_digest: str | None
    network: Network

    @classmethod
    def of(cls, member: Member) -> "ReplicaOut":
        """Return the answer for a replica."""
        return cls(
            name=member.name,
            roles=sorted(member.roles),
            url=member.url,
            joined_at=member.joined_at,
            version=member.version or None,
            config_digest=member.config_digest or None,
            network=member.network,
        )


@router.get("")
async def list_replicas(on: On) -> Page[ReplicaOut]:
    """List the replicas that are alive, by name; one that is alone lists itself."""
    return Page(items=[ReplicaOut.of(member) for member in on.replicas()])
