"""Rollups of uptime, incidents, planned maintenance."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0010"
down_revision: Final = "0009"


def upgrade() -> None:
    op.create_table(
        "uptime_rows",
        sa.Column("level", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("cells", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "starts_at", "subject", name="pk_uptime_rows"),
        sa.CheckConstraint("level BETWEEN 0 AND 2", name=op.f("ck_uptime_rows_level")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "uptime_progress",
        sa.Column("level", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("folded_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("level", name="pk_uptime_progress"),
    )
    op.create_table(
        "status_incidents",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("incident", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_status_incidents"),
    )
    op.create_index("ix_status_incidents_resolved_at", "status_incidents", ["resolved_at"])
    op.create_table(
        "planned_maintenance",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_planned_maintenance"),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_planned_maintenance_times")),
    )
    op.create_index("ix_planned_maintenance_ends_at", "planned_maintenance", ["ends_at"])


def downgrade() -> None:
    op.drop_table("planned_maintenance")
    op.drop_table("status_incidents")
    op.drop_table("uptime_progress")
    op.drop_table("uptime_rows")
