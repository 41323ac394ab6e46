"""Deliveries: tried again until they succeed, made once; and what a damaged part does."""

import json
from datetime import datetime, timedelta

import pytest

from capture.actions import deliver
from capture.actions.deliver import FEW_TRIES, LONGEST_WAIT, MOST_TRIES, deliver_next, take_due, wait_before
from capture.actions.follow_deliveries import Follower
from capture.actions.hurry_delivery import hurry_delivery
from capture.errors import BundleError, Unavailable, Undeliverable
from capture.inbox.base import BundleFiles, Inbox, Place, Placed
from capture.services import Services
from capture.store import deliveries, delivery_list
from capture.store.models import AuditEvent, Delivery, DeliveryTry, Photo, Request
from capture.store.outbox import LEASE
from tests.builders import APractice, ARequest, bundle_of, make_request, make_submitted, photos_of
from tests.conftest import Clock
from tests.system.server import wait_until
from tests.web.html import Visitor


def delivery_of(services: Services) -> Delivery:
    with services.database.read() as db:
        return db.query(Delivery).one()


def state_of(services: Services, asked: ARequest) -> str:
    with services.database.read() as db:
        return db.get_one(Request, asked.id).state


class Failing:
    """An inbox that takes nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def put(self, bundle: object) -> Placed:
        raise self.error


def add_inbox(services: Services, asked: ARequest, name: str, inbox: Inbox) -> None:
    """Another inbox, which the bundle of that request is to reach too."""
    bundle = bundle_of(services, asked)
    services.inboxes[name] = Place(name, inbox)  # type: ignore[index]
    with services.database.write() as db:
        deliveries.queue(db, bundle, [name], 1, services.clock())


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


def test_a_part_that_the_database_lacks(services: Services, asked: ARequest, clock: Clock) -> None:
    """A bundle of which the database has lost a photo holds up those behind it for a few tries, no longer."""
    make_submitted(services, asked, views=("context", "close-up"), delivered=False)
    with services.database.write() as db:
        db.delete(db.get_one(Photo, photos_of(services, asked)[0].id))
    for _ in range(FEW_TRIES):
        assert deliver_next(services)
        clock.forward(minutes=2)
    assert (delivery_of(services).state, delivery_of(services).last_error) == ("given up", "part-missing")


def test_waits_grow() -> None:
    """Retries wait longer and longer, up to half an hour, never quite the same."""
    waits = [wait_before(attempt) for attempt in range(2, 40)]
    assert timedelta(seconds=4.5) <= waits[0] <= timedelta(seconds=5.5)
    assert all(timedelta(seconds=4.5) <= wait <= LONGEST_WAIT * 1.1 for wait in waits)
    assert all(wait >= LONGEST_WAIT * 0.9 for wait in waits[10:])
    assert len(set(waits)) > 30
    assert timedelta(days=6.5) < sum(map(wait_before, range(2, MOST_TRIES + 1)), timedelta(0)) < timedelta(days=7.5)


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


def test_a_worker_that_slept_before_it_sent(services: Services, asked: ARequest, clock: Clock) -> None:
    """Stopped between its lease and its first byte, a worker whose lease another one took meanwhile sends nothing."""
    make_submitted(services, asked)
    sent: list[str] = []

    class Counting:
        def put(self, bundle: object) -> Placed:
            sent.append("once")
            return Placed()

    add_inbox(services, asked, "elm", Counting())
    lease = take_due(services)
    assert lease
    clock.forward(seconds=LEASE.total_seconds())
    other = take_due(services)
    assert other
    assert deliver.deliver(services, lease)
    assert sent == []
    assert deliver.deliver(services, other)
    assert sent == ["once"]
    with services.database.read() as db:
        assert db.query(DeliveryTry).count() == 0


def test_two_inboxes(services: Services, asked: ARequest) -> None:
    """A request has been delivered as soon as its first inbox has the bundle, whatever another one does (ADR 10)."""
    make_submitted(services, asked, delivered=False)
    add_inbox(services, asked, "elm", Failing(Unavailable()))
    assert deliver_next(services, only=["elm"])
    assert state_of(services, asked) == "submitted"
    assert deliver_next(services)
    assert state_of(services, asked) == "delivered"
    assert not deliver_next(services, but=["elm"])
    with services.database.read() as db:
        bundle = bundle_of(services, asked)
        assert not deliveries.all_delivered(db, bundle.id)
        assert db.query(AuditEvent).filter_by(action="request delivered", subject=asked.id).count() == 1


def test_a_way_station(services: Services, asked: ARequest, clock: Clock) -> None:
    """What a way station took is under way since then, under the name it gave; the request has not been delivered by that."""
    make_submitted(services, asked, delivered=False)
    with services.database.write() as db:
        db.query(Delivery).delete()

    class Station:
        def put(self, bundle: object) -> Placed:
            return Placed("20261122-77", final=False)

    add_inbox(services, asked, "elm", Station())
    assert deliver_next(services)
    on_its_way = delivery_of(services)
    assert (on_its_way.state, on_its_way.reference, on_its_way.handed_at) == ("under way", "20261122-77", clock())
    assert state_of(services, asked) == "submitted"
    assert not deliver_next(services)


def test_a_way_station_that_is_no_more(services: Services, asked: ARequest, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """What is under way with a station that the settings no longer name is given up, told once, and can be sent again.

    For two days it is left alone: this may be the worker whose settings are old. Nothing says that it came back, so that the
    station is asked for it first, should it be there again.
    """
    bundle = make_submitted(services, asked)
    with services.database.write() as db:
        deliveries.queue(db, bundle, ["elm"], 1, clock())
        row = db.query(Delivery).filter_by(inbox="elm").one()
        row.state, row.handed_at, row.fence, row.reference = "under way", clock(), 1, "20261122-77"
    follower = Follower(services)
    for hours in range(52):
        with services.database.read() as db:
            assert (db.query(Delivery).filter_by(inbox="elm").one().state == "under way") is (hours <= 49)
        follower.step()
        clock.forward(hours=1)
    with services.database.read() as db:
        row = db.query(Delivery).filter_by(inbox="elm").one()
        assert (row.state, row.last_error, row.reference, row.told_at is None) == ("given up", "no-inbox", "", False)
        assert [one.error for one in db.query(DeliveryTry)] == ["no-inbox"]
        assert delivery_list.list_open(db, None, 9)[0].told
    (told,) = caplog.messages
    assert told == "a delivery to elm came back (no-inbox): capture deliveries list shows it"
    hurry_delivery(services, asked.practice.id, row.id, actor="operator")
    assert deliver_next(services)


def test_an_inbox_that_is_no_more(services: Services, asked: ARequest, caplog: pytest.LogCaptureFixture) -> None:
    """A delivery whose inbox was taken out of the settings waits under a code of its own; others are made."""
    make_submitted(services, asked, delivered=False)
    add_inbox(services, asked, "elm", Failing(Unavailable()))
    del services.inboxes["elm"]  # type: ignore[attr-defined]
    assert deliver_next(services)
    assert deliver_next(services)
    with services.database.read() as db:
        errors = {row.inbox: (row.state, row.last_error) for row in db.query(Delivery)}
    assert errors == {"web": ("delivered", ""), "elm": ("queued", "no-inbox")}
    assert "delivery to elm failed, try 1: no-inbox" in caplog.text


class Keeping:
    """An inbox that takes everything, and keeps the bundles' ids in their order."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def put(self, bundle: BundleFiles) -> Placed:
        self.got.append(bundle.id)
        return Placed()


