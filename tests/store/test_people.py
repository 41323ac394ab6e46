"""Practices with their keys, members with their codes, and everybody's sessions."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from capture.errors import Conflict, NotFound, Unavailable
from capture.sealing.keys import Identity
from capture.store import members, practices, recipients, sessions
from capture.store.database import Database
from capture.store.models import AuditHead, Member, Practice, RecipientRow, SessionRow
from tests.store.conftest import NOW
from tests.store.rows import add_request

STAFF, RECOVERY, OTHER = (Identity(bytes([number]) * 32).recipient for number in range(3))


def add_member(db: Session, email: str = "ada@practice.example") -> Member:
    return members.insert_member(db, email=email, name="Ada", password_hash="h", code_secret="JBSWY3DPEHPK3PXP", now=NOW)


def add_keys(database: Database, practice: Practice) -> None:
    with database.write() as db:
        for kind, recipient, file in (("staff", STAFF, b"age"), ("recovery", RECOVERY, None)):
            row = recipients.insert_recipient(db, practice.id, kind=kind, recipient=recipient, identity_file=file, now=NOW)
            row.proved_at = row.used_from = NOW
            recipients.write_mac(db, practice.id)


def test_a_practice_starts_with_its_own_chain(database: Database, practice: Practice) -> None:
    """A practice is found by its ODS code, once only, and its audit chain begins with it."""
    with database.read() as db:
        assert practices.find_practice(db, "A81001").id == practice.id
        assert db.get_one(AuditHead, practice.id).number == 0
        with pytest.raises(NotFound) as caught:
            practices.find_practice(db, "Z9")
    assert "practice list" in (caught.value.hint or "")
    with pytest.raises(Conflict, match="A81001"), database.write() as db:
        practices.insert_practice(db, ods="A81001", name="x", phone="1", now=NOW)
    with database.write() as db:
        practices.insert_practice(db, ods="A1", name="x", phone="1", now=NOW)
        assert [row.ods for row in practices.list_practices(db)] == ["A1", "A81001"]


def test_photos_are_sealed_to_every_current_recipient(database: Database, practice: Practice) -> None:
    """The staff key and the recovery key are both in use; only the staff one has a file for browsers."""
    add_keys(database, practice)
    with database.read() as db:
        assert {row.recipient for row in recipients.current_recipients(db, practice.id)} == {str(STAFF), str(RECOVERY)}
        assert [row.recipient for row in recipients.list_identities(db, practice.id)] == [str(STAFF)]


def test_a_retired_key_seals_nothing_and_opens_what_is_old(database: Database, practice: Practice) -> None:
    """After a rotation the retired key is no recipient any more, and its file is still there for old bundles (SECURITY 38)."""
    add_keys(database, practice)
    later = NOW + timedelta(days=1)
    with database.write() as db:
        old = db.query(RecipientRow).filter_by(kind="staff").one()
        old.retired_at = later
        recipients.write_mac(db, practice.id)
        new = recipients.insert_recipient(db, practice.id, kind="staff", recipient=OTHER, identity_file=b"new", now=later)
        new.used_from = later
        recipients.write_mac(db, practice.id)
    with database.read() as db:
        assert {row.recipient for row in recipients.current_recipients(db, practice.id)} == {str(OTHER), str(RECOVERY)}
        assert [row.identity_file for row in recipients.list_identities(db, practice.id)] == [b"new", b"age"]


def test_a_practice_without_a_staff_key_takes_no_photo(database: Database, practice: Practice) -> None:
    """With no key, or the recovery key alone, nothing is sealed: fail closed, with a hint for the operator."""
    for recipient in (None, RECOVERY):
        if recipient:
            with database.write() as db:
                recipients.insert_recipient(db, practice.id, kind="recovery", recipient=recipient, identity_file=None, now=NOW)
        with pytest.raises(Unavailable) as caught, database.read() as db:
            recipients.current_recipients(db, practice.id)
        assert "no proven keys" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE recipients SET recipient = '{OTHER}' WHERE kind = 'recovery'",
        "UPDATE recipients SET kind = 'staff' WHERE kind = 'recovery'",
        "UPDATE recipients SET fingerprint = 'f' WHERE kind = 'recovery'",
        "UPDATE recipients SET identity_file = NULL WHERE kind = 'staff'",
        "UPDATE recipients SET retired_at = created_at WHERE kind = 'recovery'",
        "UPDATE recipients SET proved_at = NULL WHERE kind = 'recovery'",
        "UPDATE recipients SET used_from = NULL WHERE kind = 'recovery'",
        "UPDATE recipients SET proved_at = '2026-11-23 10:00:00' WHERE kind = 'recovery'",
        "UPDATE recipients SET id = 'x' WHERE kind = 'recovery'",
        "UPDATE recipients SET practice_id = (SELECT id FROM practices WHERE ods = 'A1') WHERE kind = 'recovery'",
        "DELETE FROM recipients WHERE kind = 'recovery'",
        "DELETE FROM recipients WHERE kind = 'staff'",
        "DELETE FROM recipients",
        "UPDATE practices SET recipients_mac = 'f'",
        "UPDATE practices SET recipients_mac = ''",
        "UPDATE practices SET recipients_mac = 'é'",
    ],
)
def test_a_key_edited_in_the_database_stops_the_practice(database: Database, practice: Practice, change: str) -> None:
    """A recipient that was swapped, promoted, retired, moved, deleted or forged is noticed: no photo, no new key (SECURITY 35)."""
    add_keys(database, practice)
    with database.write() as db:
        other = practices.insert_practice(db, ods="A1", name="x", phone="1", now=NOW)
    with database.write() as db:
        db.execute(text(change))
    for victim in (practice.id, other.id) if "practice_id" in change else (practice.id,):
        with pytest.raises(Unavailable) as caught, database.read() as db:
            recipients.current_recipients(db, victim)
        assert "changed outside" in (caught.value.hint or "")
        with pytest.raises(Unavailable), database.write() as db:
            recipients.insert_recipient(db, victim, kind="staff", recipient=OTHER, identity_file=None, now=NOW)


def test_a_mac_is_good_for_one_practice(database: Database, practice: Practice) -> None:
    """A practice's keys together with their MAC are no good in another practice, nor is the MAC of having none (SECURITY 35)."""
    with database.write() as db:
        other = practices.insert_practice(db, ods="A1", name="x", phone="1", now=NOW)
        assert other.recipients_mac != practice.recipients_mac
    add_keys(database, practice)
    with database.write() as db:
        mine = db.get_one(Practice, practice.id).recipients_mac
        db.execute(text("UPDATE practices SET recipients_mac = :mac WHERE ods = 'A1'"), {"mac": mine})
        db.execute(text("UPDATE recipients SET practice_id = :id"), {"id": other.id})
    with pytest.raises(Unavailable) as caught, database.read() as db:
        recipients.current_recipients(db, other.id)
    assert "changed outside" in (caught.value.hint or "")


