"""Asking: templates that a practice keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "request_templates",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("practice_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("side", sa.String(5), nullable=False),
        sa.Column("protocol", sa.String(40), nullable=False),
        sa.Column("message", sa.String(300), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["practice_id"], ["practices.id"], name="fk_request_templates_practice_id"),
        sa.PrimaryKeyConstraint("id", name="pk_request_templates"),
        sa.UniqueConstraint("practice_id", "name", name="uq_request_templates_practice_id_name"),
    )
