"""The outbox of messages: leased like deliveries, sealed while they wait, empty once they are over."""

import threading
from collections import Counter
from datetime import timedelta

import pytest

from capture.errors import CaptureError
from capture.store import messages
from capture.store.database import Database
from capture.store.messages import Lease, Letter, MessageRow
from capture.store.models import Practice
from capture.store.outbox import LEASE
from tests.store.conftest import NOW
from tests.store.rows import add_request


def queue(database: Database, practice: Practice, count: int = 1, kind: str = "link") -> list[str]:
    """Messages about one request, due one second after another; their ids."""
    with database.write() as db:
        request = add_request(db, practice.id)
        return [
            messages.queue_message(
                db,
                practice_id=practice.id,
                request_id=request.id,
                kind=kind,
                channel="sms",
                to="+447700900123",
                text=f"Text {number}",
                subject="Subject",
                due_at=NOW - timedelta(seconds=count - number),
            )
            for number in range(count)
        ]


def lease(database: Database, after: timedelta = timedelta(0)) -> Lease | None:
    with database.write() as db:
        return messages.lease_due(db, NOW + after)


def one_lease(database: Database, practice: Practice) -> Lease:
    queue(database, practice)
    taken = lease(database)
    assert taken
    return taken


def row_of(database: Database, message_id: str) -> MessageRow:
    with database.read() as db:
        return db.get_one(MessageRow, message_id)


def test_two_workers(database: Database, practice: Practice) -> None:
    """Two workers on fifty messages take each of them once, those due longest first, each with what it says."""
    ids = queue(database, practice, 50)
    start, taken_by, lock = threading.Barrier(2), Counter[str](), threading.Lock()

    def work() -> None:
        start.wait()
        while taken := lease(database):
            with database.write() as db:
                letter = messages.letter_of(db, taken)
                assert letter
                assert letter == Letter("+447700900123", "Subject", f"Text {ids.index(taken.message_id)}")
                assert messages.mark_sent(db, taken, "theirs", NOW)
            with lock:
                taken_by[taken.message_id] += 1

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken_by == Counter(ids)


def test_what_is_over_holds_nothing(database: Database, practice: Practice) -> None:
    """Sent, given up, dropped or settled by its carrier: whom it went to and what it said are gone from the row."""
    ids = queue(database, practice, 4)
    for message_id in ids:
        assert row_of(database, message_id).to_sealed
    sent, failed = lease(database), lease(database)
    assert sent
    assert failed
    with database.write() as db:
        assert messages.mark_sent(db, sent, "theirs", NOW)
        assert messages.give_up(db, failed, NOW, "number-refused")
        assert messages.note_delivery(db, ids[2], NOW)
        messages.drop_messages(db, sent.request_id or "")
    over = [row_of(database, message_id) for message_id in ids]
    assert [row.state for row in over] == ["sent", "failed", "delivered", "dropped"]
    assert {(row.to_sealed, row.text_sealed) for row in over} == {(None, None)}
    assert [row.settled_at for row in over] == [NOW, NOW, NOW, None]
    with database.read() as db:
        assert messages.letter_of(db, sent) is None
    assert lease(database, timedelta(days=30)) is None


def test_a_lost_lease_changes_nothing(database: Database, practice: Practice) -> None:
    """A worker that comes back after its lease was taken over neither notes the sending nor puts it back nor gives it up."""
    lost = one_lease(database, practice)
    assert lease(database, LEASE - timedelta(seconds=1)) is None
    held = lease(database, LEASE)
    assert held
    assert (held.attempts, held.fence) == (2, lost.fence + 1)
    with database.write() as db:
        assert not messages.mark_sent(db, lost, "theirs", NOW)
        assert not messages.put_back(db, lost, NOW, "late")
        assert not messages.give_up(db, lost, NOW, "late")
        assert messages.put_back(db, held, NOW + timedelta(hours=1), "notify-away")
    assert lease(database, timedelta(minutes=59)) is None
    again = lease(database, timedelta(hours=1))
    assert again
    assert again.wanted_at == NOW - timedelta(seconds=1)


def test_what_the_carrier_says_is_noted_once(database: Database, practice: Practice) -> None:
    """The first end counts: another one, or of an id that nobody has, changes nothing."""
    (message_id,) = queue(database, practice)
    with database.write() as db:
        assert messages.note_delivery(db, message_id, NOW)
        assert not messages.note_delivery(db, message_id, NOW, "permanent-failure")
        assert not messages.note_delivery(db, "0" * 32, NOW)
    assert row_of(database, message_id).state == "delivered"


def test_a_wrong_number_gets_no_reminder(database: Database, practice: Practice) -> None:
    """When the carrier says that there is no such number, what else waits for it about that request is dropped."""
    first, second = queue(database, practice, 2)
    (other,) = queue(database, practice)
    with database.write() as db:
        messages.note_delivery(db, first, NOW, "permanent-failure")
    assert [row_of(database, one).state for one in (first, second, other)] == ["failed", "dropped", "queued"]


def test_rows_cannot_be_swapped(database: Database, practice: Practice) -> None:
    """A number is sealed to its message: moved to another one it does not open."""
    first, second = queue(database, practice, 2)
    with database.write() as db:
        db.get_one(MessageRow, first).to_sealed = db.get_one(MessageRow, second).to_sealed
    taken = lease(database)
    assert taken
    with database.read() as db, pytest.raises(CaptureError):
        messages.letter_of(db, taken)


def test_the_newest_of_a_kind(database: Database, practice: Practice) -> None:
    """When the last message of a kind was to go is known; of a kind that never was, nothing."""
    queue(database, practice, 2, kind="notice-waiting")
    with database.read() as db:
        assert messages.last_wanted(db, practice.id, "notice-waiting", NOW) == NOW - timedelta(seconds=1)
        assert messages.last_wanted(db, practice.id, "notice-locked", NOW) is None
