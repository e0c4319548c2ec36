"""What people write for status pages: incidents with their updates, planned maintenance."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, String, Table

from controlplane.storage.growth import Expires, Growth
from controlplane.storage.schema import Document, Millis, metadata

status_incidents: Final = Table(
    "status_incidents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("resolved_at", Millis),
    Column("incident", Document, nullable=False),
    Index("ix_status_incidents_resolved_at", "resolved_at"),
)

planned_maintenance: Final = Table(
    "planned_maintenance",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("starts_at", Millis, nullable=False),
    Column("ends_at", Millis, nullable=False),
    Column("plan", Document, nullable=False),
    CheckConstraint("starts_at < ends_at", name="times"),
    Index("ix_planned_maintenance_ends_at", "ends_at"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    # One that is not resolved stays.
    Expires(status_incidents, since=status_incidents.c.resolved_at, keep="incidents"),
    Expires(planned_maintenance, since=planned_maintenance.c.ends_at, keep="incidents"),
)
