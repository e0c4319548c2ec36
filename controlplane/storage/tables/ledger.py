"""Decisions on alerts, and the alerts that they are about."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from controlplane.storage.growth import Expires, Growth
from controlplane.storage.schema import Document, Millis, Serial, metadata

decisions: Final = Table(
    "decisions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("fingerprint", String(16), nullable=False),
    Column("at", Millis, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("aspect", String(16), nullable=False),
    Column("place", Text, nullable=False),
    Column("detail", Document, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Index("ix_decisions_fingerprint_id", "fingerprint", "id"),
    Index("ix_decisions_at", "at"),
)

# An alert as it was when it last began or ended; `ends_at` is NULL while it fires.
alert_history: Final = Table(
    "alert_history",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("labels", Document, nullable=False),
    Column("annotations", Document, nullable=False),
    Column("starts_at", Millis, nullable=False),
    Column("ends_at", Millis),
    Column("updated_at", Millis, nullable=False),
    Column("timeout", Boolean, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Index("ix_alert_history_ends_at", "ends_at"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Expires(decisions, since=decisions.c.at, keep="ledger"),
    Expires(alert_history, since=alert_history.c.ends_at, keep="ledger"),
)
