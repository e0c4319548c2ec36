"""What changed in the tables that replicas mirror: noted by triggers, on PostgreSQL."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from controlplane.storage.noting import note_changes, note_no_changes

revision: Final = "0014"
down_revision: Final = "0013"

# Each table with its key, and the word that its changes are known by.
_MIRRORED: Final = (
    ("rule_alerts", "rule_id", "rule"),
    ("alerts", "fingerprint", "alert"),
    ("silences", "id", "silence"),
    ("status_incidents", "id", "incident"),
    ("planned_maintenance", "id", "maintenance"),
)


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "changes",
        sa.Column("id", serial, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
    )
    op.create_index("ix_changes_xid", "changes", ["xid"])
    op.create_index("ix_changes_at", "changes", ["at"])
    # Leases are renewed all the time, and read by two columns.
    note_changes("targets", key="id", kind="target", apart="renewed_at", apart_kind="renewal")
    for table, key, kind in _MIRRORED:
        note_changes(table, key=key, kind=kind)


def downgrade() -> None:
    for table, _, _ in reversed(_MIRRORED):
        note_no_changes(table)
    note_no_changes("targets")
    op.drop_table("changes")
