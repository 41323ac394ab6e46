"""Invitations: who may become a member of a practice, in which role. Of the link's token only a hash is kept (SECURITY 3)."""

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.domain.links import token_hash
from capture.errors import NotFound
from capture.store.models import Base, new_id

LIFETIME = timedelta(days=7)


class Invitation(Base):
    """One person asked to join one practice; used once."""

    __tablename__ = "invitations"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(10))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    invited_by: Mapped[str] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def insert_invitation(
    db: Session, practice_id: str, *, email: str, role: str, token: str, invited_by: str, now: datetime
) -> Invitation:
    """Add an invitation; one that this person had to this practice before ends."""
    before = delete(Invitation).where(Invitation.practice_id == practice_id, Invitation.email == email)
    db.execute(before.where(Invitation.used_at.is_(None)))
    made = Invitation(practice_id=practice_id, email=email, role=role, token_hash=token_hash(token), invited_by=invited_by)
    made.created_at, made.expires_at = now, now + LIFETIME
    db.add(made)
    db.flush()
    return made


def find_invitation(db: Session, token: str, now: datetime) -> Invitation | None:
    """The live invitation of that link, or None."""
    live = select(Invitation).where(Invitation.used_at.is_(None), Invitation.expires_at > now)
    return db.scalars(live.where(Invitation.token_hash == token_hash(token))).first()


def use_invitation(db: Session, invitation_id: str, now: datetime) -> Invitation | None:
    """Use it up, once; None when it was used, withdrawn or is over."""
    live = update(Invitation).where(Invitation.id == invitation_id, Invitation.used_at.is_(None), Invitation.expires_at > now)
    if db.execute(live.values(used_at=now).returning(Invitation.id)).first() is None:
        return None
    return db.get_one(Invitation, invitation_id, populate_existing=True)


def list_invitations(db: Session, practice_id: str, now: datetime) -> list[Invitation]:
    """The practice's live invitations, oldest first."""
    live = select(Invitation).where(Invitation.used_at.is_(None), Invitation.expires_at > now)
    return list(db.scalars(live.where(Invitation.practice_id == practice_id).order_by(Invitation.created_at, Invitation.id)))


def delete_invitation(db: Session, practice_id: str, invitation_id: str) -> None:
    """Take an invitation back; NotFound when the practice has none of that id that waits."""
    waiting = delete(Invitation).where(Invitation.id == invitation_id, Invitation.practice_id == practice_id)
    if db.execute(waiting.where(Invitation.used_at.is_(None)).returning(Invitation.id)).first() is None:
        raise NotFound


def delete_invitations_by(db: Session, practice_id: str, member_id: str) -> list[str]:
    """Take back those of the practice that this member made and that wait; their ids."""
    waiting = delete(Invitation).where(Invitation.practice_id == practice_id, Invitation.invited_by == member_id)
    return list(db.scalars(waiting.where(Invitation.used_at.is_(None)).returning(Invitation.id)))
