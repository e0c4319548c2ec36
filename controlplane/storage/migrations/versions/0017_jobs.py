"""The runs of scheduled jobs."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0017"
down_revision: Final = "0016"


def upgrade() -> None:
    unfinished = sa.text("state IN ('running', 'waiting')")
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "job_runs",
        sa.Column("id", serial, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'waiting', 'success', 'dead')", name="ck_job_runs_state"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_job_runs"),
    )
    op.create_index("uq_job_runs_name_due_at", "job_runs", ["name", "due_at"], unique=True)
    op.create_index(
        "ix_job_runs_unfinished",
        "job_runs",
        ["name"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index("ix_job_runs_ended_at", "job_runs", ["ended_at"])


def downgrade() -> None:
    op.drop_table("job_runs")
