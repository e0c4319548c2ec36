"""The alerts of each rule, so that a restart neither forgets nor repeats one."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, String, Table

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Document, Millis, metadata

rule_alerts: Final = Table(
    "rule_alerts",
    metadata,
    Column("rule_id", String(32), primary_key=True),
    Column("fingerprint", String(16), primary_key=True),
    Column("labels", Document, nullable=False),
    Column("annotations", Document, nullable=False),
    # As text: it may be NaN or infinite, which SQLite's numbers cannot.
    Column("value", String(32), nullable=False),
    Column("state", String(8), nullable=False),
    Column("active_at", Millis, nullable=False),
    Column("fired_at", Millis, nullable=False),
    Column("resolved_at", Millis, nullable=False),
    Column("keep_firing_since", Millis, nullable=False),
    CheckConstraint("state IN ('inactive', 'pending', 'firing')", name="state"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(
        rule_alerts,
        because="a row each active alert; ended ones go after 15 minutes",
    ),
)
