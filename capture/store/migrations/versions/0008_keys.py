"""Proving, changing and unlocking keys.

Keys that were here before are unproven, and their practices prove them once. The practice's MAC does not cover what is empty in
a column that came later, so it remains right.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Columns are added one by one, which SQLite does in place."""
    for name in ("proved_at", "used_from"):
        op.add_column("recipients", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("memberships", sa.Column("keys_seen_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "key_tests",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("recipient_id", sa.String(length=32), nullable=False),
        sa.Column("answer_hash", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.String(length=80), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["recipient_id"], ["recipients.id"], name=op.f("fk_key_tests_recipient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_tests")),
        sa.UniqueConstraint("answer_hash", name=op.f("uq_key_tests_answer_hash")),
    )
    op.create_index(op.f("ix_key_tests_recipient_id"), "key_tests", ["recipient_id"])
    op.create_table(
        "key_changes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("practice_id", sa.String(length=32), nullable=False),
        sa.Column("added_id", sa.String(length=32), nullable=True),
        sa.Column("retired_id", sa.String(length=32), nullable=True),
        sa.Column("proposed_by", sa.String(length=32), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.String(length=32), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["practice_id"], ["practices.id"], name=op.f("fk_key_changes_practice_id")),
        sa.ForeignKeyConstraint(["proposed_by"], ["members.id"], name=op.f("fk_key_changes_proposed_by")),
        sa.ForeignKeyConstraint(["confirmed_by"], ["members.id"], name=op.f("fk_key_changes_confirmed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_changes")),
    )
    op.create_index(op.f("ix_key_changes_practice_id"), "key_changes", ["practice_id"])
    op.create_table(
        "unlockers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=32), nullable=False),
        sa.Column("recipient_id", sa.String(length=32), nullable=False),
        sa.Column("credential", sa.String(length=3000), nullable=False),
        sa.Column("file", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_unlockers_member_id")),
        sa.ForeignKeyConstraint(["recipient_id"], ["recipients.id"], name=op.f("fk_unlockers_recipient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unlockers")),
    )
    op.create_index(op.f("ix_unlockers_member_id"), "unlockers", ["member_id"])
