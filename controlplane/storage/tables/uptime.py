"""Rollups of uptime: a row for each subject and span of a level."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, LargeBinary, SmallInteger, String, Table

from controlplane.storage.growth import Bounded, Expires, Growth
from controlplane.storage.schema import Millis, metadata

# The key begins with the time: the rows of a minute's flush lie side by side.
# No foreign key: a target that was deleted keeps its past until it is old.
uptime_rows: Final = Table(
    "uptime_rows",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("starts_at", Millis, primary_key=True, autoincrement=False),
    Column("subject", String(200), primary_key=True),
    Column("cells", LargeBinary, nullable=False),
    CheckConstraint("level BETWEEN 0 AND 2", name="level"),
    sqlite_with_rowid=False,
)

uptime_progress: Final = Table(
    "uptime_progress",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("folded_until", Millis, nullable=False),
)

_LEVELS: Final = ("uptime_minutes", "uptime_hours", "uptime_days")

GROWTH: Final[tuple[Growth, ...]] = (
    *(
        Expires(
            uptime_rows,
            since=uptime_rows.c.starts_at,
            keep=keep,
            where=uptime_rows.c.level == level,
        )
        for level, keep in enumerate(_LEVELS)
    ),
    Bounded(uptime_progress, because="a row for each level"),
)
