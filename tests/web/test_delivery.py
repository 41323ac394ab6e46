"""Deliveries: tried again until they succeed, made once; and what a damaged part does."""

from datetime import timedelta

import pytest

from capture.actions.deliver import LONGEST_WAIT, deliver_next, wait_before
from capture.inbox.base import Place, Placed
from capture.services import Services
from capture.store.models import AuditEvent, Delivery, Request
from capture.store.outbox import LEASE
from tests.builders import ARequest, make_submitted, photos_of
from tests.conftest import Clock
from tests.web.html import Visitor


def delivery_of(services: Services) -> Delivery:
    with services.database.read() as db:
        return db.query(Delivery).one()


def state_of(services: Services, asked: ARequest) -> str:
    with services.database.read() as db:
        return db.get_one(Request, asked.id).state


def test_nothing_to_do(services: Services) -> None:
    """An empty outbox is no work."""
    assert deliver_next(services) is False


def test_delivered_once(services: Services, asked: ARequest) -> None:
    """A bundle is delivered and marked so, and then there is nothing more to do."""
    make_submitted(services, asked)
    assert (delivery_of(services).state, state_of(services, asked)) == ("delivered", "delivered")
    assert deliver_next(services) is False


@pytest.mark.parametrize("damage", ["missing", "altered", "longer"])
def test_damaged_part(services: Services, desk: Visitor, asked: ARequest, clock: Clock, damage: str) -> None:
    """The table of faults: a part that is altered or gone is found, and the delivery waits until it is whole again."""
    make_submitted(services, asked, delivered=False)
    path = services.settings.var / "blobs" / photos_of(services, asked)[0].blob
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damage == "altered" else whole + b"x")
    assert deliver_next(services)
    waiting = delivery_of(services)
    code = "part-missing" if damage == "missing" else "part-altered"
    assert (waiting.state, waiting.attempts, waiting.last_error) == ("queued", 1, code)
    assert timedelta(seconds=4) < waiting.due_at - clock() < timedelta(seconds=6)
    assert deliver_next(services) is False  # it is not due yet
    assert "Photos on their way" in desk.get(f"/staff/requests/{asked.id}").text
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(whole)
    clock.forward(seconds=6)
    assert deliver_next(services)
    assert (delivery_of(services).last_error, state_of(services, asked)) == ("", "delivered")


@pytest.mark.parametrize(("damage", "said"), [("missing", "is missing from the store"), ("altered", "is not as it was sealed")])
def test_downloading_what_is_damaged(services: Services, desk: Visitor, asked: ARequest, damage: str, said: str) -> None:
    """SECURITY 36: a damaged part is a page that names it, not an archive that breaks off; no download is put on record."""
    bundle = make_submitted(services, asked)
    path = services.settings.var / "blobs" / photos_of(services, asked)[0].blob
    path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes() + b"x")
    page = desk.get(f"/staff/bundles/{bundle.id}.zip")
    assert page.status == 422
    assert f"photos/01-close-up.jpg.age {said}" in page.text
    with services.database.read() as db:
        assert not db.query(AuditEvent).filter_by(action="bundle downloaded").count()


def test_waits_grow() -> None:
    """Retries wait longer and longer, up to half an hour, never quite the same."""
    waits = [wait_before(attempt) for attempt in range(2, 40)]
    assert timedelta(seconds=4.5) <= waits[0] <= timedelta(seconds=5.5)
    assert all(timedelta(seconds=4.5) <= wait <= LONGEST_WAIT * 1.1 for wait in waits)
    assert all(wait >= LONGEST_WAIT * 0.9 for wait in waits[10:])
    assert len(set(waits)) > 30


def test_worker_that_was_too_slow(services: Services, asked: ARequest, clock: Clock) -> None:
    """The table of faults: of two workers on one bundle, the one whose lease ran out changes nothing."""
    make_submitted(services, asked, delivered=False)
    slow = services.inboxes["web"]

    class Slow:
        def put(self, bundle: object) -> Placed:
            clock.forward(seconds=LEASE.total_seconds() + 1)
            services.inboxes["web"] = slow  # type: ignore[index]
            assert deliver_next(services)  # the other worker takes over, and is done
            return Placed()

    services.inboxes["web"] = Place("slow", Slow())  # type: ignore[index]
    assert deliver_next(services)
    done = delivery_of(services)
    assert (done.state, done.attempts, state_of(services, asked)) == ("delivered", 2, "delivered")


def test_two_inboxes(services: Services, asked: ARequest) -> None:
    """A request has been delivered when every inbox has the bundle, not before."""
    make_submitted(services, asked, delivered=False)
    with services.database.write() as db:
        first = db.query(Delivery).one()
        second = {"practice_id": first.practice_id, "inbox": "second", "state": "queued", "due_at": first.due_at}
        db.add(Delivery(bundle_id=first.bundle_id, **second))
    services.inboxes["second"] = services.inboxes["web"]  # type: ignore[index]
    assert deliver_next(services)
    assert state_of(services, asked) == "submitted"
    assert deliver_next(services)
    assert state_of(services, asked) == "delivered"
