"""The registry of targets."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    op.create_table(
        "targets",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("provenance", sa.String(16), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("address", sa.Text()),
        sa.Column("module", sa.Text(), nullable=False),
        sa.Column("interval", sa.BigInteger()),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("metrics_url", sa.Text()),
        sa.Column("lease", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("renewed_at", sa.BigInteger(), nullable=False),
        sa.Column("operator_paused", sa.Boolean(), nullable=False),
        sa.Column("operator_labels", sa.JSON(), nullable=False),
        sa.Column("operator_actor", sa.Text(), nullable=False),
        sa.Column("operator_changed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_targets"),
        sa.UniqueConstraint("name", name="uq_targets_name"),
        sa.CheckConstraint(
            "(url IS NULL) <> (address IS NULL)", name=op.f("ck_targets_one_endpoint")
        ),
        sa.CheckConstraint(
            "provenance IN ('file', 'api', 'discovered')", name=op.f("ck_targets_provenance")
        ),
        sa.CheckConstraint('"interval" > 0', name=op.f("ck_targets_interval_positive")),
        sa.CheckConstraint("lease > 0", name=op.f("ck_targets_lease_positive")),
    )


def downgrade() -> None:
    op.drop_table("targets")
