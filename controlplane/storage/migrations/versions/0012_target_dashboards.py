"""The dashboard that a target asks for."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0012"
down_revision: Final = "0011"


def upgrade() -> None:
    op.add_column("targets", sa.Column("dashboard", sa.Text()))


def downgrade() -> None:
    op.drop_column("targets", "dashboard")
