"""Transactions: what two at once see, how long one waits for another, and what SQLite is told."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from capture.actions.set_practice import choices_of, set_practice
from capture.errors import Conflict, Unavailable
from capture.services import Services
from capture.store import audit
from capture.store import database as module
from capture.store.database import Database, is_alive
from capture.store.models import Member, Practice
from capture.store.practices import insert_practice
from capture.store.requests import lock_request
from capture.store.vault import Vault
from tests.postgres import Postgres
from tests.store.conftest import NOW
from tests.store.rows import add_request

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 5000}


@pytest.fixture
def sqlite(tmp_path: Path, vault: Vault) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'capture.db'}", vault)
    made.migrate()
    yield made
    made.close()


def test_sqlite_is_told_to_keep_what_it_acknowledges(sqlite: Database) -> None:
    """Every connection has WAL, synchronous FULL, foreign keys, secure_delete and a bounded wait (SECURITY 41, facts that bite)."""
    with sqlite.read() as one, sqlite.read() as other:
        for db in (one, other):
            found = {name: db.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS}
            assert found == PRAGMAS


def test_a_deleted_row_is_gone_from_the_file(sqlite: Database, tmp_path: Path) -> None:
    """What is deleted can no longer be read from the file's bytes once the log is folded in (SECURITY 41)."""
    canary = "0191-canary-0123"
    with sqlite.write() as db:
        practice = insert_practice(db, ods="B1", name="x", phone=canary, now=NOW)
    sqlite.close()
    assert canary.encode() in (tmp_path / "capture.db").read_bytes()
    with sqlite.write() as db:
        db.delete(db.get_one(Practice, practice.id))
    sqlite.close()
    assert canary.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_foreign_keys_hold(database: Database) -> None:
    """A row that points nowhere is refused as a Conflict, on both databases."""
    with pytest.raises(Conflict), database.write() as db:
        add_request(db, "no such practice")


def test_two_that_do_what_only_one_may(database: Database, practice: Practice) -> None:
    """A second row under a name that is unique is a Conflict, and leaves nothing behind."""
    rows = [Practice(ods=ods, name="c", phone="1", created_at=NOW) for ods in ("C1", practice.ods)]
    with pytest.raises(Conflict), database.write() as db:
        db.add_all(rows)
    with database.read() as db:
        assert db.query(Practice).count() == 1


def test_an_error_rolls_everything_back(database: Database) -> None:
    """A transaction that ends in an error leaves nothing behind, whatever the error."""

    def fail_half_way() -> None:
        with database.write() as db:
            insert_practice(db, ods="C1", name="c", phone="1", now=NOW)
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    with database.read() as db:
        assert db.query(Practice).count() == 0


def test_a_reader_does_not_wait_for_a_writer(database: Database, practice: Practice) -> None:
    """Pages are answered while a transaction writes, and see what was there before it."""
    with database.write() as writer:
        writer.get_one(Practice, practice.id).name = "Other Surgery"
        writer.flush()
        with database.read() as reader:
            assert reader.get_one(Practice, practice.id).name == practice.name
    with database.read() as reader:
        assert reader.get_one(Practice, practice.id).name == "Other Surgery"


def test_writers_of_one_request_queue(database: Database, practice: Practice) -> None:
    """Twenty that count on one row at the same time count to twenty: none works on what another has just changed."""
    with database.write() as db:
        request = add_request(db, practice.id)
    start = threading.Barrier(4)

    def count() -> None:
        start.wait()
        for _ in range(5):
            with database.write() as db:
                lock_request(db, request.id).guesses += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as db:
        assert lock_request(db, request.id).guesses == 20


