"""Silences and their history."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "silences",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("silence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
        sa.CheckConstraint("starts_at <= ends_at", name=op.f("ck_silences_times")),
    )
    op.create_table(
        "silence_changes",
        sa.Column("id", serial, nullable=False),
        sa.Column("silence_id", sa.String(36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("silence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silence_changes"),
        sa.ForeignKeyConstraint(
            ["silence_id"],
            ["silences.id"],
            name="fk_silence_changes_silence_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "action IN ('created', 'changed', 'expired')", name=op.f("ck_silence_changes_action")
        ),
    )
    op.create_index("ix_silence_changes_silence_id_id", "silence_changes", ["silence_id", "id"])


def downgrade() -> None:
    op.drop_table("silence_changes")
    op.drop_table("silences")
