"""Registered targets, and what operators set on them."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, String, Table, Text

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Document, Millis, metadata

# A registration replaces all that stands above `created_at`; the operator_*
# columns survive it. A file's targets have rows too, so that their ids and
# what an operator set on them outlive a restart.
targets: Final = Table(
    "targets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("provenance", String(16), nullable=False),
    Column("url", Text),
    Column("address", Text),
    Column("module", Text, nullable=False),
    Column("interval", Millis),
    Column("labels", Document, nullable=False),
    Column("metrics_url", Text),
    Column("lease", Millis),
    Column("depends_on", Document, nullable=False),
    Column("dashboard", Text),
    Column("created_at", Millis, nullable=False),
    Column("updated_at", Millis, nullable=False),
    Column("renewed_at", Millis, nullable=False),
    Column("operator_paused", Boolean, nullable=False),
    Column("operator_labels", Document, nullable=False),
    Column("operator_actor", Text, nullable=False),
    Column("operator_changed_at", Millis),
    CheckConstraint("(url IS NULL) <> (address IS NULL)", name="one_endpoint"),
    CheckConstraint("provenance IN ('file', 'api', 'discovered')", name="provenance"),
    CheckConstraint('"interval" > 0', name="interval_positive"),
    CheckConstraint("lease > 0", name="lease_positive"),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(targets, because="one row a target, at most `max_targets`; leases remove the dead"),
)
