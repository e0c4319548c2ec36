"""How each target stands, told by the replica that probes it to all others."""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, String, Table

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Millis, metadata

target_outcomes: Final = Table(
    "target_outcomes",
    metadata,
    Column("target_id", String(32), ForeignKey("targets.id", ondelete="CASCADE"), primary_key=True),
    Column("success", Boolean, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("since", Millis, nullable=False),
    # Later for each word on a target: an older one never replaces a newer.
    Column("at", Millis, nullable=False),
    Column("replica", String(253), nullable=False),
)

GROWTH: Final[tuple[Growth, ...]] = (Bounded(target_outcomes, because="one row a target"),)
