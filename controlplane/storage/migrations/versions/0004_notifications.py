"""Outbox, notification log, incidents, dead letters."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"

_OPEN: Final = sa.text("closed_at IS NULL")
_UNFINISHED: Final = sa.text("state IN ('queued', 'sending')")


def upgrade() -> None:
    _incidents()
    _messages()
    _attempts()
    _notified()


def downgrade() -> None:
    for table in ("notified_alerts", "notification_attempts", "messages", "incidents"):
        op.drop_table(table)


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("integration", sa.String(64), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("group_id", sa.String(64), nullable=False),
        sa.Column("group_labels", sa.JSON(), nullable=False),
        sa.Column("labels_id", sa.String(16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.JSON()),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.Column("queued", sa.JSON()),
        sa.Column("queued_id", sa.BigInteger()),
        sa.Column("queued_at", sa.BigInteger()),
        sa.Column("exposed", sa.Boolean(), nullable=False),
        sa.Column("external", sa.JSON(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
    )
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["receiver", "integration", "group_id"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index(
        "ix_incidents_open_labels",
        "incidents",
        ["receiver", "labels_id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index("ix_incidents_closed_at", "incidents", ["closed_at"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("incident_id", sa.String(32), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("integration", sa.String(64), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("exposed_before", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name="fk_messages_incident_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'delivered', 'superseded', 'dead')",
            name=op.f("ck_messages_state"),
        ),
        sa.CheckConstraint(
            "(state IN ('queued', 'sending')) = (finished_at IS NULL)",
            name=op.f("ck_messages_finished"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_incident_id_id", "messages", ["incident_id", "id"])
    op.create_index(
        "ix_messages_unfinished",
        "messages",
        ["receiver", "integration", "next_attempt_at"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index("ix_messages_state_finished_at", "messages", ["state", "finished_at"])


def _attempts() -> None:
    op.create_table(
        "notification_attempts",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("reason", sa.String(32)),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "number", name="pk_notification_attempts"),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
            name="fk_notification_attempts_message_id",
            ondelete="CASCADE",
        ),
    )


def _notified() -> None:
    op.create_table(
        "notified_alerts",
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "message_id", name="pk_notified_alerts"),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
            name="fk_notified_alerts_message_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_notified_alerts_message_id", "notified_alerts", ["message_id"])
