"""What is due to be deleted is noted, and sealed parts that are to be removed are listed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """A table, a column, and two indexes to find what is due."""
    op.create_table(
        "blob_deletions",
        sa.Column("blob", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("blob", name="pk_blob_deletions"),
    )
    op.add_column("requests", sa.Column("due_noted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_requests_due_noted_at", "requests", ["due_noted_at"])
    op.create_index("ix_requests_state_changed_at", "requests", ["state", "changed_at"])
