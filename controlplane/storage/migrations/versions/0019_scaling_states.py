"""What each autoscaling policy says now, repeats too, for the replicas that do not evaluate it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from controlplane.storage.noting import note_changes, note_no_changes

revision: Final = "0019"
down_revision: Final = "0018"


def upgrade() -> None:
    op.create_table(
        "scaling_states",
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("current", sa.Integer(), nullable=True),
        sa.Column("desired", sa.Integer(), nullable=True),
        sa.Column("limited_by_max", sa.Boolean(), nullable=False),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("policy", name="pk_scaling_states"),
    )
    note_changes("scaling_states", key="policy", kind="scaling_state")


def downgrade() -> None:
    note_no_changes("scaling_states")
    op.drop_table("scaling_states")
