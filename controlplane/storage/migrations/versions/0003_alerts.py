"""Active alerts."""

from typing import Final

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Active alerts."""


def downgrade() -> None:
    """Active alerts."""
