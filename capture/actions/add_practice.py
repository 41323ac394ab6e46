"""Add a practice and the keys that its photos are sealed to."""

import re

from capture.errors import NotAllowed
from capture.sealing.keys import Recipient
from capture.services import Services
from capture.store import audit, practices
from capture.store.models import Practice

_ODS = re.compile(r"[A-Z0-9]{1,9}")


def add_practice(
    services: Services,
    *,
    ods: str,
    name: str,
    phone: str,
    staff: Recipient | None = None,
    recovery: Recipient | None = None,
    identity_file: bytes | None = None,
) -> Practice:
    """Add a practice; without a staff recipient it cannot ask for photos yet. Raises NotAllowed or Conflict.

    `identity_file` is the staff identity as an age file under a passphrase, so that any browser of the practice can open it.
    """
    if not _ODS.fullmatch(ods):
        raise NotAllowed(f"{ods!r} is not an ODS code.", hint="one to nine capital letters and digits, such as A81001")
    if not name.strip() or not phone.strip():
        raise NotAllowed("A practice needs a name and a phone number: patients see both.")
    now = services.clock()
    with services.database.write() as db:
        practice = practices.insert_practice(db, ods=ods, name=name.strip(), phone=phone.strip(), now=now)
        audit.append(db, practice.id, actor="operator", action="practice added", subject=practice.id, at=now)
        for kind, recipient in (("staff", staff), ("recovery", recovery)):
            if recipient:
                file = identity_file if kind == "staff" else None
                row = practices.insert_recipient(db, practice.id, kind=kind, recipient=recipient, identity_file=file, now=now)
                audit.append(
                    db,
                    practice.id,
                    actor="operator",
                    action="key added",
                    subject=practice.id,
                    at=now,
                    fingerprint=row.fingerprint,
                )
    return practice