def test_an_inbox_that_only_the_worker_knows(services: Services, practice: APractice) -> None:
    """What the process of the patients does not know of, because its settings are old, is reached all the same: once, in order."""
    unknown = [make_submitted(services, make_request(services, practice), delivered=False) for _ in range(3)]
    keeping, other = Keeping(), Keeping()
    services.inboxes["elm"] = Place("Elm", keeping)  # type: ignore[index]
    services.inboxes["oak"] = Place("Oak", other, frozenset({"X99999"}))  # type: ignore[index]
    while deliver_next(services):
        pass
    known = make_submitted(services, make_request(services, practice), delivered=False)
    while deliver_next(services):
        pass
    assert keeping.got == [bundle.id for bundle in (*unknown, known)]
    assert other.got == []
    with services.database.read() as db:
        assert {row.state for row in db.query(Delivery)} == {"delivered"}
        assert db.query(Delivery).count() == 2 * len(keeping.got)


def try_to_the_end(services: Services, clock: Clock) -> None:
    """Try to deliver to the inbox `elm` until it is given up."""
    while deliver_next(services):
        with services.database.read() as db:
            clock.time = max(clock(), db.query(Delivery).filter_by(inbox="elm").one().due_at)


@pytest.mark.parametrize(
    ("error", "code", "most"),
    [
        (Unavailable(), "unavailable", 8),
        (KeyError("Mrs Ada Byron"), "error", 8),
        (BundleError(code="part-altered"), "part-altered", FEW_TRIES),
        (Undeliverable(code="bundle-too-large"), "bundle-too-large", FEW_TRIES),
    ],
)
def test_tries_come_to_an_end(
    services: Services,
    asked: ARequest,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: str,
    most: int,
) -> None:
    """What is the bundle's own fault is given up after a few tries, all else after many; each one is kept, with its code."""
    monkeypatch.setattr(deliver, "MOST_TRIES", 8)
    bundle = make_submitted(services, asked)
    add_inbox(services, asked, "elm", Failing(error))
    try_to_the_end(services, clock)
    with services.database.read() as db:
        row = db.query(Delivery).filter_by(inbox="elm").one()
        assert (row.state, row.attempts, row.last_error) == ("given up", most, code)
        tries = db.query(DeliveryTry).order_by(DeliveryTry.number).all()
        assert [(one.delivery_id, one.number, one.error) for one in tries] == [(row.id, n, code) for n in range(1, most + 1)]
        assert not deliveries.all_delivered(db, bundle.id)
        events = db.query(AuditEvent).filter_by(action="delivery given up", subject=asked.id).all()
        assert [json.loads(event.facts) for event in events] == [{"inbox": "elm", "error": code}]
    assert "Byron" not in caplog.text
    assert "a delivery to elm was given up" in caplog.text


