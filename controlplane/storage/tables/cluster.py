"""Several replicas: which process owns which shard of the work, and who they are."""

from typing import Final

from sqlalchemy import Boolean, Column, SmallInteger, String, Table, Text

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Document, Millis, metadata

# `owner` is a process, as `name/incarnation`; nobody has a shard whose owner is empty. `token`
# grows with each owner and never falls: what was decided under another one is refused.
shards: Final = Table(
    "shards",
    metadata,
    Column("role", String(16), primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False, server_default=""),
    Column("token", Millis, nullable=False, server_default="0"),
    # When it got its owner, by the clock of the database, or until when the one who left it
    # had done all that was due, by that one's; 0: it never had one.
    Column("changed_at", Millis, nullable=False, server_default="0"),
)

# A row for each process; `seen_at` is by the clock of the database, as no two replicas agree.
replicas: Final = Table(
    "replicas",
    metadata,
    Column("name", String(253), primary_key=True),
    Column("incarnation", String(32), primary_key=True),
    Column("roles", Document, nullable=False),
    Column("url", Text, nullable=False),
    # Whether it coordinates with others: who does not takes itself for the only one.
    Column("cluster", Boolean, nullable=False),
    Column("started_at", Millis, nullable=False),
    Column("seen_at", Millis, nullable=False),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(shards, because="256 rows for each role"),
    Bounded(replicas, because="each start deletes those that were last seen a day ago"),
)
