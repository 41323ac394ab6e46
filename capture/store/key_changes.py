"""Changes of a practice's keys: what one member proposes and another confirms (SECURITY 35)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.errors import Conflict, NotFound
from capture.store.models import Base, Membership, new_id

_WAITS = text("closed_at IS NULL")


class KeyChange(Base):
    """One change: a key to add, one to retire, or both, which is a rotation. Closed without `confirmed_by`: taken back."""

    __tablename__ = "key_changes"
    __table_args__ = (Index("ix_key_changes_waiting", "practice_id", unique=True, sqlite_where=_WAITS, postgresql_where=_WAITS),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"), index=True)
    added_id: Mapped[str | None] = mapped_column(String(32))
    retired_id: Mapped[str | None] = mapped_column(String(32))
    proposed_by: Mapped[str] = mapped_column(ForeignKey("members.id"))
    proposed_at: Mapped[datetime]
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("members.id"))
    closed_at: Mapped[datetime | None]


def insert_change(
    db: Session, practice_id: str, *, added_id: str | None, retired_id: str | None, proposed_by: str, now: datetime
) -> KeyChange:
    """Propose a change; Conflict while another waits."""
    if waiting_change(db, practice_id):
        raise Conflict("Another change of keys waits already. Confirm it or take it back first.", code="change-waits")
    change = KeyChange(practice_id=practice_id, added_id=added_id, retired_id=retired_id, proposed_by=proposed_by, proposed_at=now)
    db.add(change)
    db.flush()
    return change


def waiting_change(db: Session, practice_id: str) -> KeyChange | None:
    """The change that waits, if one does."""
    return db.scalars(select(KeyChange).where(KeyChange.practice_id == practice_id, KeyChange.closed_at.is_(None))).first()


def find_change(db: Session, practice_id: str, change_id: str) -> KeyChange:
    """One of the practice's changes, locked; NotFound when there is none of that id."""
    change = db.get(KeyChange, change_id, with_for_update=True)
    if change is None or change.practice_id != practice_id:
        raise NotFound
    return change


def list_changes(db: Session, practice_id: str) -> list[KeyChange]:
    """Every change there ever was, newest first."""
    query = select(KeyChange).where(KeyChange.practice_id == practice_id)
    return list(db.scalars(query.order_by(KeyChange.proposed_at.desc(), KeyChange.id)))


def news_at(db: Session, practice_id: str, member_id: str) -> datetime | None:
    """When the newest thing happened to the keys, if this member has not been told of it yet."""
    newest = db.scalar(
        select(func.max(func.coalesce(KeyChange.closed_at, KeyChange.proposed_at))).where(KeyChange.practice_id == practice_id)
    )
    seen = db.scalar(
        select(Membership.keys_seen_at).where(Membership.practice_id == practice_id, Membership.member_id == member_id)
    )
    return newest if newest is not None and (seen is None or seen < newest) else None


def note_seen(db: Session, practice_id: str, member_id: str, until: datetime) -> None:
    """The member has read what happened until then."""
    mine = update(Membership).where(Membership.practice_id == practice_id, Membership.member_id == member_id)
    db.execute(mine.values(keys_seen_at=until))
