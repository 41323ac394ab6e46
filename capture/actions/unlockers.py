"""A member adds a passkey that unlocks the practice's key, or takes it away. Wrapping happens in the browser alone."""

import re

from capture.actions.add_keys import LARGEST_FILE
from capture.errors import NotAllowed
from capture.sealing.age import is_age
from capture.services import Services
from capture.store import audit, recipients, unlockers

MOST, MAX_NAME = 10, 60
_CREDENTIAL = re.compile(r"AGE-PLUGIN-FIDO2PRF-1[0-9A-Z]{20,2900}")


def add_unlocker(
    services: Services,
    practice_id: str,
    member_id: str,
    recipient_id: str,
    *,
    credential: str,
    untrusted_file: bytes,
    name: str,
) -> None:
    """Keep a wrapped key. NotFound: no such key here. NotAllowed: too many, no name, or not what the page makes."""
    now = services.clock()
    with services.database.write() as db:
        row = recipients.find_recipient(db, practice_id, recipient_id)
        if len(unlockers.list_unlockers(db, practice_id, member_id)) >= MOST:
            raise NotAllowed(f"You have {MOST} of these passkeys. Remove one that you no longer use, then add another.")
        if not name:
            raise NotAllowed("Enter a name for the passkey, for example Work laptop.")
        if not _CREDENTIAL.fullmatch(credential) or len(untrusted_file) > LARGEST_FILE or not is_age(untrusted_file):
            raise NotAllowed("The passkey was not added. Try again.", code="passkey-refused")
        unlockers.insert_unlocker(db, member_id, row.id, credential=credential, file=untrusted_file, name=name, now=now)
        audit.append(
            db,
            practice_id,
            actor=member_id,
            action="unlocking passkey added",
            subject=member_id,
            at=now,
            fingerprint=row.fingerprint,
        )


def remove_unlocker(services: Services, practice_id: str, member_id: str, unlocker_id: str) -> None:
    """Forget one of the member's; NotFound for anybody else's."""
    with services.database.write() as db:
        db.delete(unlockers.find_unlocker(db, practice_id, member_id, unlocker_id))
        now = services.clock()
        audit.append(db, practice_id, actor=member_id, action="unlocking passkey removed", subject=member_id, at=now)
