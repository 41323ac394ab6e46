"""Practices."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from capture.errors import Conflict, NotFound
from capture.store.models import AuditHead, Practice, new_id
from capture.store.recipients import recipients_mac


def insert_practice(db: Session, *, ods: str, name: str, phone: str, now: datetime) -> Practice:
    """Add a practice and the start of its audit chain; Conflict when the ODS code is taken."""
    if db.scalars(select(Practice).where(Practice.ods == ods)).first():
        raise Conflict(f"There is a practice {ods} already.")
    practice = Practice(id=new_id(), ods=ods, name=name, phone=phone, created_at=now)
    practice.recipients_mac = recipients_mac(db, practice.id)
    db.add(practice)
    db.flush()
    db.add(AuditHead(practice_id=practice.id, number=0, hash=""))
    db.flush()
    return practice


def find_practice(db: Session, ods: str) -> Practice:
    """By ODS code; NotFound if there is none."""
    practice = db.scalars(select(Practice).where(Practice.ods == ods)).first()
    if practice is None:
        raise NotFound(f"There is no practice {ods}.", hint="`capture practice list` shows those there are")
    return practice


def list_practices(db: Session) -> list[Practice]:
    """All of them, by ODS code."""
    return list(db.scalars(select(Practice).order_by(Practice.ods)))
