"""Outbox, notification log, incidents, dead letters."""

from typing import Final

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Outbox, notification log, incidents, dead letters."""


def downgrade() -> None:
    """Outbox, notification log, incidents, dead letters."""
