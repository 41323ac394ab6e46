"""Intimate places by the practice's choice; handing over to another phone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Columns are added one by one, which SQLite does in place: no table that others point to is made anew."""
    op.add_column("practices", sa.Column("intimate_allowed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("requests", sa.Column("hand_over_hash", sa.String(length=64), nullable=True))
    op.add_column("requests", sa.Column("hand_over_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_requests_hand_over_hash", "requests", ["hand_over_hash"], unique=True)
