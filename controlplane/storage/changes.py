"""What other replicas changed: read from where triggers noted it. PostgreSQL only.

Numbers of rows, and clocks, are given before a commit: whoever asks for what is
above the last one seen loses what is committed late. So a reader remembers the
snapshot of its last look (which transactions were visible to it), and is given
the rows of all transactions that have become visible since. A server that broke
down may give numbers of transactions again, whose rows were never visible, but
none of a row: what is above the last one seen is given as well.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import MINUTE
from controlplane.storage.database import Database

# A reader that was away for longer reads everything anew.
KEPT: Final[Duration] = 15 * MINUTE
# Rows stay twice as long: a transaction may note a change a while before its end.
_TRIMMED: Final[Duration] = 2 * KEPT
_STEP: Final = 10_000

_NOW: Final = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at"
_SNAPSHOT: Final = "pg_current_snapshot()::text AS snapshot"
_POSITION: Final = text(
    f"SELECT {_SNAPSHOT}, {_NOW}, (SELECT coalesce(max(id), 0) FROM changes) AS last"  # noqa: S608 - as below
)
# One statement has one snapshot: what it returns is what it was read with. One
# that ends before the last one's began comes from another, restored, database.
_SINCE: Final = text(
    f"""
    SELECT {_SNAPSHOT}, {_NOW},
        pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(before.seen) AS restored,
        new.kind, new.key, new.last
    FROM (SELECT CAST(CAST(:snapshot AS text) AS pg_snapshot) AS seen) AS before
    LEFT JOIN LATERAL (
        SELECT kind, key, max(id) AS last FROM changes
        WHERE id > :last OR (
            xid >= CAST(CAST(pg_snapshot_xmin(before.seen) AS text) AS bigint)
            AND NOT pg_visible_in_snapshot(CAST(CAST(xid AS text) AS xid8), before.seen)
        )
        GROUP BY kind, key
    ) AS new ON true
    """  # noqa: S608 - two expressions from above
)
_TRIM: Final = text(
    """
    DELETE FROM changes WHERE id IN (
        SELECT id FROM changes WHERE at < :before ORDER BY at LIMIT :step FOR UPDATE SKIP LOCKED
    )
    """
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has read: a snapshot, when it was taken, and the highest row seen.

    The time is that of the database.
    """

    snapshot: str
    at: Timestamp
    last: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What has changed: keys by kind; or `everything`, when that is not known any more."""

    keys: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    everything: bool = False


class SqlChanges:
    """The changes of mirrored tables, whoever made them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def position(self) -> Cursor:
        """Return a cursor: what is committed now counts as read. Raises Unavailable."""
        async with self._db.read() as connection:
            row = (await connection.execute(_POSITION)).one()
        return Cursor(row.snapshot, row.at, row.last)

    async def since(self, cursor: Cursor) -> tuple[Cursor, News]:
        """Return what was committed since, and the cursor for next time. Raises Unavailable."""
        seen = {"snapshot": cursor.snapshot, "last": cursor.last}
        async with self._db.read() as connection:
            rows = (await connection.execute(_SINCE, seen)).all()
        last = max(cursor.last, *(row.last or 0 for row in rows))
        new = Cursor(rows[0].snapshot, rows[0].at, last)
        if rows[0].restored:
            return await self.position(), News(everything=True)
        if new.at - cursor.at > KEPT:
            return new, News(everything=True)
        keys: dict[str, set[str]] = {}
        for row in rows:
            if row.kind is not None:
                keys.setdefault(row.kind, set()).add(row.key)
        return new, News(keys)

    async def trim(self) -> int:
        """Delete what no reader needs any more; return how many rows. Raises Unavailable."""
        before, total = (await self.position()).at - _TRIMMED, 0
        while True:
            async with self._db.begin() as connection:
                done = await connection.execute(_TRIM, {"before": before, "step": _STEP})
            total += done.rowcount
            if done.rowcount < _STEP:
                return total
