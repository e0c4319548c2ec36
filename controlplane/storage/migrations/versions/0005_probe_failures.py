"""The evidence of failed probes."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "probe_failures",
        sa.Column("id", serial, nullable=False),
        sa.Column("target_id", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_probe_failures"),
    )
    op.create_index("ix_probe_failures_target_id_id", "probe_failures", ["target_id", "id"])
    op.create_index("ix_probe_failures_at", "probe_failures", ["at"])


def downgrade() -> None:
    op.drop_table("probe_failures")
