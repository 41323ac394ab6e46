"""Indexes for ten million requests: what pages, systems and the worker ask for is found without looking at what is over."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
QUEUED, WAITS = sa.text("state = 'queued'"), sa.text("wait_until IS NOT NULL")


def upgrade() -> None:
    """The new ones first, so that those they take the place of are missed by nobody."""
    op.create_index("ix_requests_practice_id_changed_at", "requests", ["practice_id", "changed_at"])
    op.create_index("ix_requests_practice_id_state_changed_at", "requests", ["practice_id", "state", "changed_at"])
    op.drop_index("ix_requests_practice_id_state_issued_at", "requests")
    op.create_index("ix_requests_wait_until", "requests", ["wait_until"], sqlite_where=WAITS, postgresql_where=WAITS)
    op.create_index("ix_audit_practice_id_action_at", "audit", ["practice_id", "action", "at"])
    op.create_index("ix_messages_practice_id_kind_wanted_at", "messages", ["practice_id", "kind", "wanted_at"])
    op.drop_index("ix_messages_practice_id", "messages")
    op.create_index("ix_webhook_deliveries_settled_at", "webhook_deliveries", ["settled_at"])
    op.create_index(
        "ix_webhook_deliveries_queued", "webhook_deliveries", ["webhook_id", "number"], sqlite_where=QUEUED, postgresql_where=QUEUED
    )
