"""Unlockers: a practice's identity once more, wrapped to one member's passkey, so that no passphrase need be typed."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.errors import NotFound
from capture.store.models import Base, Member, RecipientRow, new_id


class Unlocker(Base):
    """An age file that only that passkey opens. `credential` names the passkey: `AGE-PLUGIN-FIDO2PRF-1…`."""

    __tablename__ = "unlockers"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    recipient_id: Mapped[str] = mapped_column(ForeignKey("recipients.id"))
    credential: Mapped[str] = mapped_column(String(3000))
    file: Mapped[bytes]
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]


def insert_unlocker(
    db: Session, member_id: str, recipient_id: str, *, credential: str, file: bytes, name: str, now: datetime
) -> Unlocker:
    """Add one."""
    made = Unlocker(member_id=member_id, recipient_id=recipient_id, credential=credential, file=file, name=name, created_at=now)
    db.add(made)
    db.flush()
    return made


def list_unlockers(db: Session, practice_id: str, member_id: str) -> list[Unlocker]:
    """A member's, of this practice, oldest first."""
    query = select(Unlocker).join(RecipientRow, RecipientRow.id == Unlocker.recipient_id)
    mine = query.where(RecipientRow.practice_id == practice_id, Unlocker.member_id == member_id)
    return list(db.scalars(mine.order_by(Unlocker.created_at, Unlocker.id)))


def list_all_unlockers(db: Session, practice_id: str) -> list[tuple[Unlocker, Member]]:
    """Everyone's in this practice, with whose they are, by name."""
    query = select(Unlocker, Member).join(RecipientRow, RecipientRow.id == Unlocker.recipient_id)
    ours = query.join(Member, Member.id == Unlocker.member_id).where(RecipientRow.practice_id == practice_id)
    return [(one, member) for one, member in db.execute(ours.order_by(Member.name, Unlocker.created_at, Unlocker.id))]


def find_unlocker(db: Session, practice_id: str, member_id: str, unlocker_id: str) -> Unlocker:
    """One of them; NotFound for anybody else's."""
    for found in list_unlockers(db, practice_id, member_id):
        if found.id == unlocker_id:
            return found
    raise NotFound


def delete_unlockers(db: Session, practice_id: str, member_id: str) -> None:
    """Forget all that a member has in this practice."""
    theirs = select(RecipientRow.id).where(RecipientRow.practice_id == practice_id)
    db.execute(delete(Unlocker).where(Unlocker.member_id == member_id, Unlocker.recipient_id.in_(theirs)))
