"""Changes of keys that overlap: the second waits for the first and sees what it did, on both databases."""

import threading
import time

import pytest
from sqlalchemy.orm import Session

from capture.errors import Conflict
from capture.sealing.keys import Identity
from capture.store import key_changes, members, recipients
from capture.store.database import Database
from capture.store.key_changes import KeyChange
from capture.store.models import Practice
from tests.store.conftest import NOW
from tests.store.test_people import add_keys, add_member


def add_key(db: Session, practice: Practice, number: int) -> None:
    new = Identity(bytes([number]) * 32).recipient
    recipients.insert_recipient(db, practice.id, kind="staff", recipient=new, identity_file=b"age", now=NOW)


def test_two_at_once_leave_a_right_mac(database: Database, practice: Practice) -> None:
    """SECURITY 35: of two keys that are added at the same moment both are there, and the practice's MAC covers both."""
    add_keys(database, practice)

    def second() -> None:
        with database.write() as db:
            add_key(db, practice, 12)

    thread = threading.Thread(target=second)
    with database.write() as db:
        add_key(db, practice, 11)
        thread.start()
        time.sleep(0.5)  # long enough to read what is there, if nothing holds it back
    thread.join(timeout=20)
    with database.read() as db:
        assert len(recipients.list_recipients(db, practice.id)) == 4
        recipients.check_mac(db, practice.id)


def test_what_was_read_before_the_lock_is_read_again(database: Database, practice: Practice) -> None:
    """SECURITY 35: a transaction that looked at the keys before it locked them goes on with those that are there then."""
    add_keys(database, practice)
    with database.read() as db:
        assert len(recipients.current_recipients(db, practice.id)) == 2
        with database.write() as other:
            (row,) = recipients.list_identities(other, practice.id)
            row.retired_at = NOW
            recipients.write_mac(other, practice.id)
        if database.engine.dialect.name == "sqlite":
            db.rollback()  # who reads there reads one moment of it
        recipients.lock_recipients(db, practice.id)
        assert [one.kind for one in recipients.list_recipients(db, practice.id) if recipients.in_use(one)] == ["recovery"]


def test_one_change_waits_whoever_looked_first(database: Database, practice: Practice) -> None:
    """SECURITY 35: the database itself refuses a second change that waits; closed ones are as many as there were."""
    with database.write() as db:
        ada = add_member(db).id
        members.add_to_practice(db, ada, practice.id, "manager")
        for _ in range(2):
            done = key_changes.insert_change(db, practice.id, added_id=None, retired_id="0" * 32, proposed_by=ada, now=NOW)
            done.closed_at = NOW
    with pytest.raises(Conflict), database.write() as db:
        db.add_all(KeyChange(practice_id=practice.id, proposed_by=ada, proposed_at=NOW) for _ in range(2))
