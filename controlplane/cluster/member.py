"""A member as it stands in Redis."""

import orjson

from controlplane.model.member import Member, Network
from controlplane.model.share import Role


def write_member(member: Member) -> bytes:
    """Return what stands beside a member's name."""
    return orjson.dumps(
        {
            "incarnation": member.incarnation,
            "roles": sorted(member.roles),
            "url": member.url,
            "joined_at": member.joined_at,
            "version": member.version,
            "config_digest": member.config_digest,
            "network": member.network,
        }
    )


def read_member(name: str, written: bytes) -> Member:
    """Return the member again; a role of a later version is left out.

    What an older version does not say is as if there were nothing to say.
    """
    fields = orjson.loads(written)
    known = {role.value for role in Role}
    roles = frozenset(Role(role) for role in fields["roles"] if role in known)
    return Member(
        name,
        fields["incarnation"],
        roles,
        fields["url"],
        fields["joined_at"],
        version=fields.get("version", ""),
        config_digest=fields.get("config_digest", ""),
        network=_network(fields.get("network")),
    )


def _network(written: object) -> Network:
    """Return what a member says of its network; what is not known here is no reason to doubt it."""
    return next((each for each in Network if each.value == written), Network.CONNECTED)
