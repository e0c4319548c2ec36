"""The alerts that are active, and those that ended a short while ago."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, String, Table, Text

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Document, Millis, metadata

alerts: Final = Table(
    "alerts",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("labels", Document, nullable=False),
    Column("annotations", Document, nullable=False),
    Column("starts_at", Millis, nullable=False),
    Column("ends_at", Millis, nullable=False),
    Column("updated_at", Millis, nullable=False),
    Column("timeout", Boolean, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    CheckConstraint("starts_at <= ends_at", name="times"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(alerts, because="at most `limit` active ones; ended ones go after `resolved_kept`"),
)
