"""What a practice chooses for itself; cases, and photos that wait too long."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TEXTS = {
    "logo_text": (60, ""),
    "opening_hours": (500, ""),
    "preset": (40, "ers-5mb"),
    "protocols_off": (400, ""),
    "languages": (200, ""),
    "notice_email": (254, ""),
}
NUMBERS = {"wait_hours": 16, "remind_days": 3, "keep_attached_days": 30, "keep_collected_days": 90}


def upgrade() -> None:
    """Columns are added one by one, which SQLite does in place."""
    for name, (length, default) in TEXTS.items():
        op.add_column(
            "practices", sa.Column(name, sa.String(length=length), server_default=sa.text(f"'{default}'"), nullable=False)
        )
    for name, number in NUMBERS.items():
        op.add_column("practices", sa.Column(name, sa.Integer(), server_default=str(number), nullable=False))
    op.add_column("requests", sa.Column("case_id", sa.String(length=32), nullable=True))
    op.add_column("requests", sa.Column("views", sa.String(length=400), server_default=sa.text("''"), nullable=False))
    op.add_column("requests", sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_requests_case_id", "requests", ["case_id"])
