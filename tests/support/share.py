"""A share of the work that a test gives and takes by hand."""

from collections.abc import Callable, Container, Iterable

from sqlalchemy import select, update

from controlplane.errors import Fenced
from controlplane.model.fence import Fence, Token
from controlplane.model.share import Role, shard_of
from controlplane.storage.database import Database
from controlplane.storage.tables.cluster import shards


class SettableShare:
    """Implements `Share`: owns what it was given, a token for each key's shard.

    `owned` is what it has at first: some keys, or a predicate over all of them.
    Tokens are plain numbers, 1 at first and one more whenever a key is given
    anew; nothing in a database knows of them unless a test writes them there.
    """

    def __init__(
        self,
        owned: Iterable[str] | Callable[[str], bool] = (),
        *,
        role: Role = Role.EVALUATOR,
        token: int = 1,
    ) -> None:
        self._role = role
        self._owns = owned if callable(owned) else _among(frozenset(owned))
        self._token = token
        self._tokens: dict[int, int] = {}
        self._changed: list[Callable[[], None]] = []

    def owns(self, key: str) -> bool:
        return self._owns(key)

    def fence(self, keys: Iterable[str]) -> Fence:
        return Fence(frozenset(self._held(key) for key in keys))

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._changed.append(changed)

    def give(self, *keys: str, token: int | None = None) -> None:
        """Have it own these keys too, under the next token of their shards or a named one."""
        before = self._owns
        for shard in {shard_of(key) for key in keys}:
            number = self._tokens.get(shard, self._token) + 1 if token is None else token
            self._tokens[shard] = number
        self._owns = lambda key: key in keys or before(key)
        self._tell()

    def take(self, *keys: str) -> None:
        """Have it own these keys no more; without any, nothing at all."""
        before = self._owns
        self._owns = lambda key: bool(keys) and key not in keys and before(key)
        self._tell()

    def _held(self, key: str) -> Token:
        if not self._owns(key):
            raise Fenced(f"{key} is another replica's")
        shard = shard_of(key)
        return Token(self._role.value, shard, self._tokens.get(shard, self._token))

    def _tell(self) -> None:
        for changed in self._changed:
            changed()


async def moved(database: Database, key: str, role: Role = Role.EVALUATOR) -> Token:
    """Have the shard of a key change hands in a database; return the token of who has it now."""
    rows, shard = shards.c, shard_of(key)
    row = (rows.role == role.value) & (rows.shard == shard)
    async with database.begin() as connection:
        await connection.execute(update(shards).where(row).values(token=rows.token + 1))
        number = await connection.scalar(select(rows.token).where(row))
    assert number is not None, "each shard has a row"
    return Token(role.value, shard, number)


def _among(keys: Container[str]) -> Callable[[str], bool]:
    return lambda key: key in keys
