"""Requests and bundles page by page: each comes once, also those of the same moment, and none of another practice (SECURITY 28)."""

from datetime import timedelta

from capture.domain.requests import State
from capture.store.database import Database
from capture.store.models import Practice
from capture.store.pages import Place, page_bundles, page_requests
from capture.store.practices import insert_practice
from tests.store.conftest import NOW
from tests.store.rows import add_bundle, add_request

START: Place | None = None
TIMES = [NOW + timedelta(minutes=minute) for minute in (0, 0, 0, 1, 1, 2)]


def test_requests(database: Database, practice: Practice) -> None:
    """Pages of two go through all of them, the longest unchanged first; states and a time leave the others out."""
    with database.write() as db:
        for number, at in enumerate(TIMES):
            add_request(db, practice.id, State.SENT if number % 2 else State.LOCKED, changed_at=at)
        add_request(db, insert_practice(db, ods="A81002", name="Oak", phone="1", now=NOW).id)
    seen, after = [], START
    with database.read() as db:
        while page := page_requests(db, practice.id, after=after, limit=2):
            seen += page
            after = (page[-1].changed_at, page[-1].id)
        assert [row.changed_at for row in seen] == TIMES
        assert len({row.id for row in seen}) == len(TIMES)
        late = page_requests(db, practice.id, since=TIMES[3], limit=9)
        assert [row.changed_at for row in late] == TIMES[3:]
        locked = page_requests(db, practice.id, states=[State.LOCKED], since=TIMES[3], limit=9)
        assert [row.changed_at for row in locked] == TIMES[4:5]


def test_bundles(database: Database, practice: Practice) -> None:
    """The newest first, with their requests, and only those in the states that are wanted."""
    with database.write() as db:
        for number, at in enumerate(TIMES):
            add_bundle(db, add_request(db, practice.id, State.DELIVERED if number else State.SUBMITTED)).created_at = at
        other = insert_practice(db, ods="A81002", name="Oak", phone="1", now=NOW).id
        add_bundle(db, add_request(db, other, State.DELIVERED))
    seen, after = [], START
    with database.read() as db:
        while page := page_bundles(db, practice.id, states=[State.DELIVERED], after=after, limit=2):
            seen += page
            after = (page[-1][0].created_at, page[-1][0].id)
        assert [bundle.created_at for bundle, _ in seen] == TIMES[:0:-1]
        assert all(bundle.request_id == request.id and request.practice_id == practice.id for bundle, request in seen)
        assert len({bundle.id for bundle, _ in seen}) == len(TIMES) - 1
