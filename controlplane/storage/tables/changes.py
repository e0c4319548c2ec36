"""What changed in the tables that replicas mirror. PostgreSQL fills it by triggers."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Millis, Serial, metadata

# `xid` is the transaction that wrote the row, as a number: numbers of rows are
# given before a commit, so that only transactions tell what is new to a reader.
changes: Final = Table(
    "changes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("key", Text, nullable=False),
    Column("at", Millis, nullable=False),
    Column("xid", BigInteger, nullable=False),
    Index("ix_changes_xid", "xid"),
    Index("ix_changes_at", "at"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(changes, because="what is over half an hour old goes each hour; none on SQLite"),
)