def test_only_its_own_faults_count_towards_its_few_tries(services: Services, asked: ARequest, clock: Clock) -> None:
    """After an hour in which its inbox was away a bundle has as many tries as any other, and so has one that is sent again."""
    make_submitted(services, asked)
    failing = Failing(Unavailable())
    add_inbox(services, asked, "elm", failing)
    for _ in range(9):
        assert deliver_next(services)
        clock.forward(minutes=31)
    failing.error = BundleError(code="part-altered")
    for tries in (9 + FEW_TRIES, FEW_TRIES):
        try_to_the_end(services, clock)
        with services.database.read() as db:
            row = db.query(Delivery).filter_by(inbox="elm").one()
        assert (row.state, row.attempts) == ("given up", tries)
        hurry_delivery(services, asked.practice.id, row.id, actor="operator")


def test_a_clock_that_jumps_gives_nothing_up(services: Services, asked: ARequest, clock: Clock) -> None:
    """The table of faults: 40 days forward and back are two tries more, not the end of a week of them."""
    make_submitted(services, asked)
    add_inbox(services, asked, "elm", Failing(Unavailable()))
    for days in (0, 40, -40):
        clock.forward(days=days)
        assert deliver_next(services)
    with services.database.read() as db:
        row = db.query(Delivery).filter_by(inbox="elm").one()
        assert (row.state, row.attempts) == ("queued", 3)


def test_a_long_put_keeps_its_lease(services: Services, asked: ARequest, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a put goes on for longer than its lease would last, no other worker begins the same one."""
    make_submitted(services, asked)
    monkeypatch.setattr(deliver, "RENEW_EVERY", timedelta(seconds=0.01))

    class Long:
        def put(self, bundle: object) -> Placed:
            for _ in range(3):
                clock.forward(seconds=LEASE.total_seconds() - 1)
                wait_until(lambda: due_at() == clock() + LEASE)
                assert not deliver_next(services)
            return Placed()

    def due_at() -> datetime:
        with services.database.read() as db:
            return db.query(Delivery).filter_by(inbox="elm").one().due_at

    add_inbox(services, asked, "elm", Long())
    assert deliver_next(services)
    with services.database.read() as db:
        row = db.query(Delivery).filter_by(inbox="elm").one()
        assert (row.state, row.attempts) == ("delivered", 1)
