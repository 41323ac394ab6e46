"""What the scrub found, and how far it has come."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "damages",
        sa.Column("photo_id", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name="fk_damages_photo_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo_id", name="pk_damages"),
    )
    op.create_table(
        "scrub_rounds",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("position", sa.String(length=100), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_scrub_rounds"),
    )
