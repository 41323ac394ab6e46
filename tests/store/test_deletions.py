"""What is due, what of a request goes, and the list of sealed parts to remove: on both databases."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import select

from capture.actions.delete_now import delete_now
from capture.domain.requests import State
from capture.domain.retention import purge_due
from capture.errors import PhotosDeleted, Unavailable
from capture.services import Services
from capture.store import audit, deletions
from capture.store.database import Database
from capture.store.messages import MessageRow, queue_message
from capture.store.models import Bundle, Delivery, Photo, Practice, Request, SessionRow
from capture.store.photos import find_bundle
from capture.store.practices import insert_practice
from capture.store.requests import Answers, answers_of, details_of, keep_answers
from capture.store.sessions import start_session
from tests.builders import make_practice, make_request, make_submitted
from tests.postgres import Postgres
from tests.store.conftest import NOW
from tests.store.rows import add_bundle, add_photo, add_request


def note(database: Database, days: float, limit: int = 100) -> int:
    with database.write() as db:
        return deletions.note_due(db, NOW + timedelta(days=days), limit)


def listed(database: Database, days: float) -> list[str]:
    with database.read() as db:
        return deletions.list_noted(db, NOW + timedelta(days=days), 100)


@pytest.mark.parametrize("days", [1, 7, 30, 90, 365])
def test_what_is_noted_is_what_the_rule_calls_due(database: Database, practice: Practice, days: int) -> None:
    """The query and domain.retention agree for every state, and for practices that have chosen other times."""
    with database.write() as db:
        other = insert_practice(db, ods="A81002", name="Elm Surgery", phone="0191 498 0456", now=NOW)
        other.keep_attached_days, other.keep_collected_days = 1, 365
        kept = {practice.id: (30, 90), other.id: (1, 365)}
        made = [add_request(db, each, state) for each in kept for state in State]
    dues = {request.id: purge_due(State(request.state), NOW, *kept[request.practice_id]) for request in made}
    now = NOW + timedelta(days=days)
    assert note(database, days) == sum(1 for due in dues.values() if due and due <= now)
    assert note(database, days) == 0
    assert set(listed(database, days + 1)) == {request_id for request_id, due in dues.items() if due and due <= now}
    assert listed(database, days + 0.9) == []


def test_a_sweep_is_bounded(database: Database, practice: Practice) -> None:
    """No more than so many are noted at once; the next look goes on with the others."""
    with database.write() as db:
        for state in (State.EXPIRED, State.EXPIRED, State.ATTACHED):
            add_request(db, practice.id, state)
    assert [note(database, 40, 2), note(database, 40, 2), note(database, 40, 2)] == [2, 1, 0]


def test_a_note_from_ahead_is_forgotten(database: Database, practice: Practice) -> None:
    """Faults, the clock jumps 40 days and back: what it noted meanwhile counts for nothing, and is noted anew when it is due."""
    with database.write() as db:
        add_request(db, practice.id, State.ATTACHED)
    assert note(database, 41) == 1
    assert note(database, 1) == 0
    assert listed(database, 42) == []
    assert note(database, 30) == 1


def test_nothing_of_the_patient_stays(database: Database, practice: Practice) -> None:
    """SECURITY 41: sealed words, photos, bundle, messages, sessions and the date's hash go; another request keeps all of it."""
    with database.write() as db:
        made = [add_request(db, practice.id, State.ATTACHED, hand_over_hash=str(each), views="context") for each in range(2)]
        for request in made:
            keep_answers(db, request, Answers(helper="a friend"))
            add_photo(db, request, blob=f"{request.id}/1")
            add_bundle(db, request)
            queue_message(
                db,
                practice_id=practice.id,
                request_id=request.id,
                kind="link",
                channel="sms",
                to="+447700900123",
                text="Here is the link",
                due_at=NOW,
            )
            start_session(db, "receipt", now=NOW, request_id=request.id)
    gone, kept = made
    with database.write() as db:
        deletions.erase(db, db.get_one(Request, gone.id))
    with database.read() as db:
        for column in (Photo.request_id, MessageRow.request_id, SessionRow.request_id):
            assert list(db.scalars(select(column))) == [kept.id]
        assert (details_of(db, kept).label, answers_of(db, kept).helper) == ("Mrs Ada Byron", "a friend")
        row = db.get_one(Request, gone.id)
        assert set(vars(details_of(db, row)).values()) == {""}
        assert answers_of(db, row) == Answers()
        assert (row.dob_hash, row.views, row.hand_over_hash, row.receipt) == ("", "", None, gone.receipt)
        assert deletions.next_blobs(db, "", 9) == [f"{gone.id}/1"]
        bundle = db.scalars(select(Bundle).where(Bundle.request_id == gone.id)).one()
        assert (bundle.manifest, bundle.signature, bundle.request_part) == (b"", b"", b"")
        with pytest.raises(PhotosDeleted):
            find_bundle(db, practice.id, bundle.id)


