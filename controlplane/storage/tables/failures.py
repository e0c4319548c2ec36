"""The evidence of each target's last failed probes."""

from typing import Final

from sqlalchemy import Column, Index, String, Table

from controlplane.storage.growth import Expires, Growth
from controlplane.storage.schema import Document, Millis, Serial, metadata

# No foreign key: evidence arrives in batches, and one row of a target that was
# deleted meanwhile must not refuse the others. Ids of targets never come back,
# so what is left behind belongs to nobody and goes by age.
probe_failures: Final = Table(
    "probe_failures",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("target_id", String(32), nullable=False),
    Column("at", Millis, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("evidence", Document, nullable=False),
    Index("ix_probe_failures_target_id_id", "target_id", "id"),
    Index("ix_probe_failures_at", "at"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    # Besides, each write keeps only the last few rows of its targets.
    Expires(probe_failures, since=probe_failures.c.at, keep="probe_failures"),
)
