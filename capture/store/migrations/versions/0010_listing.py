"""The inbox counts and lists a practice's requests by state."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """One index."""
    op.create_index("ix_requests_practice_id_state_issued_at", "requests", ["practice_id", "state", "issued_at"])
