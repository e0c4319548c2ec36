"""Silences, and what was ever done to each."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, Table, Text

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Document, Millis, Serial, metadata

silences: Final = Table(
    "silences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("starts_at", Millis, nullable=False),
    Column("ends_at", Millis, nullable=False),
    Column("silence", Document, nullable=False),
    CheckConstraint("starts_at <= ends_at", name="times"),
)

silence_changes: Final = Table(
    "silence_changes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("silence_id", String(36), ForeignKey("silences.id", ondelete="CASCADE"), nullable=False),
    Column("at", Millis, nullable=False),
    Column("action", String(16), nullable=False),
    Column("by", Text, nullable=False),
    Column("silence", Document, nullable=False),
    CheckConstraint("action IN ('created', 'changed', 'expired')", name="action"),
    Index("ix_silence_changes_silence_id_id", "silence_id", "id"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(silences, because="at most `max_silences`; expired ones go after their retention"),
    Bounded(silence_changes, because="they go with their silence, which changes by hand only"),
)
