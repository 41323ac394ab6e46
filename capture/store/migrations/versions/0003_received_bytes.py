"""Count the bytes that a link has brought."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A column that SQLite adds in place."""
    op.add_column("requests", sa.Column("received_bytes", sa.BigInteger(), nullable=False, server_default="0"))
