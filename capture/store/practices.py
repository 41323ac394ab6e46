"""Practices and the recipients that their photos are sealed to."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from capture.errors import Conflict, NotFound, Unavailable
from capture.sealing.keys import Recipient
from capture.store.models import AuditHead, Practice, RecipientRow


def insert_practice(db: Session, *, ods: str, name: str, phone: str, now: datetime) -> Practice:
    """Add a practice and the start of its audit chain; Conflict when the ODS code is taken."""
    if db.scalars(select(Practice).where(Practice.ods == ods)).first():
        raise Conflict(f"There is a practice {ods} already.")
    practice = Practice(ods=ods, name=name, phone=phone, created_at=now)
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
    """Add a recipient (kind `staff` or `recovery`) under this service's MAC."""
    row = RecipientRow(
        practice_id=practice_id,
        kind=kind,
        recipient=str(recipient),
        fingerprint=recipient.fingerprint,
        identity_file=identity_file,
        created_at=now,
    )
    row.mac = _mac(db, row)
    db.add(row)
    return row


def current_recipients(db: Session, practice_id: str) -> list[RecipientRow]:
    """Those in use, oldest first; Unavailable when there is none for staff or when one was edited (SECURITY 35)."""
    query = select(RecipientRow).where(RecipientRow.practice_id == practice_id, RecipientRow.retired_at.is_(None))
    rows = list(db.scalars(query.order_by(RecipientRow.created_at, RecipientRow.id)))
    if not any(row.kind == "staff" for row in rows):
        raise Unavailable(hint="this practice has no key yet: it is added with its key by `capture practice add --recipient`")
    if any(row.mac != _mac(db, row) for row in rows):
        raise Unavailable(hint="a key of this practice was changed outside the service; no photo is taken until it is put right")
    return rows


def list_identities(db: Session, practice_id: str) -> list[RecipientRow]:
    """Staff recipients with an identity file under a passphrase, retired ones too, newest first: old bundles still open."""
    query = select(RecipientRow).where(RecipientRow.practice_id == practice_id, RecipientRow.identity_file.is_not(None))
    return list(db.scalars(query.order_by(RecipientRow.created_at.desc(), RecipientRow.id)))


def _mac(db: Session, row: RecipientRow) -> str:
    text = f"{row.practice_id}\n{row.kind}\n{row.recipient}"
    mac: str = db.info["vault"].mac("recipients", text)
    return mac
