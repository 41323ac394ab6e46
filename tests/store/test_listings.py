"""What the inbox lists, on both databases: groups, pages, photos, what a search opens, what was not told yet."""

from datetime import timedelta

from capture.domain.following import matcher
from capture.domain.requests import UNSETTLED, State
from capture.store import listings, requests
from capture.store.database import Database
from capture.store.models import Practice
from capture.store.practices import insert_practice
from tests.store.conftest import NOW
from tests.store.rows import add_bundle, add_photo, add_request

LATER = NOW + timedelta(days=8)


def test_states_are_counted_as_people_see_them(database: Database, practice: Practice) -> None:
    """A link whose time is over counts as expired, whatever its row says; another practice's requests count for nobody else."""
    with database.write() as db:
        other = insert_practice(db, ods="B2", name="Other", phone="1", now=NOW)
        for state in (State.SENT, State.CONFIRMED, State.CONFIRMED, State.DELIVERED, State.EXPIRED):
            add_request(db, practice.id, state)
        add_request(db, other.id)
    with database.read() as db:
        now, later = (listings.count_states(db, practice.id, at) for at in (NOW, LATER))
        assert {state: count for state, count in now.items() if count} == {"sent": 1, "confirmed": 2, "delivered": 1, "expired": 1}
        assert {state: count for state, count in later.items() if count} == {"delivered": 1, "expired": 4}
        for at, counts in ((NOW, now), (LATER, later)):
            for state in State:
                found = listings.list_page(db, practice.id, {state}, at, skip=0, limit=9)
                assert len(found) == counts[state], state


def test_pages(database: Database, practice: Practice) -> None:
    """Pages follow each other without a gap or a repetition, newest first; what is flagged and not settled comes before all."""
    with database.write() as db:
        for hour in range(7):
            add_request(db, practice.id, State.DELIVERED, issued_at=NOW + timedelta(hours=hour), receipt=f"R{hour}")
        rows = listings.list_page(db, practice.id, UNSETTLED, NOW, skip=0, limit=9)
        rows[-1].flagged_at = NOW
    with database.read() as db:
        pages = [listings.list_page(db, practice.id, UNSETTLED, NOW, skip=skip, limit=3) for skip in (0, 3, 6, 9)]
        assert [[row.receipt for row in page] for page in pages] == [["R0", "R6", "R5"], ["R4", "R3", "R2"], ["R1"], []]


def test_photos_and_bundles_of_many(database: Database, practice: Practice) -> None:
    """How many photos each request has, retakes left out, and its bundle; those without are left out."""
    with database.write() as db:
        first, second, third = (add_request(db, practice.id) for _ in range(3))
        add_photo(db, first, "context", replaced=True)
        for view in ("context", "close-up"):
            add_photo(db, first, view)
        add_photo(db, second)
        bundle = add_bundle(db, first)
        ids = [first.id, second.id, third.id]
        assert listings.count_photos(db, ids) == {first.id: 2, second.id: 1}
        assert listings.bundle_ids(db, ids) == {first.id: bundle.id}
        assert (listings.count_photos(db, []), listings.bundle_ids(db, [])) == ({}, {})
        assert listings.names_of(db, ["patient", "worker"]) == {}


def test_search_opens_a_bounded_number(database: Database, practice: Practice) -> None:
    """SECURITY 28: a search looks at the newest requests of the practice alone, and finds a whole receipt beyond them."""
    with database.write() as db:
        other = insert_practice(db, ods="B2", name="Other", phone="1", now=NOW)
        old = add_request(db, practice.id, issued_at=NOW - timedelta(days=1), receipt="KX7-P3Q")
        new = add_request(db, practice.id)
        add_request(db, other.id, receipt="KX7-P3R")
    with database.read() as db:
        byron = matcher("byron")
        assert listings.search(db, practice.id, byron) == ([new.id, old.id], 2)
        assert listings.search(db, practice.id, byron, limit=1) == ([new.id], 1)
        assert listings.search(db, practice.id, matcher("nobody"), "KX7-P3Q", limit=1) == ([old.id], 1)
        assert listings.search(db, practice.id, matcher("nobody"), "KX7-P3R") == ([], 2)
        found = listings.list_by_ids(db, practice.id, [old.id, new.id])
        assert [row.id for row in found] == [new.id, old.id]
        assert listings.list_by_ids(db, other.id, [old.id]) == []


def test_a_case(database: Database, practice: Practice) -> None:
    """A case is its first request and all that follow it, oldest first, whichever of them one asks with; of one practice alone."""
    with database.write() as db:
        other = insert_practice(db, ods="B2", name="Other", phone="1", now=NOW)
        first = add_request(db, practice.id)
        second, third = (add_request(db, practice.id, case_id=first.id, issued_at=NOW + timedelta(days=day)) for day in (1, 2))
        add_request(db, practice.id)
        add_request(db, other.id, case_id=first.id)
        for request in (first, second, third):
            assert [row.id for row in requests.list_case(db, request)] == [first.id, second.id, third.id]
            assert request.case == first.id


def test_what_was_not_told_yet(database: Database, practice: Practice) -> None:
    """Locked links and what was sent before then, the oldest first, each until it is flagged; settled requests never."""
    with database.write() as db:
        assert listings.practices_with_unflagged(db) == []
        locked = add_request(db, practice.id, State.LOCKED)
        late, later = (add_request(db, practice.id, State.DELIVERED, submitted_at=NOW - timedelta(hours=hours)) for hours in (9, 5))
        add_request(db, practice.id, State.DELIVERED, submitted_at=NOW)
        add_request(db, practice.id, State.COLLECTED, submitted_at=NOW - timedelta(days=9))
    with database.write() as db:
        assert listings.practices_with_unflagged(db) == [practice.id]
        found = listings.list_unflagged(db, practice.id, NOW - timedelta(hours=1), 9)
        assert [row.id for row in found] == [locked.id, late.id, later.id]
        assert len(listings.list_unflagged(db, practice.id, NOW, 1)) == 1
        for row in found:
            row.flagged_at = NOW
    with database.write() as db:
        assert listings.list_unflagged(db, practice.id, NOW - timedelta(hours=1), 9) == []