def test_the_list_of_sealed_parts(database: Database) -> None:
    """Names come in order, in pieces, and go from the list one by one."""
    with database.write() as db:
        deletions.list_blobs(db, ["c", "a", "b"])
    with database.write() as db:
        assert deletions.next_blobs(db, "", 2) == ["a", "b"]
        assert deletions.next_blobs(db, "b", 2) == ["c"]
        deletions.forget_blobs(db, ["a", "c"])
        assert deletions.next_blobs(db, "", 2) == ["b"]


def test_what_was_deleted_is_forgotten(database: Database, practice: Practice, tmp_path: Path) -> None:
    """SECURITY 41: SQLite's journal is emptied; while someone still reads an older state it says that it must be done again."""
    if not database.url.startswith("sqlite"):
        assert database.forget_deleted()  # nothing to do: PostgreSQL sees to it
        return
    journal = tmp_path / "capture.db-wal"
    assert journal.stat().st_size
    with database.read() as db:
        db.get_one(Practice, practice.id)
        with database.write() as other:
            add_request(other, practice.id)
        assert not database.forget_deleted()
    assert database.forget_deleted()
    assert journal.stat().st_size == 0


def test_a_database_that_is_gone_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that cannot be emptied is an error of ours, so that the worker tries again."""
    if not database.url.startswith("sqlite"):
        return

    class Cursor:
        def execute(self, statement: str) -> None:
            if "checkpoint" in statement:
                raise sqlite3.OperationalError("disk I/O error")

    class Connection:
        cursor = Cursor

        def close(self) -> None: ...

    monkeypatch.setattr(database.engine, "raw_connection", Connection)
    with pytest.raises(Unavailable, match="not available"):
        database.forget_deleted()


def test_who_deletes_waits_for_who_has_a_delivery(services: Services, postgres: Postgres, migrated_name: str) -> None:
    """Races: whoever holds a delivery and writes to the audit trail next is not locked out by a manager who deletes meanwhile."""
    with closing(Database(postgres.create(like=migrated_name), services.vault)) as database:
        there = replace(services, database=database)
        asked = make_request(there, make_practice(there))
        make_submitted(there, asked, delivered=False)
        with ThreadPoolExecutor(1) as pool, postgres.connect() as watching:
            with database.write() as db:
                held = db.scalars(select(Delivery).with_for_update()).one()
                deleted = pool.submit(delete_now, there, asked.practice.id, asked.id, actor="a")
                waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                while not (deleted.done() or watching.execute(waits).fetchone()):
                    sleep(0.01)
                audit.append(db, asked.practice.id, actor="worker", action="delivery given up", subject=asked.id, at=NOW)
                held.state = "given up"
            deleted.result(20)
        with database.read() as db:
            assert audit.check_chain(db, asked.practice.id) == ""
            assert (db.scalar(select(Delivery.state)), db.get_one(Request, asked.id).state) == ("dropped", State.PURGED)
