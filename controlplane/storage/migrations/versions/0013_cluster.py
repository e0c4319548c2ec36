"""Which process owns which shard of the work, and who they are."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0013"
down_revision: Final = "0012"

_ROLES: Final = ("prober", "evaluator", "notifier")


def upgrade() -> None:
    shards = op.create_table(
        "shards",
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, server_default=""),
        sa.Column("token", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("role", "shard", name="pk_shards"),
    )
    op.bulk_insert(
        shards, [{"role": role, "shard": shard} for role in _ROLES for shard in range(256)]
    )
    op.create_table(
        "replicas",
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("incarnation", sa.String(32), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "incarnation", name="pk_replicas"),
    )


def downgrade() -> None:
    op.drop_table("replicas")
    op.drop_table("shards")
