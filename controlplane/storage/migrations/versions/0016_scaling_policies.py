"""Autoscaling policies that the API was sent."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from controlplane.storage.noting import note_changes, note_no_changes

revision: Final = "0016"
down_revision: Final = "0015"


def upgrade() -> None:
    op.create_table(
        "scaling_policies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_scaling_policies"),
    )
    note_changes("scaling_policies", key="name", kind="scaling_policy")


def downgrade() -> None:
    note_no_changes("scaling_policies")
    op.drop_table("scaling_policies")
