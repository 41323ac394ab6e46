"""What an outbox does once a clock that was ahead is right: what waited for that clock's times goes, what is planned waits."""

from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import pytest

from capture.actions.deliver import LONGEST_WAIT
from capture.actions.queue_notice import AT_MOST_EVERY
from capture.domain.requests import State
from capture.store import deliveries, messages, requests, webhooks
from capture.store.database import Database
from capture.store.models import Practice
from capture.store.outbox import FARTHEST, LEASE
from tests.store.conftest import NOW
from tests.store.rows import add_bundle, add_request

AHEAD, MINUTE = timedelta(days=40), timedelta(minutes=1)


def a_delivery(database: Database, practice: Practice, after: timedelta) -> None:
    with database.write() as db:
        add_bundle(db, add_request(db, practice.id))
        db.execute(deliveries.Delivery.__table__.update().values(due_at=NOW + after))  # type: ignore[attr-defined]


def an_event(database: Database, practice: Practice, after: timedelta) -> None:
    with database.write() as db:
        webhooks.insert_webhook(db, practice.id, "https://hooks.example.org/", NOW)
        requests.move(db, add_request(db, practice.id), State.OPENED, actor="x", now=NOW + after)


def a_message(database: Database, practice: Practice, after: timedelta, kind: str = "notice-waiting") -> None:
    told = {"channel": "email", "to": "inbox@surgery.example", "text": "Look", "due_at": NOW + after}
    with database.write() as db:
        messages.queue_message(db, practice_id=practice.id, request_id=None, kind=kind, **told)  # type: ignore[arg-type]


OUTBOXES = [(deliveries, a_delivery), (webhooks, an_event), (messages, a_message)]


@pytest.mark.parametrize(("outbox", "queue"), OUTBOXES)
def test_a_clock_that_was_ahead(
    database: Database, practice: Practice, outbox: ModuleType, queue: Callable[[Database, Practice, timedelta], None]
) -> None:
    """Faults, the clock jumps: what was queued, or put back, by a clock 40 days ahead goes when the clock is right, and once."""
    queue(database, practice, AHEAD)
    with database.write() as db:
        first = outbox.lease_due(db, NOW)
        assert first
        assert outbox.lease_due(db, NOW) is None
        assert outbox.put_back(db, first, NOW + AHEAD, "away")
        again = outbox.lease_due(db, NOW + MINUTE)
        assert again
        assert again.fence == first.fence + 1


@pytest.mark.parametrize(("outbox", "queue"), OUTBOXES)
def test_a_wait_that_is_meant(
    database: Database, practice: Practice, outbox: ModuleType, queue: Callable[[Database, Practice, timedelta], None]
) -> None:
    """No lease, no wait between two tries and no hour between two notices is so long that it is taken for a clock's error."""
    assert max(LONGEST_WAIT * 1.1, AT_MOST_EVERY, LEASE) < FARTHEST
    queue(database, practice, timedelta(0))
    with database.write() as db:
        taken = outbox.lease_due(db, NOW)
        assert taken
        assert outbox.put_back(db, taken, NOW + FARTHEST, "away")
        assert outbox.lease_due(db, NOW + FARTHEST - MINUTE) is None
        assert outbox.lease_due(db, NOW + FARTHEST)


def test_a_planned_reminder(database: Database, practice: Practice) -> None:
    """A reminder waits for its day; one whose day was there when a clock ahead put it back does not wait for that clock."""
    a_message(database, practice, timedelta(days=3), "reminder")
    with database.write() as db:
        assert messages.lease_due(db, NOW) is None
        assert messages.lease_due(db, NOW + timedelta(days=3) - MINUTE) is None
        taken = messages.lease_due(db, NOW + AHEAD)
        assert taken
        assert messages.put_back(db, taken, NOW + AHEAD, "away")
        assert messages.lease_due(db, NOW + timedelta(days=3) - MINUTE) is None
        assert messages.lease_due(db, NOW + timedelta(days=3))