def test_members_are_found_by_address(database: Database, practice: Practice) -> None:
    """An address is compared without regard to case or spaces, belongs to one member, and not to a removed one."""
    with database.write() as db:
        member = add_member(db, " Ada@Practice.Example ")
    with database.read() as db:
        found = members.find_member(db, "ADA@practice.example ")
        assert found is not None
        assert found.id == member.id
        assert members.code_secret(db, found) == "JBSWY3DPEHPK3PXP"
        assert b"JBSWY3DPEHPK3PXP" not in found.code_secret_sealed
        assert members.find_member(db, "bob@practice.example") is None
    with pytest.raises(Conflict, match="e-mail"), database.write() as db:
        add_member(db, "ADA@PRACTICE.EXAMPLE")
    with database.write() as db:
        db.get_one(Member, member.id).removed_at = NOW
    with database.read() as db:
        assert members.find_member(db, "ada@practice.example") is None


def test_a_member_acts_in_practices_with_a_role(database: Database, practice: Practice) -> None:
    """Adding a member to a practice again changes the role; the practices come by name."""
    with database.write() as db:
        other = practices.insert_practice(db, ods="B1", name="Aardvark Surgery", phone="1", now=NOW)
        member = add_member(db)
        members.add_to_practice(db, member.id, practice.id, "reader")
        members.add_to_practice(db, member.id, other.id, "requester")
        members.add_to_practice(db, member.id, practice.id, "manager")
    with database.read() as db:
        held = [(row.ods, role) for row, role in members.list_memberships(db, member.id)]
    assert held == [("B1", "requester"), ("A81001", "manager")]


def test_a_one_time_code_works_once(database: Database) -> None:
    """A time step is spent once, and none before it afterwards, even by four at the same moment (SECURITY 24)."""
    with database.write() as db:
        member = add_member(db)
    start, spent = threading.Barrier(4), []

    def spend() -> None:
        start.wait()
        with database.write() as db:
            spent.append(members.spend_code_step(db, member.id, 100))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(spent) == [False, False, False, True]
    with database.write() as db:
        assert [members.spend_code_step(db, member.id, step) for step in (99, 100, 101, 100)] == [False, False, True, False]


