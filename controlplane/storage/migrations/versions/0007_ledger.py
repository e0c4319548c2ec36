"""The decision ledger."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "decisions",
        sa.Column("id", serial, nullable=False),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("aspect", sa.String(16), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_fingerprint_id", "decisions", ["fingerprint", "id"])
    op.create_index("ix_decisions_at", "decisions", ["at"])
    op.create_table(
        "alert_history",
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("timeout", sa.Boolean(), nullable=False),
        sa.Column("generator_url", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_alert_history"),
    )
    op.create_index("ix_alert_history_ends_at", "alert_history", ["ends_at"])


def downgrade() -> None:
    op.drop_table("alert_history")
    op.drop_table("decisions")
