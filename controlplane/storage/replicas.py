"""Which processes use this database, and when each was last seen by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, delete, not_, select

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import HOUR
from controlplane.model.member import Member
from controlplane.storage.database import Database
from controlplane.storage.instants import database_now
from controlplane.storage.tables.cluster import replicas
from controlplane.storage.writing import put

# Rows are kept for so long after their process: who takes over asks when it was last seen.
_KEPT: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Replica:
    """Another process. `clustered` tells whether it coordinates with others."""

    name: str
    incarnation: str
    clustered: bool
    seen_at: Timestamp


class SqlReplicas:
    """A row for each process. Every method raises Unavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def beat(self, me: Member, *, clustered: bool) -> None:
        """Be seen now."""
        async with self._db.begin() as connection:
            now = (await connection.execute(select(database_now(connection)))).scalar_one()
            row = {
                "name": me.name,
                "incarnation": me.incarnation,
                "roles": sorted(me.roles),
                "url": me.url,
                "cluster": clustered,
                "started_at": me.joined_at,
                "seen_at": now,
            }
            await put(connection, replicas, [row])

    async def others(self, me: Member, within: Duration) -> Sequence[Replica]:
        """Return every other process that was seen within so long, by name."""
        rows = replicas.c
        myself = and_(rows.name == me.name, rows.incarnation == me.incarnation)
        async with self._db.read() as connection:
            fresh = rows.seen_at > database_now(connection) - within
            wanted = select(replicas).where(fresh, not_(myself)).order_by(rows.name)
            found = await connection.execute(wanted)
            return [Replica(row.name, row.incarnation, row.cluster, row.seen_at) for row in found]

    async def tidy(self) -> None:
        """Forget who was last seen long ago."""
        async with self._db.begin() as connection:
            old = replicas.c.seen_at < database_now(connection) - _KEPT
            await connection.execute(delete(replicas).where(old))

    async def leave(self, me: Member) -> None:
        """Be gone: nobody waits for what has said goodbye."""
        rows = replicas.c
        async with self._db.begin() as connection:
            myself = and_(rows.name == me.name, rows.incarnation == me.incarnation)
            await connection.execute(delete(replicas).where(myself))
