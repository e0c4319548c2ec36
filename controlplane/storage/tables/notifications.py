"""The notification log with its open incidents, the outbox, and what came of each attempt."""

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from controlplane.storage.growth import Bounded, Expires, Growth
from controlplane.storage.schema import Document, Millis, Serial, metadata

_OPEN: Final = text("closed_at IS NULL")
_UNFINISHED: Final = text("state IN ('queued', 'sending')")

# A row is one conversation with one integration about one alert group.
# `group_id` is the SHA-256 of the group key, which may be too long for an
# index; `labels_id` is the fingerprint of the group's labels.
incidents: Final = Table(
    "incidents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("integration", String(64), nullable=False),
    Column("group_key", Text, nullable=False),
    Column("group_id", String(64), nullable=False),
    Column("group_labels", Document, nullable=False),
    Column("labels_id", String(16), nullable=False),
    Column("key", Text, nullable=False),
    Column("opened_at", Millis, nullable=False),
    Column("delivered", Document),
    Column("delivered_at", Millis),
    Column("queued", Document),
    Column("queued_id", Millis),
    Column("queued_at", Millis),
    Column("exposed", Boolean, nullable=False),
    Column("external", Document, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("retry_at", Millis, nullable=False),
    Column("closed_at", Millis),
    Index(
        "uq_incidents_open",
        "receiver",
        "integration",
        "group_id",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index(
        "ix_incidents_open_labels",
        "receiver",
        "labels_id",
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index("ix_incidents_closed_at", "closed_at"),
)

# Numbers never come back: the order of an incident's messages is that of their ids.
messages: Final = Table(
    "messages",
    metadata,
    Column("id", Serial, primary_key=True),
    Column(
        "incident_id",
        String(32),
        ForeignKey("incidents.id", name="fk_messages_incident_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("receiver", Text, nullable=False),
    Column("integration", String(64), nullable=False),
    Column("told", Document, nullable=False),
    Column("content", Document, nullable=False),
    Column("created_at", Millis, nullable=False),
    Column("next_attempt_at", Millis, nullable=False),
    Column("expires_at", Millis, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("exposed_before", Boolean, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Millis, nullable=False),
    Column("finished_at", Millis),
    Column("failure", Text, nullable=False),
    CheckConstraint(
        "state IN ('queued', 'sending', 'delivered', 'superseded', 'dead')", name="state"
    ),
    CheckConstraint("(state IN ('queued', 'sending')) = (finished_at IS NULL)", name="finished"),
    Index("ix_messages_incident_id_id", "incident_id", "id"),
    Index(
        "ix_messages_unfinished",
        "receiver",
        "integration",
        "next_attempt_at",
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    ),
    Index("ix_messages_state_finished_at", "state", "finished_at"),
    # How a receiver fared lately, however many messages the others have had since.
    Index("ix_messages_channel", "receiver", "integration", "id"),
    sqlite_autoincrement=True,
)

attempts: Final = Table(
    "notification_attempts",
    metadata,
    Column(
        "message_id",
        Millis,
        ForeignKey("messages.id", name="fk_notification_attempts_message_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("number", Integer, primary_key=True),
    Column("at", Millis, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("status_code", Integer),
    Column("reason", String(32)),
    Column("detail", Text, nullable=False),
)

# Which alerts a message was about: the way from an alert to its notifications.
notified: Final = Table(
    "notified_alerts",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column(
        "message_id",
        Millis,
        ForeignKey("messages.id", name="fk_notified_alerts_message_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Index("ix_notified_alerts_message_id", "message_id"),
)

_DONE: Final = messages.c.state.in_(("delivered", "superseded"))

GROWTH: Final[tuple[Growth, ...]] = (
    # A closed incident takes its messages along, so it stays as long as the dead ones.
    Expires(incidents, since=incidents.c.closed_at, keep="dead_letters"),
    Expires(messages, since=messages.c.finished_at, keep="notifications", where=_DONE),
    Expires(
        messages,
        since=messages.c.finished_at,
        keep="dead_letters",
        where=messages.c.state == "dead",
    ),
    Bounded(attempts, because="they go with their message"),
    Bounded(notified, because="they go with their message"),
)
