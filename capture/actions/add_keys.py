"""Give a practice its first keys: what its photos will be sealed to, once they are proved."""

from datetime import datetime

from sqlalchemy.orm import Session

from capture.errors import Conflict, NotAllowed
from capture.sealing.age import is_age
from capture.sealing.keys import Recipient
from capture.services import Services
from capture.store import audit, key_tests, practices, recipients
from capture.store.models import Practice, RecipientRow

LARGEST_FILE = 16_384
"""Bytes of an identity file; one identity under a passphrase takes about 3,000."""


def add_keys(
    services: Services,
    ods: str,
    *,
    staff: Recipient | None = None,
    recovery: Recipient | None = None,
    identity_file: bytes | None = None,
) -> Practice:
    """Give a practice that never asked for photos the keys that it lacks. Raises NotFound, NotAllowed, or Conflict when it has
    such a key, or asks already: a change needs two people."""
    with services.database.write() as db:
        practice = practices.find_practice(db, ods)
        insert_keys(db, practice.id, staff, recovery, identity_file, services.clock())
    return practice


def insert_keys(
    db: Session,
    practice_id: str,
    staff: Recipient | None,
    recovery: Recipient | None,
    identity_file: bytes | None,
    now: datetime,
    *,
    actor: str = "operator",
) -> None:
    """Store the keys that are given, each with its audit event; errors as above.

    `identity_file` is the staff identity as an age file under a passphrase, so that any browser of the practice can open it.
    """
    recipients.lock_recipients(db, practice_id)
    if recipients.was_live(db, practice_id):
        raise Conflict("This practice has keys already: a change needs two of its members.", hint="docs/keys.md says how")
    known = {row.kind: row.recipient for row in recipients.list_recipients(db, practice_id)}
    for kind, recipient, file in (("staff", staff, identity_file), ("recovery", recovery, None)):
        if recipient is None:
            continue
        if kind in known:
            raise Conflict(f"This practice has a {kind} key already.", hint="the practice can begin anew in the browser")
        insert_key(db, practice_id, kind, recipient, file, now, actor=actor)


def insert_key(
    db: Session, practice_id: str, kind: str, recipient: Recipient, file: bytes | None, now: datetime, *, actor: str
) -> RecipientRow:
    """Store one key that nothing is sealed to yet. NotAllowed: known here already, or its file is none under a passphrase."""
    if str(recipient) in {row.recipient for row in recipients.list_recipients(db, practice_id)}:
        raise NotAllowed("This key is here already. The recovery sheet and the practice need a key each.", code="key-known")
    if file is not None and (len(file) > LARGEST_FILE or not is_age(file)):
        raise NotAllowed("The key file is not under a passphrase.", code="key-file")
    row = recipients.insert_recipient(db, practice_id, kind=kind, recipient=recipient, identity_file=file, now=now)
    audit.append(
        db, practice_id, actor=actor, action="key added", subject=practice_id, at=now, kind=kind, fingerprint=row.fingerprint
    )
    return row


def begin_anew(services: Services, practice_id: str, *, actor: str) -> None:
    """Take away the keys of a practice that never asked for photos: nothing was sealed to them. Conflict where it did."""
    now = services.clock()
    with services.database.write() as db:
        recipients.lock_recipients(db, practice_id)
        if recipients.was_live(db, practice_id) or recipients.has_asked(db, practice_id):
            raise Conflict("Your practice has asked for photos already: its keys are needed to open them.")
        for row in recipients.list_recipients(db, practice_id):
            key_tests.forget_tests(db, row.id)
            recipients.forget_unused(db, practice_id, row.id)
            facts = {"kind": row.kind, "fingerprint": row.fingerprint}
            audit.append(db, practice_id, actor=actor, action="key taken away", subject=practice_id, at=now, **facts)
