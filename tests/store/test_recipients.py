"""Recipients over a change of the schema: what an older version wrote stays under its MAC, and must be proved once."""

import json
from datetime import UTC

import pytest
from sqlalchemy import text

from capture.errors import Unavailable
from capture.sealing.keys import Identity
from capture.store import key_tests, recipients
from capture.store.database import Database
from capture.store.models import Practice, RecipientRow
from capture.store.vault import Vault
from tests.store.conftest import NOW
from tests.store.test_migrations import migrate_to
from tests.store.test_people import add_keys

STAFF = Identity(bytes(32)).recipient
COLUMNS = ("id", "practice_id", "kind", "recipient", "fingerprint", "identity_file", "created_at", "retired_at")


def test_keys_of_an_older_version(empty_url: str, vault: Vault) -> None:
    """SECURITY 34, 35: the MAC that the first versions wrote is right after the upgrade; the practice asks once it has proved."""
    database, zero = Database(empty_url, vault), "0" * 32
    migrate_to(database, "0007")
    values = [zero, zero, "staff", str(STAFF), STAFF.fingerprint, b"age".hex(), NOW.astimezone(UTC).isoformat(), None]
    mac = vault.mac("recipients", json.dumps([zero, [values]]))
    at = "2026-11-22 10:00:00.000000+00:00"
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO practices (id, ods, name, phone, recipients_mac, created_at)"
                " VALUES (:id, 'A81001', 'Elm', '1', :mac, :at)"
            ),
            {"id": zero, "mac": mac, "at": at},
        )
        named = ", ".join(COLUMNS)
        connection.execute(
            text(f"INSERT INTO recipients ({named}) VALUES (:id, :id, 'staff', :key, :fingerprint, :file, :at, NULL)"),
            {"id": zero, "key": str(STAFF), "fingerprint": STAFF.fingerprint, "file": b"age", "at": at},
        )
    database.migrate()
    with database.write() as db:
        recipients.check_mac(db, zero)
        assert not recipients.is_live(db, zero)
        row = db.get_one(RecipientRow, zero)
        row.proved_at = row.used_from = NOW
        with pytest.raises(Unavailable):  # what is new counts as soon as it says something
            recipients.check_mac(db, zero)
        recipients.write_mac(db, zero)
        recipients.check_mac(db, zero)
    database.close()


def test_a_key_that_is_not_in_use_seals_nothing(database: Database, practice: Practice) -> None:
    """SECURITY 34: a key that was added, even a proved one, is sealed to only from the moment it is used."""
    add_keys(database, practice)
    with database.write() as db:
        new = Identity(bytes([9]) * 32).recipient
        row = recipients.insert_recipient(db, practice.id, kind="staff", recipient=new, identity_file=b"new", now=NOW)
        row.proved_at = NOW
        recipients.write_mac(db, practice.id)
        assert new not in recipients.current_keys(db, practice.id)
        assert [one.identity_file for one in recipients.list_identities(db, practice.id)] == [b"age"]
        key_tests.insert_test(db, row.id, "ANSWER", NOW)
        key_tests.forget_tests(db, row.id)
        recipients.forget_unused(db, practice.id, row.id)
        assert len(recipients.current_keys(db, practice.id)) == 2
