"""The notifiers' shards of a database, moved between replicas by hand."""

from collections.abc import Callable, Collection, Iterable

from sqlalchemy import update

from controlplane.errors import Fenced
from controlplane.model.fence import Fence, Token
from controlplane.model.share import SHARDS, Role, shard_of
from controlplane.storage.database import Database
from controlplane.storage.tables.cluster import shards

EVEN = range(0, SHARDS, 2)
ODD = range(1, SHARDS, 2)
ALL = range(SHARDS)


class Part:
    """Implements `Share`: some shards, each with the token that it was claimed under."""

    def __init__(self, role: Role = Role.NOTIFIER) -> None:
        self._role = role
        self._tokens: dict[int, int] = {}
        self._changed: list[Callable[[], None]] = []

    def owns(self, key: str) -> bool:
        return shard_of(key) in self._tokens

    def fence(self, keys: Iterable[str]) -> Fence:
        return Fence(frozenset(self._held(key) for key in keys))

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._changed.append(changed)

    def gain(self, tokens: dict[int, int]) -> None:
        """Own these shards too."""
        self._tokens |= tokens
        self._tell()

    def lose(self, given: Collection[int]) -> None:
        """Own these shards no more."""
        self._tokens = {s: token for s, token in self._tokens.items() if s not in given}
        self._tell()

    def _held(self, key: str) -> Token:
        shard = shard_of(key)
        if shard not in self._tokens:
            raise Fenced(f"{key!r} is another replica's")
        return Token(self._role.value, shard, self._tokens[shard])

    def _tell(self) -> None:
        for changed in self._changed:
            changed()


class Shards:
    """Who owns what, in the table and in the parts of the replicas."""

    def __init__(self, database: Database, role: Role = Role.NOTIFIER) -> None:
        self._database = database
        self._role = role
        self._token = 0

    async def move(
        self, given: Collection[int], to: Part, *, losers: Collection[Part] = ()
    ) -> None:
        """Have `to` own some shards; those who lose them know it before.

        A part that owned them and is not among the losers goes on believing
        that it does, as a paused replica would.
        """
        for part in losers:
            part.lose(given)
        self._token += 1
        wanted = (shards.c.role == self._role.value, shards.c.shard.in_(list(given)))
        async with self._database.begin() as connection:
            await connection.execute(update(shards).where(*wanted).values(token=self._token))
        to.gain(dict.fromkeys(given, self._token))
