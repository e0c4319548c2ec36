"""A replica as the others know it."""

from dataclasses import dataclass

import orjson

from controlplane.clock import Timestamp
from controlplane.model.share import Role


@dataclass(frozen=True, slots=True)
class Member:
    """One process: `incarnation` is new at each start, so that nobody passes for a former self."""

    name: str
    incarnation: str
    roles: frozenset[Role]
    url: str = ""
    joined_at: Timestamp = 0

    @property
    def owner(self) -> str:
        """What stands beside a shard that is this process's."""
        return f"{self.name}/{self.incarnation}"


def write_member(member: Member) -> bytes:
    """Return a member as it stands in Redis."""
    return orjson.dumps(
        {
            "incarnation": member.incarnation,
            "roles": sorted(member.roles),
            "url": member.url,
            "joined_at": member.joined_at,
        }
    )


def read_member(name: str, written: bytes) -> Member:
    """Return a member of what stands in Redis; a role of a later version is left out."""
    fields = orjson.loads(written)
    known = {role.value for role in Role}
    roles = frozenset(Role(role) for role in fields["roles"] if role in known)
    return Member(name, fields["incarnation"], roles, fields["url"], fields["joined_at"])
