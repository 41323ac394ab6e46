"""Tests of keys, changes of keys, and who was told: the same on both databases."""

from datetime import timedelta

import pytest

from capture.errors import Conflict, NotFound
from capture.store import key_changes, key_tests, members, recipients, unlockers
from capture.store.database import Database
from capture.store.models import Practice
from tests.store.conftest import NOW
from tests.store.test_people import add_keys, add_member

LATER = NOW + timedelta(days=1)


def test_an_answer_counts_once_in_time_and_in_its_practice(database: Database, practice: Practice) -> None:
    """SECURITY 34: the right answer is found as long as it is waited for, in its own practice, until it was given."""
    add_keys(database, practice)
    with database.write() as db:
        (key, _) = recipients.list_recipients(db, practice.id)
        key_tests.insert_test(db, key.id, "OLD", NOW - timedelta(days=8))
        key_tests.insert_test(db, key.id, "ANSWER", NOW)  # sweeps the old one away
        assert key_tests.find_waiting(db, practice.id, "OLD", NOW - timedelta(days=7)) is None
        assert key_tests.find_waiting(db, "0" * 32, "ANSWER", NOW) is None
        assert key_tests.find_waiting(db, practice.id, "ANSWER", NOW + timedelta(days=7, seconds=1)) is None
        assert key_tests.find_waiting(db, practice.id, "answer\ud800", NOW) is None
        found = key_tests.find_waiting(db, practice.id, "ANSWER", NOW)
        assert found
        found.answered_at, found.answered_by = NOW, "operator"
        assert key_tests.find_waiting(db, practice.id, "ANSWER", NOW) is None
        assert [(test.answered_by, row.id) for test, row in key_tests.list_answered(db, practice.id)] == [("operator", key.id)]


def test_one_change_waits_at_a_time_and_everyone_is_told(database: Database, practice: Practice) -> None:
    """SECURITY 35: a second proposal is refused while one waits; a member has news until they have read it."""
    with database.write() as db:
        ada, bob = add_member(db).id, add_member(db, "bob@practice.example").id
        for who in (ada, bob):
            members.add_to_practice(db, who, practice.id, "manager")
        assert not key_changes.news_at(db, practice.id, bob)
        change = key_changes.insert_change(db, practice.id, added_id=None, retired_id="0" * 32, proposed_by=ada, now=NOW)
        with pytest.raises(Conflict):
            key_changes.insert_change(db, practice.id, added_id=None, retired_id="0" * 32, proposed_by=bob, now=NOW)
        with pytest.raises(NotFound):
            key_changes.find_change(db, "0" * 32, change.id)
        key_changes.note_seen(db, practice.id, bob, NOW)
        assert (key_changes.news_at(db, practice.id, ada), key_changes.news_at(db, practice.id, bob)) == (NOW, None)
        change.closed_at, change.confirmed_by = LATER, bob
        db.flush()
        assert key_changes.news_at(db, practice.id, bob) == LATER
        assert key_changes.waiting_change(db, practice.id) is None
        assert [one.id for one in key_changes.list_changes(db, practice.id)] == [change.id]


def test_wrapped_keys_belong_to_one_member(database: Database, practice: Practice) -> None:
    """SECURITY 28: a wrapped key is found by its member in its practice, and goes when the member does."""
    add_keys(database, practice)
    with database.write() as db:
        (key, _) = recipients.list_recipients(db, practice.id)
        ada, bob = add_member(db).id, add_member(db, "bob@practice.example").id
        made = unlockers.insert_unlocker(db, ada, key.id, credential="AGE-PLUGIN", file=b"age", name="Laptop", now=NOW)
        assert unlockers.find_unlocker(db, practice.id, ada, made.id).file == b"age"
        for place, who in ((practice.id, bob), ("0" * 32, ada)):
            with pytest.raises(NotFound):
                unlockers.find_unlocker(db, place, who, made.id)
        assert [(one.name, member.id) for one, member in unlockers.list_all_unlockers(db, practice.id)] == [("Laptop", ada)]
        unlockers.delete_unlockers(db, practice.id, ada)
        assert unlockers.list_unlockers(db, practice.id, ada) == []