@pytest.mark.parametrize(
    ("kind", "idle", "total"),
    [
        ("password", timedelta(minutes=10), timedelta(minutes=10)),
        ("staff", timedelta(minutes=30), timedelta(hours=12)),
        ("patient", timedelta(hours=12), timedelta(days=2)),
        ("receipt", timedelta(days=28), timedelta(days=28)),
    ],
)
def test_how_long_a_session_lives(database: Database, kind: str, idle: timedelta, total: timedelta) -> None:
    """A session ends when it is not used for its idle time, and at its whole time however much it is used (SECURITY 26)."""
    with database.write() as db:
        cookie = sessions.start_session(db, kind, now=NOW)

    def live(now: datetime) -> bool:
        with database.read() as db:
            return sessions.find_session(db, cookie, kind, now) is not None

    tick = timedelta(seconds=1)
    assert live(NOW)
    assert live(NOW + idle - tick)
    assert not live(NOW + idle)
    now = NOW
    while now + idle - tick < NOW + total:
        now += idle - tick
        with database.write() as db:
            row = sessions.find_session(db, cookie, kind, now)
            assert row is not None
            assert sessions.needs_touch(row, now)
            sessions.touch_session(db, row, now)
    assert live(NOW + total - tick)
    assert not live(NOW + total)


def test_only_a_hash_of_the_cookie_is_kept(database: Database) -> None:
    """The cookie carries 256 bits and is not in the database; no other text finds the session, nor another kind (SECURITY 26)."""
    with database.write() as db:
        cookie = sessions.start_session(db, "staff", now=NOW)
    with database.read() as db:
        (row,) = db.query(SessionRow).all()
        assert len(cookie) == 43
        assert cookie not in {row.id_hash, row.kind}
        for text_, kind in (
            (row.id_hash, "staff"),
            (cookie, "patient"),
            (cookie[:-1], "staff"),
            ("", "staff"),
            ("\ud800", "staff"),
        ):
            assert sessions.find_session(db, text_, kind, NOW) is None
        assert not sessions.needs_touch(row, NOW + timedelta(seconds=59))


def test_signing_out_ends_a_session_at_once(database: Database, practice: Practice) -> None:
    """An ended session is gone for good; so are all of a request's; those of others go on (SECURITY 26)."""
    with database.write() as db:
        request, other = add_request(db, practice.id), add_request(db, practice.id)
        staff = sessions.start_session(db, "staff", now=NOW)
        patients = [sessions.start_session(db, "patient", now=NOW, request_id=request.id) for _ in range(2)]
        stays = sessions.start_session(db, "patient", now=NOW, request_id=other.id)
    with database.write() as db:
        sessions.end_session(db, staff)
        sessions.end_sessions_of_request(db, request.id)
    with database.read() as db:
        assert sessions.find_session(db, staff, "staff", NOW) is None
        assert [sessions.find_session(db, cookie, "patient", NOW) for cookie in patients] == [None, None]
        assert sessions.find_session(db, stays, "patient", NOW) is not None


def test_sessions_become_receipts(database: Database, practice: Practice) -> None:
    """After the sending a request's sessions show the receipt for 28 days more, and are no patient's session any longer."""
    later = NOW + timedelta(hours=1)
    with database.write() as db:
        request, other = add_request(db, practice.id), add_request(db, practice.id)
        cookies = [sessions.start_session(db, "patient", now=NOW, request_id=request.id) for _ in range(2)]
        stays = sessions.start_session(db, "patient", now=NOW, request_id=other.id)
    with database.write() as db:
        sessions.keep_receipts(db, request.id, later)
    end = later + timedelta(days=28)
    with database.read() as db:
        assert [sessions.find_session(db, cookie, "patient", later) for cookie in cookies] == [None, None]
        found = [sessions.find_session(db, cookie, "receipt", end - timedelta(seconds=1)) for cookie in cookies]
        assert [row and row.expires_at for row in found] == [end, end]
        assert sessions.find_session(db, cookies[0], "receipt", end) is None
        assert sessions.find_session(db, stays, "patient", later) is not None


def test_old_sessions_are_swept_away(database: Database) -> None:
    """Sessions whose time is over do not pile up: the next one that starts removes them."""
    with database.write() as db:
        sessions.start_session(db, "staff", now=NOW)
    with database.write() as db:
        cookie = sessions.start_session(db, "staff", now=NOW + timedelta(days=1))
    with database.read() as db:
        assert db.query(SessionRow).count() == 1
        assert sessions.find_session(db, cookie, "staff", NOW + timedelta(days=1)) is not None
