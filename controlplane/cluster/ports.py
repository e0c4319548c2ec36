"""What the cluster asks of the database: who owns what. `storage.shares` answers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from controlplane.clock import Duration, Timestamp
from controlplane.model.member import Claimed, Ownership
from controlplane.model.share import Role


class ShareStore(Protocol):
    """Who owns what. Every method raises Unavailable."""

    async def held(self) -> Sequence[Ownership]:
        """Return every shard of every role."""
        ...

    async def claim(
        self,
        role: Role,
        wanted: Collection[int],
        me: str,
        *,
        alive: Collection[str],
        lease: Duration,
    ) -> Mapping[int, Claimed]:
        """Take shards whose owner is nobody, or is gone, and return those that were taken.

        An owner is gone who is not among those `alive` and who has not been
        seen by the database for as long as a `lease` either.
        """
        ...

    async def release(self, role: Role, given: Collection[int], me: str, until: Timestamp) -> None:
        """Leave shards to whoever wants them; those that are not `me`'s stay as they are.

        What was due on them `until` that instant is done: who claims one is told so.
        """
        ...
