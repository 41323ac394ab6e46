"""Prove keys: whoever holds the identity opens a test and tells what was in it (SECURITY 34). A drill is the same, again."""

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from capture.errors import Conflict, NotAllowed
from capture.sealing.age import open_sealed, seal
from capture.sealing.keys import Identity, Recipient
from capture.services import Services
from capture.store import audit, key_tests, recipients
from capture.store.models import RecipientRow

DRILL_EVERY = timedelta(days=90)
"""How often a manager is asked to try the recovery sheet."""


@dataclass(frozen=True)
class Asked:
    """A test: an age file, binary, that only the identity of this recipient opens. In it stands the answer, as ASCII text."""

    recipient_id: str
    kind: str
    fingerprint: str
    sealed: bytes


def ask_tests(services: Services, practice_id: str, *, drill: bool = False) -> list[Asked]:
    """A test for each key that is not proved yet, or, as a drill, for the recovery key in use. Unavailable: a key was edited."""
    now = services.clock()
    with services.database.write() as db:
        recipients.check_mac(db, practice_id)
        rows = recipients.list_recipients(db, practice_id)
        if drill:
            wanted = [row for row in rows if row.kind == "recovery" and recipients.in_use(row)]
        else:
            wanted = [row for row in rows if row.proved_at is None and row.retired_at is None]
        return [_ask(db, row, now) for row in wanted]


def _ask(db: Session, row: RecipientRow, now: datetime) -> Asked:
    answer = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")
    key_tests.insert_test(db, row.id, answer, now)
    return Asked(row.id, row.kind, row.fingerprint, seal(answer.encode(), [Recipient.parse(row.recipient)]))


def answer_test(services: Services, practice_id: str, untrusted_answer: str, *, actor: str) -> RecipientRow:
    """Compare; a right answer proves the key, or records that it was tried again. NotAllowed for any other."""
    now, answer = services.clock(), untrusted_answer.strip().upper()
    with services.database.write() as db:
        recipients.lock_recipients(db, practice_id)
        test = key_tests.find_waiting(db, practice_id, answer, now)
        if test is None:
            raise NotAllowed(
                "This is not the answer to a test of your practice’s keys. Start the test again.", code="key-not-proved"
            )
        row = recipients.find_recipient(db, practice_id, test.recipient_id)
        test.answered_at, test.answered_by = now, actor
        action = "key tried" if row.proved_at else "key proved"
        if row.proved_at is None:
            row.proved_at = now
            recipients.write_mac(db, practice_id)
        facts = {"kind": row.kind, "fingerprint": row.fingerprint}
        audit.append(db, practice_id, actor=actor, action=action, subject=practice_id, at=now, **facts)
        return row


def go_live(services: Services, practice_id: str, *, actor: str) -> None:
    """From now on photos are sealed to the practice's first keys, and it can ask. Conflict: not both proved, or live already."""
    now = services.clock()
    with services.database.write() as db:
        recipients.lock_recipients(db, practice_id)
        rows = [row for row in recipients.list_recipients(db, practice_id) if row.proved_at]
        if recipients.was_live(db, practice_id):
            raise Conflict("Your practice can ask for photos already.")
        if not {row.kind for row in rows} >= set(recipients.KINDS):
            raise Conflict("Both keys must open a test first: your practice’s own, and the one on the recovery sheet.")
        for row in rows:
            row.used_from = now
        recipients.write_mac(db, practice_id)
        audit.append(db, practice_id, actor=actor, action="keys in use", subject=practice_id, at=now, keys=len(rows))


def is_provable(services: Services, practice_id: str) -> bool:
    """Whether nothing is left but to go live."""
    with services.database.read() as db:
        rows = recipients.list_recipients(db, practice_id)
        return {row.kind for row in rows if row.proved_at} >= set(recipients.KINDS) and not any(row.used_from for row in rows)


def prove_with(services: Services, practice_id: str, identities: Iterable[Identity], *, actor: str = "operator") -> None:
    """Prove keys whose identities are at hand, and go live: for a demo and for tests, which hold both sides."""
    held = list(identities)
    for test in ask_tests(services, practice_id):
        answer_test(services, practice_id, open_sealed(test.sealed, held).decode(), actor=actor)
    go_live(services, practice_id, actor=actor)


def drill_due(db: Session, practice_id: str, now: datetime) -> bool:
    """Whether the recovery key in use was last tried, or proved, too long ago."""
    answered = key_tests.list_answered(db, practice_id)
    proved = [test.answered_at for test, row in answered if test.answered_at and row.kind == "recovery" and not row.retired_at]
    return recipients.was_live(db, practice_id) and (not proved or now - max(proved) >= DRILL_EVERY)
