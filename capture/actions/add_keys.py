"""Give a practice its first keys: what its photos are sealed to."""

from datetime import datetime

from sqlalchemy.orm import Session

from capture.errors import Conflict
from capture.sealing.keys import Recipient
from capture.services import Services
from capture.store import audit, practices
from capture.store.models import Practice


def add_keys(
    services: Services, ods: str, *, staff: Recipient, recovery: Recipient | None = None, identity_file: bytes | None = None
) -> Practice:
    """Give a practice that has no key its first ones. Raises NotFound, or Conflict when it has any: a change needs two people."""
    with services.database.write() as db:
        practice = practices.find_practice(db, ods)
        if practices.has_recipients(db, practice.id):
            raise Conflict(f"The practice {ods} has keys already.", hint="a command that changes keys is not built yet")
        insert_keys(db, practice.id, staff, recovery, identity_file, services.clock())
    return practice


def insert_keys(
    db: Session, practice_id: str, staff: Recipient | None, recovery: Recipient | None, identity_file: bytes | None, now: datetime
) -> None:
    """Store the keys that are given, each with its audit event.

    `identity_file` is the staff identity as an age file under a passphrase, so that any browser of the practice can open it.
    """
    for kind, recipient, file in (("staff", staff, identity_file), ("recovery", recovery, None)):
        if recipient:
            row = practices.insert_recipient(db, practice_id, kind=kind, recipient=recipient, identity_file=file, now=now)
            facts = {"fingerprint": row.fingerprint}
            audit.append(db, practice_id, actor="operator", action="key added", subject=practice_id, at=now, **facts)