def test_a_busy_database_is_unavailable_within_a_bound(
    empty_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A writer that another one holds up waits for a while, then says to try again (faults: database locked)."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 1)
    monkeypatch.setattr(module, "_PRAGMAS", ("busy_timeout=1000", *module._PRAGMAS[1:]))
    database = Database(empty_url, vault)
    database.migrate()
    with database.write() as db:
        row = add_request(db, insert_practice(db, ods="A81001", name="a", phone="1", now=NOW).id)
    with database.write() as first:
        lock_request(first, row.id)
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught, database.write() as second:
            lock_request(second, row.id)
        assert time.monotonic() - began > 0.9
    assert "lock" in (caught.value.hint or "")
    with database.write() as db:
        lock_request(db, row.id)
    database.close()


def test_the_bound_is_five_seconds() -> None:
    """Nobody waits longer than five seconds for the database, on a page that may take two."""
    assert module.BUSY_SECONDS == 5


def test_a_used_up_pool_is_unavailable(database: Database) -> None:
    """More transactions at once than there are connections wait, and then say to try again."""
    database.engine.pool._timeout = 0.2  # type: ignore[attr-defined]  # five seconds otherwise
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(database.read()).execute(text("SELECT 1"))
        with pytest.raises(Unavailable):
            is_alive(database)
    assert is_alive(database)


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path, vault: Vault) -> None:
    """A file of something else under the database's name is said to be so, and is left as it is."""
    path = tmp_path / "capture.db"
    path.write_bytes(b"not a database at all" * 100)
    database = Database(f"sqlite:///{path}", vault)
    with pytest.raises(Unavailable) as caught:
        database.migrate()
    assert "not a database" in (caught.value.hint or "")
    with pytest.raises(Unavailable):
        is_alive(database)
    database.close()
    assert path.read_bytes() == b"not a database at all" * 100


def test_migrating_a_busy_database_is_unavailable(tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start while another process holds the database waits, then says so."""
    monkeypatch.setattr(module, "_PRAGMAS", ("busy_timeout=100", *module._PRAGMAS[1:]))
    database = Database(f"sqlite:///{tmp_path / 'capture.db'}", vault)
    other = sqlite3.connect(tmp_path / "capture.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable):
        database.migrate()
    other.execute("ROLLBACK")
    other.close()
    database.migrate()
    database.close()


def test_a_server_that_goes_away_is_unavailable(postgres: Postgres, vault: Vault) -> None:
    """A PostgreSQL that ends the connection in the middle of a transaction is Unavailable, and the next one works."""
    database = Database(postgres.create(), vault)
    database.migrate()

    def read_on() -> None:
        with database.read() as db:
            pid = db.execute(text("SELECT pg_backend_pid()")).scalar()
            with postgres.connect() as connection:
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            db.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        read_on()
    assert is_alive(database)
    database.close()


def test_a_mistake_of_ours_is_not_dressed_up(postgres: Postgres, vault: Vault) -> None:
    """A value that does not fit its column is our mistake: it is neither a Conflict nor a database that does not answer."""
    database = Database(postgres.create(), vault)
    database.migrate()
    with pytest.raises(DataError), database.write() as db:
        insert_practice(db, ods="TOO LONG FOR ODS", name="a", phone="1", now=NOW)
    database.close()


def test_times_come_back_in_utc(database: Database) -> None:
    """A time of any zone comes back as the same moment in UTC; one without a zone is a mistake."""
    local = datetime(2026, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with database.write() as db:
        insert_practice(db, ods="A81001", name="a", phone="1", now=local)
    with database.read() as db:
        (row,) = db.query(Practice).all()
        assert row.created_at == local
        assert row.created_at.tzinfo is UTC
        assert db.query(Member).filter(Member.removed_at.is_(None)).all() == []
    with pytest.raises(Exception, match="without a zone"), database.write() as db:
        insert_practice(db, ods="A81002", name="a", phone="1", now=local.replace(tzinfo=None))


def test_parameters_are_not_shown_in_errors(database: Database) -> None:
    """An error of the database says nothing of the values that were written, since it may reach a log (SECURITY 7)."""
    with pytest.raises(Exception, match="zone") as caught, database.write() as db:
        insert_practice(db, ods="A81002", name="canary-name", phone="1", now=NOW.replace(tzinfo=None))
    assert "canary-name" not in str(caught.value)


def test_setting_a_practice_waits_for_nobody_who_waits_for_it(services: Services, database: Database, practice: Practice) -> None:
    """A manager who saves while the worker notes an arrival: one goes after the other, and neither is told that they cannot."""
    with database.read() as db:
        chosen = replace(choices_of(db.get_one(Practice, practice.id)), phone="020 7946 0000")
    saving = ThreadPoolExecutor(1)
    with saving, database.write() as db:
        audit.append(db, practice.id, actor="worker", action="request delivered", subject="x", at=NOW)
        saved = saving.submit(set_practice, replace(services, database=database), practice.id, chosen, actor="manager")
        time.sleep(0.5)  # by now it has what it holds
        add_request(db, practice.id)  # names the practice, as a notice does
        db.commit()
        assert saved.result(timeout=20) == ("phone",)
