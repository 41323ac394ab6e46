"""Requests, photos and bundles in the database: found by their own practice only, moved by the table, sealed to their row."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from capture.domain.requests import State
from capture.errors import CaptureError, Conflict, NotFound
from capture.store import audit, photos, requests
from capture.store.database import Database
from capture.store.models import Delivery, Practice, Request, new_id
from capture.store.practices import insert_practice
from capture.store.requests import Answers
from tests.store.conftest import NOW
from tests.store.rows import DETAILS, add_bundle, add_photo, add_request


def test_what_is_said_of_a_patient_is_sealed(database: Database, practice: Practice) -> None:
    """Details and answers come back as they were given, and no column holds them in clear (SECURITY, assets)."""
    answers = Answers(
        agreed_at=NOW.isoformat(),
        statements=("use", "seen"),
        helper="the patient",
        who="a parent",
        skipped={"close-up": "It itches"},
    )
    with database.write() as db:
        request = add_request(db, practice.id)
        requests.keep_answers(db, request, answers)
    with database.read() as db:
        row = requests.find_request(db, practice.id, request.id)
        assert requests.details_of(db, row) == DETAILS
        assert requests.answers_of(db, row) == answers
        columns = db.execute(text("SELECT * FROM requests")).one()
        for secret in (b"Ada Byron", b"EMIS", b"itches", b"Okafor"):
            assert secret not in b"|".join(bytes(c) if isinstance(c, bytes | memoryview) else str(c).encode() for c in columns)


def test_a_patient_who_has_said_nothing(database: Database, practice: Practice) -> None:
    """Before the agreement there are no answers."""
    with database.write() as db:
        assert requests.answers_of(db, add_request(db, practice.id)) == Answers()


def test_details_copied_to_another_request_do_not_open(database: Database, practice: Practice) -> None:
    """Someone with the database in hand cannot show one patient's details under another's request."""
    with database.write() as db:
        one, other = add_request(db, practice.id), add_request(db, practice.id)
        other.details_sealed = one.details_sealed
        with pytest.raises(CaptureError, match="does not open"):
            requests.details_of(db, other)


def test_requests_are_found(database: Database, practice: Practice) -> None:
    """By token, by the form that issued them and by id; each finds nothing where there is nothing."""
    with database.write() as db:
        request = add_request(db, practice.id, token_hash="t" * 64, issue_key="k")
    with database.read() as db:
        for found in (requests.find_by_token(db, "t" * 64), requests.find_by_issue_key(db, practice.id, "k")):
            assert found is not None
            assert found.id == request.id
        assert requests.find_by_token(db, "u" * 64) is None
        assert requests.find_by_issue_key(db, practice.id, "l") is None
        assert requests.find_by_issue_key(db, "other", "k") is None
        with pytest.raises(NotFound):
            requests.lock_request(db, "nothing")


def test_another_practices_anything_is_not_found(database: Database, practice: Practice) -> None:
    """A request and a bundle are NotFound for any practice but their own, exactly like those that do not exist (SECURITY 28)."""
    with database.write() as db:
        other = insert_practice(db, ods="B2", name="Other", phone="1", now=NOW)
        request = add_request(db, practice.id)
        bundle = add_bundle(db, request)
    with database.read() as db:
        assert requests.find_request(db, practice.id, request.id).id == request.id
        assert photos.find_bundle(db, practice.id, bundle.id).id == bundle.id
        for practice_id, request_id, bundle_id in ((other.id, request.id, bundle.id), (practice.id, "none", "none")):
            with pytest.raises(NotFound):
                requests.find_request(db, practice_id, request_id)
            with pytest.raises(NotFound):
                photos.find_bundle(db, practice_id, bundle_id)
        assert requests.list_requests(db, other.id, State) == []


def test_the_list_is_newest_first_and_bounded(database: Database, practice: Practice) -> None:
    """A practice's list starts with the newest request, holds at most the limit, and only the states asked for."""
    with database.write() as db:
        for hour in range(4):
            state = State.SENT if hour % 2 else State.CANCELLED
            add_request(db, practice.id, state, issued_at=NOW + timedelta(hours=hour), receipt=f"R{hour}")
    with database.read() as db:
        assert [row.receipt for row in requests.list_requests(db, practice.id, State, 3)] == ["R3", "R2", "R1"]
        assert [row.receipt for row in requests.list_requests(db, practice.id, [State.SENT], 9)] == ["R3", "R1"]


def test_a_move_writes_its_event(database: Database, practice: Practice) -> None:
    """A move changes the state, notes when, and is in the audit trail; one that the table forbids changes nothing (SECURITY 40)."""
    later = NOW + timedelta(minutes=3)
    with database.write() as db:
        request = add_request(db, practice.id)
        requests.move(db, request, State.CONFIRMED, actor="patient", now=later, tries=2)
        with pytest.raises(Conflict):
            requests.move(db, request, State.DELIVERED, actor="worker", now=later)
    with database.read() as db:
        row = db.get_one(Request, request.id)
        assert (row.state, row.changed_at) == ("confirmed", later)
        (event,) = audit.list_events(db, practice.id, request.id)
        assert (event.action, event.actor, event.at, event.facts) == ("request confirmed", "patient", later, '{"tries": 2}')


def test_guesses_are_counted_before_they_are_looked_at(database: Database, practice: Practice) -> None:
    """Five guesses are free, then the link waits 1, 5, 15 minutes; a right one is forgiven and ends the wait (SECURITY 5)."""
    with database.write() as db:
        request = add_request(db, practice.id)

    def guess(now: datetime) -> bool:
        with database.write() as db:
            return requests.reserve_guess(db, request.id, now)

    assert [guess(NOW) for _ in range(6)] == [True] * 5 + [False]
    now = NOW
    for minutes in (1, 5, 15, 15):
        assert not guess(now + timedelta(minutes=minutes, seconds=-1))
        now += timedelta(minutes=minutes)
        assert guess(now)
    with database.write() as db:
        row = requests.lock_request(db, request.id)
        assert row.guesses == 9
        requests.forgive_guess(row)
        assert (row.guesses, row.wait_until) == (8, None)
    assert guess(now)


