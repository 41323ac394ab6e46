"""The audit trail: what is done to it is found (SECURITY 39)."""

import json
import threading
from datetime import timedelta, timezone
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen, remove

from capture.domain.requests import State
from capture.store.audit import append, check_chain, event_hash, list_events
from capture.store.database import Database
from capture.store.models import AuditEvent, AuditHead, Practice
from capture.store.requests import move
from tests.store.conftest import NOW
from tests.store.rows import add_request


@pytest.fixture
def chain(database: Database, practice: Practice) -> str:
    """The practice's id, with five events in its chain and some in another's."""
    with database.write() as db:
        for number in range(1, 6):
            append(db, practice.id, actor="operator", action="counted", subject=f"s{number % 2}", at=NOW, number=number)
            append(db, "", actor="somebody", action="sign-in refused", subject="", at=NOW)
    return practice.id


def found(database: Database, practice_id: str, *, newest: int | None = None) -> str:
    with database.read() as db:
        return check_chain(db, practice_id, newest=newest)


def tamper(database: Database, *statements: str) -> None:
    """What someone with the database in hand might do."""
    with database.write() as db:
        for statement in statements:
            assert db.execute(text(statement)).rowcount >= 1, statement  # type: ignore[attr-defined]


def test_an_untouched_chain_is_whole(database: Database, chain: str) -> None:
    """Nothing is wrong with chains that nobody touched, an empty one among them (SECURITY 39)."""
    assert found(database, chain) == ""
    assert found(database, "") == ""


def test_the_end_of_a_chain(database: Database, chain: str) -> None:
    """Of a long trail the newest events can be looked at alone, each with the one before it (SECURITY 39)."""
    newest = partial(found, database, chain)
    assert {newest(newest=number) for number in (1, 2, 5, 6)} == {""}
    tamper(database, f"UPDATE audit SET actor = 'nobody' WHERE number = 3 AND practice_id = '{chain}'")
    assert newest(newest=2) == ""
    assert newest(newest=3) == newest() == "event 3 was altered"
    tamper(database, f"DELETE FROM audit WHERE number = 3 AND practice_id = '{chain}'")
    assert newest(newest=2) == "event 4 is missing or out of order"
    assert newest(newest=1) == ""
    tamper(database, f"DELETE FROM audit WHERE number = 5 AND practice_id = '{chain}'")
    assert newest(newest=1) == "the chain ends at event 4, not 5"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("actor = 'nobody'", "event 3 was altered"),
        ("action = 'photo arrived'", "event 3 was altered"),
        ("subject = 'other'", "event 3 was altered"),
        ("facts = '{}'", "event 3 was altered"),
        ("at = '2026-11-23 10:00:00+00:00'", "event 3 was altered"),
        ("hash = previous", "event 3 was altered"),
        ("previous = hash", "event 3 is missing or out of order"),
        ("number = 30", "event 3 is missing or out of order"),
    ],
)
def test_an_edit_is_found(database: Database, chain: str, change: str, said: str) -> None:
    """A change of any column of an event is found, and the event named (SECURITY 39)."""
    tamper(database, f"UPDATE audit SET {change} WHERE practice_id = '{chain}' AND number = 3")
    assert found(database, chain) == said


def test_an_edit_that_hashes_again_is_found(database: Database, chain: str) -> None:
    """Giving an edited event a hash that fits only breaks the chain at the next one (SECURITY 39)."""
    with database.write() as db:
        event = db.get_one(AuditEvent, (chain, 3))
        event.actor = "nobody"
        event.hash = event_hash(event)
    assert found(database, chain) == "event 4 is missing or out of order"


@pytest.mark.parametrize(("number", "said"), [(1, "event 1 is missing"), (3, "event 3 is missing"), (5, "ends at event 4, not 5")])
def test_a_deletion_is_found(database: Database, chain: str, number: int, said: str) -> None:
    """An event that is gone is found, be it the first, one in the middle or the last (SECURITY 39)."""
    tamper(database, f"DELETE FROM audit WHERE practice_id = '{chain}' AND number = {number}")
    assert said in found(database, chain)


def test_closing_the_gap_is_found(database: Database, chain: str) -> None:
    """Numbering the events anew after a deletion hides nothing (SECURITY 39)."""
    tamper(database, f"DELETE FROM audit WHERE practice_id = '{chain}' AND number = 3")
    for number in (4, 5):
        tamper(database, f"UPDATE audit SET number = {number - 1} WHERE practice_id = '{chain}' AND number = {number}")
    assert found(database, chain) == "event 3 is missing or out of order"


