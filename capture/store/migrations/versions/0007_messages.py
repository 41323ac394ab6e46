"""Messages on their way, and to whom."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing yet."""
