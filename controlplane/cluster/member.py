"""A member as it stands in Redis."""

import orjson

from controlplane.model.member import Member
from controlplane.model.share import Role


def write_member(member: Member) -> bytes:
    """Return what stands beside a member's name."""
    return orjson.dumps(
        {
            "incarnation": member.incarnation,
            "roles": sorted(member.roles),
            "url": member.url,
            "joined_at": member.joined_at,
        }
    )


def read_member(name: str, written: bytes) -> Member:
    """Return the member again; a role of a later version is left out."""
    fields = orjson.loads(written)
    known = {role.value for role in Role}
    roles = frozenset(Role(role) for role in fields["roles"] if role in known)
    return Member(name, fields["incarnation"], roles, fields["url"], fields["joined_at"])
