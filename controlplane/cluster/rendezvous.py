"""Who should have a shard: the one with the highest hash of both (rendezvous hashing).

Everybody who knows the same names comes to the same answer, without asking.
When somebody joins or leaves, only that one's shards move (Thaler and
Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998).
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from hashlib import blake2b

from controlplane.model.share import SHARDS, Role


def owner(role: Role, shard: int, names: Iterable[str]) -> str:
    """Return the name that should have a shard. Raises ValueError when there is none."""
    return max(names, key=lambda name: (_weight(role, shard, name), name))


def wanted(role: Role, me: str, names: Collection[str]) -> frozenset[int]:
    """Return the shards of a role that are for `me` among all who have the role."""
    if me not in names:
        return frozenset()
    return frozenset(shard for shard in range(SHARDS) if owner(role, shard, names) == me)


@lru_cache(maxsize=len(Role) * SHARDS * 32)
def _weight(role: Role, shard: int, name: str) -> bytes:
    return blake2b(f"{role}/{shard}/{name}".encode(), digest_size=8).digest()
