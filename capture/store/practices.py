"""Practices and the recipients that their photos are sealed to."""

import hmac
import json
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from capture.errors import Conflict, NotFound, Unavailable
from capture.sealing.keys import Recipient
from capture.store.models import AuditHead, Practice, RecipientRow, new_id


def insert_practice(db: Session, *, ods: str, name: str, phone: str, now: datetime) -> Practice:
    """Add a practice and the start of its audit chain; Conflict when the ODS code is taken."""
    if db.scalars(select(Practice).where(Practice.ods == ods)).first():
        raise Conflict(f"There is a practice {ods} already.")
    practice = Practice(id=new_id(), ods=ods, name=name, phone=phone, created_at=now)
    practice.recipients_mac = _recipients_mac(db, practice.id)
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


def insert_recipient(
    db: Session, practice_id: str, *, kind: str, recipient: Recipient, identity_file: bytes | None, now: datetime
) -> RecipientRow:
    """Add a recipient (kind `staff` or `recovery`) under this service's MAC; Unavailable when another was edited before."""
    _check_mac(db, practice_id)
    row = RecipientRow(
        practice_id=practice_id,
        kind=kind,
        recipient=str(recipient),
        fingerprint=recipient.fingerprint,
        identity_file=identity_file,
        created_at=now,
    )
    db.add(row)
    write_mac(db, practice_id)
    return row


def write_mac(db: Session, practice_id: str) -> None:
    """Put the practice's recipients, as they are now, under this service's MAC: after every change that is meant."""
    db.flush()
    db.get_one(Practice, practice_id).recipients_mac = _recipients_mac(db, practice_id)
    db.flush()


def has_recipients(db: Session, practice_id: str) -> bool:
    """Whether the practice ever had a key, a retired one too."""
    return db.scalars(select(RecipientRow.id).where(RecipientRow.practice_id == practice_id)).first() is not None


def current_recipients(db: Session, practice_id: str) -> list[RecipientRow]:
    """Those in use, oldest first; Unavailable when there is none for staff or when one was edited (SECURITY 35)."""
    _check_mac(db, practice_id)
    query = select(RecipientRow).where(RecipientRow.practice_id == practice_id, RecipientRow.retired_at.is_(None))
    rows = list(db.scalars(query.order_by(RecipientRow.created_at, RecipientRow.id)))
    if not any(row.kind == "staff" for row in rows):
        raise Unavailable(hint="this practice has no key yet: `capture practice key --recipient` gives it one")
    return rows


def list_identities(db: Session, practice_id: str) -> list[RecipientRow]:
    """Staff recipients with an identity file under a passphrase, retired ones too, newest first: old bundles still open."""
    query = select(RecipientRow).where(RecipientRow.practice_id == practice_id, RecipientRow.identity_file.is_not(None))
    return list(db.scalars(query.order_by(RecipientRow.created_at.desc(), RecipientRow.id)))


def _check_mac(db: Session, practice_id: str) -> None:
    """Every recipient of the practice is as this service wrote it, and none was taken away or put beside them."""
    written = db.get_one(Practice, practice_id).recipients_mac
    if not hmac.compare_digest(written.encode(), _recipients_mac(db, practice_id).encode()):
        raise Unavailable(hint="a key of this practice was changed outside the service; no photo is taken until it is put right")


def _recipients_mac(db: Session, practice_id: str) -> str:
    """Over all columns of all its recipients, retired ones too, by id."""
    columns = [column.key for column in RecipientRow.__table__.columns]
    rows = db.scalars(select(RecipientRow).where(RecipientRow.practice_id == practice_id))
    listed = sorted([getattr(row, column) for column in columns] for row in rows)
    mac: str = db.info["vault"].mac("recipients", json.dumps([practice_id, listed], default=_plain))
    return mac


def _plain(value: bytes | datetime) -> str:
    return value.hex() if isinstance(value, bytes) else value.astimezone(UTC).isoformat()
