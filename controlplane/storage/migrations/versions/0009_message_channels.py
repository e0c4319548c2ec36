"""Messages by the receiver and integration that they are for."""

from typing import Final

from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"


def upgrade() -> None:
    op.create_index("ix_messages_channel", "messages", ["receiver", "integration", "id"])


def downgrade() -> None:
    op.drop_index("ix_messages_channel", table_name="messages")
