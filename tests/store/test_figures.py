"""The figures of the dashboard and the list of deliveries, in both databases."""

from datetime import timedelta

import pytest

from capture.domain.requests import State
from capture.errors import Conflict, NotFound
from capture.store import deliveries, delivery_list, figures
from capture.store.audit import append
from capture.store.database import Database
from capture.store.models import Delivery, DeliveryTry, Practice
from capture.store.practices import insert_practice
from tests.store.conftest import NOW
from tests.store.rows import add_bundle, add_photo, add_request

WEEK = timedelta(weeks=1)
STARTS = [NOW - 2 * WEEK, NOW - WEEK, NOW]


def test_requests_are_counted_by_week(database: Database, practice: Practice) -> None:
    """In the week of the event, each request once a week, from the first week's first moment on, of this practice alone."""
    with database.write() as db:
        other = insert_practice(db, ods="A1", name="x", phone="1", now=NOW)
        for practice_id, subject, at in (
            (practice.id, "early", STARTS[0] - timedelta(seconds=1)),
            (practice.id, "a", STARTS[0]),
            (practice.id, "b", NOW),
            (practice.id, "b", NOW + timedelta(days=1)),
            (practice.id, "c", NOW + timedelta(days=1)),
            (other.id, "d", NOW),
        ):
            append(db, practice_id, actor="operator", action="request sent", subject=subject, at=at)
    with database.read() as db:
        assert figures.count_by_week(db, practice.id, ("request sent", "photo kept"), STARTS) == {
            "request sent": [1, 0, 2],
            "photo kept": [0, 0, 0],
        }
        assert figures.count_requests(db, practice.id, "request sent", STARTS[0]) == 3
        assert figures.count_requests(db, practice.id, "photo kept", STARTS[0]) == 0


def test_times_sizes_and_what_waits(database: Database, practice: Practice) -> None:
    """How long each patient took, what is stored without replaced photos, and since when the oldest photos wait."""
    with database.write() as db:
        other = insert_practice(db, ods="A1", name="x", phone="1", now=NOW)
        hour = timedelta(hours=1)
        add_request(db, practice.id)
        old = add_request(db, practice.id, State.ATTACHED, submitted_at=NOW - WEEK, issued_at=NOW - WEEK - hour)
        waits = add_request(db, practice.id, State.DELIVERED, submitted_at=NOW + hour)
        add_request(db, practice.id, State.SUBMITTED, submitted_at=NOW + 2 * hour)
        add_request(db, other.id, State.DELIVERED, submitted_at=NOW - WEEK)
        add_photo(db, old, sealed_size=1_000)
        add_photo(db, waits, sealed_size=500)
        add_photo(db, waits, sealed_size=70, replaced=True)
    with database.read() as db:
        taken = sorted(figures.times_to_photos(db, practice.id, NOW - WEEK))
        assert taken == [(NOW - WEEK, hour), (NOW + hour, hour), (NOW + 2 * hour, 2 * hour)]
        assert len(figures.times_to_photos(db, practice.id, NOW)) == 2
        assert figures.bytes_stored(db, practice.id) == (2, 1_500)
        assert figures.bytes_stored(db, other.id) == (0, 0)
        assert figures.waiting(db, practice.id) == figures.Waiting(2, NOW + hour)
        assert figures.waiting(db, "0" * 32) == figures.Waiting(0, None)


def test_deliveries_that_wait_come_first_and_can_be_hurried(database: Database, practice: Practice) -> None:
    """Those not made stand first; one that failed is due when told; another's, one that arrived or was never tried is not."""
    with database.write() as db:
        done, failed, fresh = (add_bundle(db, add_request(db, practice.id, State.SUBMITTED)) for _ in range(3))
        rows = {row.bundle_id: row for row in db.query(Delivery)}
        rows[done.id].state, rows[done.id].delivered_at = "delivered", NOW
        rows[failed.id].last_error, rows[failed.id].due_at = "unavailable", NOW + WEEK
        db.add(DeliveryTry(delivery_id=rows[failed.id].id, number=rows[failed.id].fence, at=NOW, error="unavailable"))
        ids = {bundle.id: rows[bundle.id].id for bundle in (done, failed, fresh)}
    with database.read() as db:
        assert [one.id for one in delivery_list.list_open(db, practice.id, 9)] == [ids[failed.id], ids[fresh.id]]
        assert len(delivery_list.list_open(db, None, 1)) == 1
        assert delivery_list.list_open(db, "0" * 32, 9) == []
        assert [one.id for one in delivery_list.list_arrived(db, practice.id, 9)] == [ids[done.id]]
        assert delivery_list.list_arrived(db, practice.id, 9, ids[done.id]) == []
        with pytest.raises(NotFound):
            delivery_list.list_arrived(db, "0" * 32, 9, ids[done.id])
    for practice_id, delivery_id, kind in (
        ("0" * 32, ids[failed.id], NotFound),
        (practice.id, "0" * 32, NotFound),
        (practice.id, ids[done.id], Conflict),
        (practice.id, ids[fresh.id], Conflict),
    ):
        with pytest.raises(kind), database.write() as db:
            deliveries.make_due(db, practice_id, delivery_id, NOW)
    with database.write() as db:
        assert deliveries.make_due(db, practice.id, ids[failed.id], NOW) == (failed.request_id, "queued")
    with database.read() as db:
        assert db.get_one(Delivery, ids[failed.id]).due_at == NOW
