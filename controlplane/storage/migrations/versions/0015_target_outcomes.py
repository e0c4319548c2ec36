"""How each target stands, told by the replica that probes it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from controlplane.storage.noting import note_changes, note_no_changes

revision: Final = "0015"
down_revision: Final = "0014"


def upgrade() -> None:
    op.create_table(
        "target_outcomes",
        sa.Column("target_id", sa.String(32), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("replica", sa.String(253), nullable=False),
        sa.PrimaryKeyConstraint("target_id", name="pk_target_outcomes"),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["targets.id"],
            name="fk_target_outcomes_target_id_targets",
            ondelete="CASCADE",
        ),
    )
    note_changes("target_outcomes", key="target_id", kind="outcome")


def downgrade() -> None:
    note_no_changes("target_outcomes")
    op.drop_table("target_outcomes")
