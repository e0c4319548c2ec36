"""What came of the last turn of each check-in."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from controlplane.storage.noting import note_changes, note_no_changes

revision: Final = "0018"
down_revision: Final = "0017"


def upgrade() -> None:
    op.create_table(
        "check_ins",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_check_ins"),
    )
    note_changes("check_ins", key="name", kind="check_in")


def downgrade() -> None:
    note_no_changes("check_ins")
    op.drop_table("check_ins")
