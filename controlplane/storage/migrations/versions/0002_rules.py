"""The state of rules."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    op.create_table(
        "rule_alerts",
        sa.Column("rule_id", sa.String(32), nullable=False),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("value", sa.String(32), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("active_at", sa.BigInteger(), nullable=False),
        sa.Column("fired_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=False),
        sa.Column("keep_firing_since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "fingerprint", name="pk_rule_alerts"),
        sa.CheckConstraint(
            "state IN ('inactive', 'pending', 'firing')", name=op.f("ck_rule_alerts_state")
        ),
    )


def downgrade() -> None:
    op.drop_table("rule_alerts")
