"""When a way station took a delivery."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """One column."""
    with op.batch_alter_table("deliveries") as table:
        table.add_column(sa.Column("handed_at", sa.DateTime(timezone=True), nullable=True))
