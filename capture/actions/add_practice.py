"""Add a practice."""

import re

from capture.actions.add_keys import insert_keys
from capture.errors import NotAllowed
from capture.sealing.keys import Recipient
from capture.services import Services
from capture.store import audit, practices
from capture.store.models import Practice

MAX_NAME, MAX_PHONE = 200, 40
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
    """Add a practice, with its keys as `add_keys` takes them; without them it cannot ask yet. Raises NotAllowed or Conflict."""
    if not _ODS.fullmatch(ods):
        raise NotAllowed(f"{ods!r} is not an ODS code.", hint="one to nine capital letters and digits, such as A81001")
    name, phone = name.strip(), phone.strip()
    if not name or not phone:
        raise NotAllowed("A practice needs a name and a phone number: patients see both.")
    if len(name) > MAX_NAME or len(phone) > MAX_PHONE:
        raise NotAllowed(f"A practice's name has at most {MAX_NAME} characters, its phone number at most {MAX_PHONE}.")
    if not (name + phone).isprintable():
        raise NotAllowed("A practice's name and phone number are one line each, without control characters.")
    now = services.clock()
    with services.database.write() as db:
        practice = practices.insert_practice(db, ods=ods, name=name, phone=phone, now=now)
        audit.append(db, practice.id, actor="operator", action="practice added", subject=practice.id, at=now)
        insert_keys(db, practice.id, staff, recovery, identity_file, now)
    return practice
