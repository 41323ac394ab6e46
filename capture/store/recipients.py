"""A practice's recipients: what its photos are sealed to, from when until when, under this service's MAC (SECURITY 35).

A key is added, proved (its identity opened a test), used from a moment on, and retired. Photos are sealed to those in use.
"""

import hmac
import json
from datetime import UTC, datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from capture.errors import NotFound, Unavailable
from capture.sealing.keys import Recipient
from capture.store.models import Practice, RecipientRow, Request

KINDS = ("staff", "recovery")
_FIRST_COLUMNS = ("id", "practice_id", "kind", "recipient", "fingerprint", "identity_file", "created_at", "retired_at")
"""Those of the first schema. A later one counts only where it holds something, so that MACs of older rows remain right."""


def insert_recipient(
    db: Session, practice_id: str, *, kind: str, recipient: Recipient, identity_file: bytes | None, now: datetime
) -> RecipientRow:
    """Add a recipient (kind `staff` or `recovery`), not in use yet; Unavailable when another was edited before."""
    lock_recipients(db, practice_id)
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


def find_recipient(db: Session, practice_id: str, recipient_id: str) -> RecipientRow:
    """One of the practice's, by id, locked for a change; NotFound, Unavailable when one was edited."""
    check_mac(db, practice_id)
    row = db.get(RecipientRow, recipient_id, with_for_update=True)
    if row is None or row.practice_id != practice_id:
        raise NotFound
    return row


def list_recipients(db: Session, practice_id: str) -> list[RecipientRow]:
    """All that there ever were, oldest first."""
    query = select(RecipientRow).where(RecipientRow.practice_id == practice_id)
    return list(db.scalars(query.order_by(RecipientRow.created_at, RecipientRow.id)))


def current_recipients(db: Session, practice_id: str) -> list[RecipientRow]:
    """Those in use, oldest first; Unavailable without one for staff and one for recovery, or when one was edited (SECURITY 34)."""
    check_mac(db, practice_id)
    rows = [row for row in list_recipients(db, practice_id) if in_use(row)]
    if not {row.kind for row in rows} >= set(KINDS):
        ways = "its managers set them up in the browser, or `capture practice key --recipient` and `practice prove` do"
        raise Unavailable(hint=f"this practice has no proven keys: {ways}")
    return rows


def current_keys(db: Session, practice_id: str) -> list[Recipient]:
    """The same, to seal to."""
    return [Recipient.parse(row.recipient) for row in current_recipients(db, practice_id)]


def in_use(row: RecipientRow) -> bool:
    """Whether photos are sealed to it."""
    return row.used_from is not None and row.retired_at is None


def is_live(db: Session, practice_id: str) -> bool:
    """Whether the practice can ask for photos."""
    try:
        current_recipients(db, practice_id)
    except Unavailable:
        return False
    return True


def was_live(db: Session, practice_id: str) -> bool:
    """Whether any key was ever in use: from then on a change needs two people (SECURITY 35)."""
    return any(row.used_from for row in list_recipients(db, practice_id))


def has_asked(db: Session, practice_id: str) -> bool:
    """Whether it ever asked for photos, with keys of a version that did not prove them too: bundles may need those keys."""
    return db.scalar(select(exists().where(Request.practice_id == practice_id))) is True


def list_sealed_to(db: Session, practice_id: str) -> list[RecipientRow]:
    """Keys that photos may have been sealed to, retired ones too, oldest first.

    Those of a version that did not prove keys have no `used_from`, but are older than the first that has one.
    """
    rows, asked = list_recipients(db, practice_id), has_asked(db, practice_id)
    first = min((row.used_from for row in rows if row.used_from), default=None)
    return [row for row in rows if row.used_from or row.retired_at or (asked and (first is None or row.created_at < first))]


def list_identities(db: Session, practice_id: str) -> list[RecipientRow]:
    """Those of them that have an identity file, newest first: old bundles still open."""
    rows = [row for row in list_sealed_to(db, practice_id) if row.identity_file is not None]
    return sorted(rows, key=lambda row: row.created_at, reverse=True)


def forget_unused(db: Session, practice_id: str, recipient_id: str) -> None:
    """Take away a key that nothing was ever sealed to; NotFound for any other."""
    lock_recipients(db, practice_id)
    row = find_recipient(db, practice_id, recipient_id)
    if row in list_sealed_to(db, practice_id):
        raise NotFound
    db.delete(row)
    write_mac(db, practice_id)


def lock_recipients(db: Session, practice_id: str) -> None:
    """Before a change of keys: no other happens until this transaction ends, and what it reads of them is as it is now.

    Without it two that overlap would each put the practice under a MAC of what it saw (SECURITY 35). Raises as `check_mac`.
    """
    fresh = {"populate_existing": True}
    mine = select(Practice).where(Practice.id == practice_id).with_for_update(key_share=True)  # others may still point at it
    db.scalars(mine.execution_options(**fresh)).one()
    db.scalars(select(RecipientRow).where(RecipientRow.practice_id == practice_id).execution_options(**fresh)).all()
    check_mac(db, practice_id)


def check_mac(db: Session, practice_id: str) -> None:
    """Every recipient of the practice is as this service wrote it, and none was taken away or put beside them; else Unavailable."""
    written = db.get_one(Practice, practice_id).recipients_mac
    if not hmac.compare_digest(written.encode(), recipients_mac(db, practice_id).encode()):
        raise Unavailable(hint="a key of this practice was changed outside the service; no photo is taken until it is put right")


def is_edited(db: Session, practice_id: str) -> bool:
    """Whether a key of the practice was changed outside this service."""
    try:
        check_mac(db, practice_id)
    except Unavailable:
        return True
    return False


def retire_again(db: Session, practice_id: str, recipient_id: str, now: datetime) -> RecipientRow | None:
    """Retire a key of which it is known that it was retired; None where there was nothing to do.

    A practice whose keys were edited stays stopped.
    """
    row = db.get(RecipientRow, recipient_id)
    if row is None or row.practice_id != practice_id or row.retired_at:
        return None
    edited = is_edited(db, practice_id)
    row.retired_at = now
    if not edited:
        write_mac(db, practice_id)
    return row


def write_mac(db: Session, practice_id: str) -> None:
    """Put the practice's recipients, as they are now, under this service's MAC: after every change that is meant."""
    db.flush()
    db.get_one(Practice, practice_id).recipients_mac = recipients_mac(db, practice_id)
    db.flush()


def recipients_mac(db: Session, practice_id: str) -> str:
    """Over all columns of all its recipients, retired ones too, by id."""
    rows = db.scalars(select(RecipientRow).where(RecipientRow.practice_id == practice_id))
    listed = sorted((_values(row) for row in rows), key=lambda values: str(values[0]))
    mac: str = db.info["vault"].mac("recipients", json.dumps([practice_id, listed], default=_plain))
    return mac


def _values(row: RecipientRow) -> list[object]:
    later = [column.key for column in RecipientRow.__table__.columns if column.key not in _FIRST_COLUMNS]
    added = [[name, getattr(row, name)] for name in sorted(later) if getattr(row, name) is not None]
    return [*(getattr(row, name) for name in _FIRST_COLUMNS), *added]


def _plain(value: bytes | datetime) -> str:
    return value.hex() if isinstance(value, bytes) else value.astimezone(UTC).isoformat()
