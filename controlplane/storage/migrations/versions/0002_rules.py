"""The state of rules."""

from typing import Final

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """The state of rules."""


def downgrade() -> None:
    """The state of rules."""
