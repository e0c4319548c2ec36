"""Who owns which shard: implements cluster.ports.ShareStore.

A row changes only under its lock, and each new owner takes the next token. The
database alone says who has been silent for how long; until when work was done
is said by who did it, whose slots are by its own clock.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import and_, func, not_, or_, select, update

from controlplane.clock import Duration, Timestamp
from controlplane.model.member import Claimed, Ownership
from controlplane.model.share import Role
from controlplane.storage.database import Database
from controlplane.storage.instants import database_now
from controlplane.storage.tables.cluster import replicas, shards

_ALL: Final = select(shards.c.role, shards.c.shard, shards.c.owner, shards.c.token)
# Another one after every change: a claim takes a token, a release leaves a shard free.
_MARK: Final = select(
    func.sum(shards.c.token),
    func.sum(shards.c.changed_at),
    func.count(func.nullif(shards.c.owner, "")),
)


class SqlShares:
    """The table of all shards. Every method raises Unavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._mark: object = None
        self._held: Sequence[Ownership] = ()

    async def held(self) -> Sequence[Ownership]:
        """Return every shard. It is asked every second, and mostly nothing has changed."""
        async with self._db.read() as connection:
            mark = (await connection.execute(_MARK)).one()
            if mark != self._mark:
                found = await connection.execute(_ALL)
                self._held = tuple(
                    Ownership(Role(row.role), row.shard, row.owner, row.token) for row in found
                )
                # Read before the rows: what changed in between is seen the next time.
                self._mark = mark
            return self._held

    async def claim(
        self,
        role: Role,
        wanted: Collection[int],
        me: str,
        *,
        alive: Collection[str],
        lease: Duration,
    ) -> Mapping[int, Claimed]:
        rows = shards.c
        async with self._db.begin() as connection:
            now = database_now(connection)
            seen_at = (
                select(replicas.c.seen_at)
                .where(replicas.c.name + "/" + replicas.c.incarnation == rows.owner)
                .scalar_subquery()
            )
            silent = or_(seen_at.is_(None), seen_at <= now - lease)
            # A former self of ours is gone: Redis gives a name to one process at a time.
            former = and_(rows.owner.startswith(_name(me), autoescape=True), rows.owner != me)
            free = or_(rows.owner == "", former, and_(not_(rows.owner.in_(alive)), silent))
            # Who is being taken from, or is writing under its token, is left for the next time.
            found = (
                select(rows.shard, rows.owner, rows.token, rows.changed_at, seen_at.label("seen"))
                .where(rows.role == role.value, rows.shard.in_(wanted), free)
                .order_by(rows.shard)
                .with_for_update(of=shards, skip_locked=True)
            )
            taken = (await connection.execute(found)).all()
            mine = and_(rows.role == role.value, rows.shard.in_([row.shard for row in taken]))
            changed = {"owner": me, "token": rows.token + 1, "changed_at": now}
            await connection.execute(update(shards).where(mine).values(changed))
        return {
            row.shard: Claimed(row.token + 1, _since(row.owner, row.seen, row.changed_at))
            for row in taken
        }

    async def release(self, role: Role, given: Collection[int], me: str, until: Timestamp) -> None:
        rows = shards.c
        mine = and_(rows.role == role.value, rows.shard.in_(given), rows.owner == me)
        async with self._db.begin() as connection:
            changed = {"owner": "", "changed_at": until}
            await connection.execute(update(shards).where(mine).values(changed))


def _name(owner: str) -> str:
    return owner.rpartition("/")[0] + "/"


def _since(owner: str, seen: Timestamp | None, changed_at: Timestamp) -> Timestamp | None:
    """Return when a shard was last in somebody's hands."""
    if owner and seen is not None:
        return max(changed_at, seen)
    return changed_at or None
