"""Recovery codes: what a member keeps on paper for the day the phone is gone. Of each only a keyed hash is stored."""

import secrets

from sqlalchemy import ForeignKey, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.store.models import Base

COUNT, _GROUPS, _LETTERS = 10, 4, "abcdefghjkmnpqrstuvwxyz23456789"


class RecoveryCode(Base):
    """One code that was not used yet."""

    __tablename__ = "recovery_codes"
    code_mac: Mapped[str] = mapped_column(String(64), primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)


def replace_codes(db: Session, member_id: str) -> list[str]:
    """Ten new codes of 79 random bits each, as people write them; those from before end."""
    delete_codes(db, member_id)
    codes = ["-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS)) for _ in range(COUNT)]
    db.add_all(RecoveryCode(code_mac=_mac(db, member_id, code), member_id=member_id) for code in codes)
    db.flush()
    return codes


def spend_code(db: Session, member_id: str, code: str) -> bool:
    """Use a code up, once; False when the member has none like that (SECURITY 24)."""
    one = delete(RecoveryCode).where(RecoveryCode.member_id == member_id, RecoveryCode.code_mac == _mac(db, member_id, code))
    return db.execute(one.returning(RecoveryCode.code_mac)).first() is not None


def count_codes(db: Session, member_id: str) -> int:
    """How many are left."""
    return db.scalar(select(func.count()).where(RecoveryCode.member_id == member_id)) or 0


def delete_codes(db: Session, member_id: str) -> None:
    """Make all of them worthless."""
    db.execute(delete(RecoveryCode).where(RecoveryCode.member_id == member_id))


def _mac(db: Session, member_id: str, code: str) -> str:
    plain = "".join(sign for sign in code.casefold() if sign.isalnum())
    mac: str = db.info["vault"].mac("recovery codes", f"{member_id}/{plain}")
    return mac
