"""Passkeys: the public half of a key that a member's phone, computer or security key holds (WebAuthn level 3)."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.errors import Conflict, NotFound
from capture.store.models import Base, new_id


class Passkey(Base):
    """One of a member's passkeys. `credential` is the credential's id in base64url, `public_key` a COSE key."""

    __tablename__ = "passkeys"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    credential: Mapped[str] = mapped_column(String(1400), unique=True)  # of at most 1,023 bytes
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def insert_passkey(
    db: Session, member_id: str, *, credential: str, public_key: bytes, sign_count: int, name: str, now: datetime
) -> Passkey:
    """Add a passkey; Conflict when it is somebody's already."""
    if find_passkey(db, credential):
        raise Conflict("This passkey was added already.")
    passkey = Passkey(member_id=member_id, credential=credential, public_key=public_key, sign_count=sign_count, name=name)
    passkey.created_at = now
    db.add(passkey)
    db.flush()
    return passkey


def find_passkey(db: Session, credential: str) -> Passkey | None:
    """By the credential's id, in base64url."""
    return db.scalars(select(Passkey).where(Passkey.credential == credential)).first()


def list_passkeys(db: Session, member_id: str) -> list[Passkey]:
    """A member's passkeys, oldest first."""
    return list(db.scalars(select(Passkey).where(Passkey.member_id == member_id).order_by(Passkey.created_at, Passkey.id)))


def note_use(db: Session, passkey: Passkey, sign_count: int, now: datetime) -> bool:
    """Record that it was used; False when it was used at the same moment elsewhere, and the count no longer fits."""
    same = update(Passkey).where(Passkey.id == passkey.id, Passkey.sign_count == passkey.sign_count)
    return db.execute(same.values(sign_count=sign_count, used_at=now).returning(Passkey.id)).first() is not None


def delete_passkeys(db: Session, member_id: str) -> None:
    """Forget all of a member's passkeys."""
    db.execute(delete(Passkey).where(Passkey.member_id == member_id))


def delete_passkey(db: Session, member_id: str, passkey_id: str) -> None:
    """Forget one of the member's passkeys; NotFound when there is none of that id."""
    ours = delete(Passkey).where(Passkey.id == passkey_id, Passkey.member_id == member_id)
    if db.execute(ours.returning(Passkey.id)).first() is None:
        raise NotFound
