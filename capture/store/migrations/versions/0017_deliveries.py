"""An index for the page of deliveries, and whether a practice is told of photos that arrive."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """A practice's deliveries in one state, in their order; one column."""
    op.create_index("ix_deliveries_practice_id_state_number", "deliveries", ["practice_id", "state", "number"])
    op.add_column("practices", sa.Column("notice_arrived", sa.Boolean(), nullable=False, server_default=sa.true()))
