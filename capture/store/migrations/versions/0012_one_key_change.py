"""At most one change of a practice's keys waits."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
WAITS = sa.text("closed_at IS NULL")


def upgrade() -> None:
    """Where two wait, which only two managers at the same moment could bring about, all of them end as taken back."""
    op.execute(
        "UPDATE key_changes SET closed_at = proposed_at WHERE closed_at IS NULL AND practice_id IN"
        " (SELECT practice_id FROM key_changes WHERE closed_at IS NULL GROUP BY practice_id HAVING count(*) > 1)"
    )
    op.create_index(
        "ix_key_changes_waiting", "key_changes", ["practice_id"], unique=True, sqlite_where=WAITS, postgresql_where=WAITS
    )
