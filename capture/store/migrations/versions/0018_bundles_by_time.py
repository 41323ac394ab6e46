"""A practice's bundles by time, for systems that go through all of them."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """In the place of the index by practice alone."""
    op.create_index("ix_bundles_practice_id_created_at", "bundles", ["practice_id", "created_at"])
    op.drop_index("ix_bundles_practice_id", "bundles")
