"""Who a person of a provider is here: bound once, by issuer and subject, which a provider never gives to another person."""

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.store.models import Base, Member


class OpenIdentity(Base):
    """One account at one provider."""

    __tablename__ = "openid_identities"
    issuer: Mapped[str] = mapped_column(String(300), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)


def find_member(db: Session, issuer: str, subject: str) -> Member | None:
    """The member that this account belongs to; a removed member is not found."""
    query = select(Member).join(OpenIdentity, OpenIdentity.member_id == Member.id).where(Member.removed_at.is_(None))
    return db.scalars(query.where(OpenIdentity.issuer == issuer, OpenIdentity.subject == subject)).first()


def insert_identity(db: Session, issuer: str, subject: str, member_id: str) -> None:
    """Bind an account to a member."""
    db.add(OpenIdentity(issuer=issuer, subject=subject, member_id=member_id))
    db.flush()
