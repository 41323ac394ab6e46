"""Deliveries go in order for each practice and inbox, may be under way, and remember each try that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    """What is there is put in the order in which it was sent: by the number of its audit event."""
    with op.batch_alter_table("deliveries") as table:
        table.add_column(sa.Column("practice_id", sa.String(length=32), nullable=True))
        table.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("reference", sa.String(length=100), nullable=False, server_default=""))
        table.add_column(sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_audit_practice_id_subject", "audit", ["practice_id", "subject"])  # by which the numbers are found
    op.execute("UPDATE deliveries SET practice_id = (SELECT practice_id FROM bundles WHERE bundles.id = deliveries.bundle_id)")
    op.execute(
        "UPDATE deliveries SET number = coalesce((SELECT audit.number FROM audit JOIN bundles ON audit.subject = bundles.request_id"
        " WHERE bundles.id = deliveries.bundle_id AND audit.practice_id = deliveries.practice_id"
        " AND audit.action = 'request submitted'), 0)"
    )
    with op.batch_alter_table("deliveries") as table:
        table.alter_column("practice_id", existing_type=sa.String(length=32), nullable=False)
        table.create_foreign_key("fk_deliveries_practice_id", "practices", ["practice_id"], ["id"])
    columns = ["practice_id", "inbox", "number"]
    op.create_index("ix_deliveries_queued", "deliveries", columns, sqlite_where=QUEUED, postgresql_where=QUEUED)
    op.create_table(
        "delivery_tries",
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_delivery_tries_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_delivery_tries"),
    )
