"""What every outbox shares: rows that are due, leased to one worker at a time.

A lease sets `due_at` to when it runs out and raises `fence`; whoever comes back with an older fence changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, false, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import String

LEASE = timedelta(minutes=2)
FARTHEST = timedelta(hours=2)
"""No wait is as long, but for what is planned for a day: a row that is due later was written by a clock that was ahead."""


class Outgoing:
    """The columns of an outbox, for its table to inherit; `state` is "queued" as long as the row is to be worked on."""

    id: Mapped[str]
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    last_error: Mapped[str] = mapped_column(String(100), default="")  # a code, never text from outside


Row = TypeVar("Row", bound=Outgoing)


def lease_row(
    db: Session, table: type[Row], now: datetime, *when: ColumnElement[bool], planned: ColumnElement[bool] | None = None
) -> Row | None:
    """Take the row that has been due longest, of those of which `when` holds, its try counted, or None.

    A row of which `planned` holds may be due on a far day; any other such row is taken at once (FARTHEST).
    """
    ready = or_(table.due_at <= now, (table.due_at > now + FARTHEST) & ~(false() if planned is None else planned))
    due = select(table.id).where(table.state == "queued", ready, *when).order_by(table.due_at).limit(1)
    taken = (
        update(table)
        .where(table.id == due.with_for_update(skip_locked=True).scalar_subquery())
        .values(due_at=now + LEASE, fence=table.fence + 1, attempts=table.attempts + 1)
        .returning(table)
    )
    return db.scalars(taken).first()


def settle(db: Session, table: type[Outgoing], row_id: str, fence: int, **values: Any) -> bool:
    """Write what became of a leased row; False when the lease was lost, or the row is no longer to be worked on."""
    held = update(table).where(table.id == row_id, table.fence == fence, table.state == "queued")
    return db.execute(held.values(**values).returning(table.id)).first() is not None