def test_reordering_is_found(database: Database, chain: str) -> None:
    """Two events that change places are found (SECURITY 39)."""
    swap = [(2, 99), (3, 2), (99, 3)]
    tamper(database, *(f"UPDATE audit SET number = {to} WHERE practice_id = '{chain}' AND number = {at}" for at, to in swap))
    assert found(database, chain) == "event 2 is missing or out of order"


def test_truncation_is_found(database: Database, chain: str) -> None:
    """Events cut off at the end are found by the head, even all of them, and so is a head that is gone (SECURITY 39)."""
    tamper(database, f"DELETE FROM audit WHERE practice_id = '{chain}' AND number > 2")
    assert found(database, chain) == "the chain ends at event 2, not 5"
    tamper(database, f"DELETE FROM audit WHERE practice_id = '{chain}'")
    assert found(database, chain) == "the chain ends at event 0, not 5"
    tamper(database, f"DELETE FROM audit_heads WHERE practice_id = '{chain}'")
    assert found(database, chain) == "the end of the chain is missing"


def test_an_event_put_behind_the_end_is_found(database: Database, chain: str) -> None:
    """An event that follows on the last one, and that the head does not know, was put there by somebody else (SECURITY 39)."""
    with database.write() as db:
        last = db.get_one(AuditEvent, (chain, 5))
        values = {"actor": "a", "action": "b", "subject": "", "facts": "{}", "at": NOW}
        event = AuditEvent(practice_id=chain, number=6, previous=last.hash, **values)
        event.hash = event_hash(event)
        db.add(event)
    assert found(database, chain) == "the chain ends at event 6, not 5"


def test_a_chain_that_grows_meanwhile_is_whole(database: Database, chain: str) -> None:
    """An event that is added at any moment of the check is no tampering, whatever the check has read by then (SECURITY 39)."""
    added: list[str] = []

    def add(*event: object) -> None:
        if len(added) < 5 and (not added or added[-1] == "done"):
            added.append("begun")
            with database.write() as db:
                append(db, chain, actor="operator", action="counted", subject="", at=NOW)
            added[-1] = "done"

    for moment in ("before_cursor_execute", "after_cursor_execute"):
        added.clear()
        listen(database.engine, moment, add)
        try:
            assert found(database, chain) == ""
        finally:
            remove(database.engine, moment, add)
        assert len(added) > 1
        assert found(database, chain) == ""


def test_an_event_moved_to_another_chain_is_found(database: Database, chain: str) -> None:
    """An event belongs to its practice: in another's chain it is found (SECURITY 39)."""
    tamper(database, "DELETE FROM audit WHERE practice_id = '' AND number = 1")
    tamper(database, f"UPDATE audit SET practice_id = '' WHERE practice_id = '{chain}' AND number = 1")
    assert found(database, "") == "event 1 was altered"


def test_writers_at_once_make_one_chain(database: Database, practice: Practice) -> None:
    """Four that write forty events at the same time leave one whole chain of forty (SECURITY 39)."""
    start = threading.Barrier(4)

    def write() -> None:
        start.wait()
        for _ in range(10):
            with database.write() as db:
                append(db, practice.id, actor="a", action="counted", subject="s", at=NOW)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found(database, practice.id) == ""
    with database.read() as db:
        assert db.get_one(AuditHead, practice.id).number == 40


def test_an_event_is_written_with_the_act_or_not_at_all(database: Database, practice: Practice) -> None:
    """A move and its event are one transaction: when it fails, neither is there (SECURITY 40)."""

    def move_and_fail() -> None:
        with database.write() as db:
            request = add_request(db, practice.id)
            move(db, request, State.CANCELLED, actor="a", now=NOW)
            raise KeyError

    with pytest.raises(KeyError):
        move_and_fail()
    assert found(database, practice.id) == ""
    with database.read() as db:
        assert db.get_one(AuditHead, practice.id).number == 0


def test_any_zone_gives_one_hash(database: Database, practice: Practice) -> None:
    """A clock of another zone writes events that are still whole when they are read back in UTC."""
    with database.write() as db:
        at = NOW.astimezone(timezone(timedelta(hours=1)))
        append(db, practice.id, actor="a", action="counted", subject="s", at=at)
    assert found(database, practice.id) == ""


def test_events_about_one_thing(database: Database, chain: str) -> None:
    """The events of one subject come in their order, with their facts, and none of another practice's."""
    with database.read() as db:
        events = list_events(db, chain, "s1")
        assert [event.number for event in events] == [1, 3, 5]
        assert [json.loads(event.facts) for event in events] == [{"number": 1}, {"number": 3}, {"number": 5}]
        assert list_events(db, "", "s1") == []