def test_twenty_guesses_at_once_are_twenty_in_turn(database: Database, practice: Practice) -> None:
    """Guesses that come at the same moment are counted one by one: five get through, the others wait (SECURITY 5)."""
    with database.write() as db:
        request = add_request(db, practice.id)
    start, allowed = threading.Barrier(8), []

    def guess() -> None:
        start.wait()
        with database.write() as db:
            allowed.append(requests.reserve_guess(db, request.id, NOW))

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(allowed) == [False] * 3 + [True] * 5


def test_twenty_guesses_close_the_link(database: Database, practice: Practice) -> None:
    """After twenty wrong dates no wait helps any more (SECURITY 5)."""
    with database.write() as db:
        request = add_request(db, practice.id, guesses=20)
        assert not requests.reserve_guess(db, request.id, NOW + timedelta(days=400))


def test_a_last_guess_that_never_ended(database: Database, practice: Practice) -> None:
    """A last guess whose process died is found once its time is over, not before, and not again after the lock (SECURITY 5)."""
    with database.write() as db:
        sent, confirmed = (add_request(db, practice.id, state, guesses=19) for state in (State.SENT, State.CONFIRMED))
        add_request(db, practice.id, guesses=19)
        for request in (sent, confirmed):
            assert requests.reserve_guess(db, request.id, NOW)
    later = NOW + timedelta(minutes=15, seconds=1)
    with database.write() as db:
        assert requests.list_guessed_out(db, NOW + timedelta(minutes=15), 9) == []
        found = requests.list_guessed_out(db, later, 9)
        assert {request.id for request in found} == {sent.id, confirmed.id}
        assert len(requests.list_guessed_out(db, later, 1)) == 1
        for request in found:
            requests.lock_link(db, request, later)
    with database.write() as db:
        assert requests.list_guessed_out(db, later + timedelta(days=1), 9) == []
        states = {request.id: db.get_one(Request, request.id).state for request in (sent, confirmed)}
        assert states == {sent.id: "locked", confirmed.id: "confirmed"}
        told = [audit.list_events(db, practice.id, request.id)[-1].action for request in (sent, confirmed)]
        assert told == ["request locked", "link locked"]


def test_links_to_another_phone_are_forgotten(database: Database, practice: Practice) -> None:
    """A link to another phone is found by its hash until its time is over; then it is gone, whatever the clock does next."""
    with database.write() as db:
        request = add_request(db, practice.id, hand_over_hash="h" * 64, hand_over_until=NOW)
        requests.forget_hand_overs(db, NOW)
        found = requests.find_by_hand_over(db, "h" * 64)
        assert found
        assert found.id == request.id
        requests.forget_hand_overs(db, NOW + timedelta(seconds=1))
    with database.read() as db:
        assert requests.find_by_hand_over(db, "h" * 64) is None
        assert db.get_one(Request, request.id).hand_over_until is None


def test_refused_files_are_counted(database: Database, practice: Practice) -> None:
    """Each refused file counts against the link, and its bytes do (SECURITY 20)."""
    with database.write() as db:
        request = add_request(db, practice.id)
        for _ in range(3):
            requests.count_refusal(db, request.id, 1 << 31)
    with database.read() as db:
        counted = db.get_one(Request, request.id)
        assert (counted.refusals, counted.received_bytes) == (3, 3 << 31)


def test_photos_in_order_of_arrival(database: Database, practice: Practice) -> None:
    """What would be sent is each view's newest photo, in the order of arrival; the quota counts every one (SECURITY 20)."""
    with database.write() as db:
        request = add_request(db, practice.id)
        add_photo(db, request, "context", replaced=True)
        last = add_photo(db, request, "close-up", arrived_at=NOW + timedelta(minutes=2))
        first = add_photo(db, request, "context", arrived_at=NOW + timedelta(minutes=1))
    with database.read() as db:
        assert [photo.id for photo in photos.current_photos(db, request.id)] == [first.id, last.id]
        assert photos.count_photos(db, request.id) == 3
        assert photos.count_photos(db, "none") == 0
        assert photos.facts_of(db, first) == {"size": 7}
        assert photos.find_photo(db, first.id) is not None
        assert photos.find_photo(db, new_id()) is None


def test_a_photo_id_is_used_once(database: Database, practice: Practice) -> None:
    """Two photos under one id, as two that race would write them, are a Conflict (SECURITY 12)."""
    with database.write() as db:
        request = add_request(db, practice.id)
        photo = add_photo(db, request)
    with pytest.raises(Conflict), database.write() as db:
        add_photo(db, request, id=photo.id)


def test_a_request_becomes_one_bundle(database: Database, practice: Practice) -> None:
    """A bundle has a delivery for each inbox in the same transaction; a second bundle is a Conflict (SECURITY 10)."""
    with database.write() as db:
        request = add_request(db, practice.id)
        assert photos.bundle_of_request(db, request.id) is None
        bundle = add_bundle(db, request, ("web", "folder"))
    with pytest.raises(Conflict), database.write() as db:
        add_bundle(db, request)
    with database.read() as db:
        found = photos.bundle_of_request(db, request.id)
        assert found is not None
        assert found.id == bundle.id
        assert sorted(row.inbox for row in db.query(Delivery)) == ["folder", "web"]
