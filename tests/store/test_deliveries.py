"""The outbox: one effect for each delivery, whoever works on it."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from capture.store import deliveries
from capture.store.database import Database
from capture.store.deliveries import BEHIND, Lease
from capture.store.models import Delivery, Practice
from capture.store.outbox import LEASE
from tests.store.conftest import NOW
from tests.store.rows import add_bundle, add_deliveries, add_request


def lease(database: Database, now_offset: timedelta = timedelta(0)) -> Lease | None:
    with database.write() as db:
        return deliveries.lease_due(db, NOW + now_offset)


def one_lease(database: Database, practice: Practice) -> Lease:
    with database.write() as db:
        add_bundle(db, add_request(db, practice.id))
    taken = lease(database)
    assert taken is not None
    return taken


def test_an_empty_outbox(database: Database) -> None:
    """With nothing due there is no lease."""
    assert lease(database) is None


def test_two_workers_make_each_delivery_once(database: Database, practice: Practice) -> None:
    """Two workers on fifty deliveries make every one of them, none twice, and both have work (faults: two workers)."""
    with database.write() as db:
        bundles = add_deliveries(db, practice.id, 50)
    both, effects = threading.Barrier(2), Counter[tuple[str, str]]()
    lock = threading.Lock()

    def work(name: str) -> None:
        both.wait(timeout=60)
        taken = lease(database)
        both.wait(timeout=60)  # each has one before either goes on
        while taken:
            with lock:
                effects[taken.bundle_id, name] += 1
            with database.write() as db:
                assert deliveries.mark_delivered(db, taken, NOW)
            taken = lease(database)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bundle for bundle, _ in effects) == sorted(bundles)
    assert set(effects.values()) == {1}
    assert {name for _, name in effects} == {"a", "b"}
    with database.read() as db:
        assert {(row.state, row.attempts) for row in db.query(Delivery)} == {("delivered", 1)}
        assert all(deliveries.all_delivered(db, bundle) for bundle in bundles)


def test_those_due_longest_go_first(database: Database, practice: Practice) -> None:
    """Deliveries are made in the order in which they fell due, and none before its time."""
    with database.write() as db:
        bundles = add_deliveries(db, practice.id, 3)
        db.query(Delivery).filter_by(bundle_id=bundles[2]).one().due_at = NOW + timedelta(seconds=1)
    taken = [lease(database) for _ in range(3)]
    assert [one and one.bundle_id for one in taken] == [*bundles[:2], None]
    later = lease(database, timedelta(seconds=1))
    assert later is not None
    assert later.bundle_id == bundles[2]


def test_the_first_of_a_line_goes_first(database: Database, practice: Practice) -> None:
    """A practice's bundles reach an inbox in the order of their sending: while one waits the next one does, at that inbox alone."""
    with database.write() as db:
        first, second = (add_bundle(db, add_request(db, practice.id), ("web", "folder")).id for _ in range(2))
        db.query(Delivery).filter_by(bundle_id=first).update({"due_at": NOW + timedelta(minutes=1)})
        db.query(Delivery).filter_by(bundle_id=first, inbox="folder").update({"state": "dropped"})
        deliveries.wake_lines(db, NOW)
    taken = lease(database)
    assert taken is not None
    assert (taken.bundle_id, taken.inbox) == (second, "folder")
    assert lease(database) is None
    head = lease(database, timedelta(minutes=1))
    assert head is not None
    assert (head.bundle_id, head.inbox) == (first, "web")
    with database.write() as db:
        assert deliveries.mark_delivered(db, head, NOW)
    behind = lease(database, timedelta(minutes=1))
    assert behind is not None
    assert (behind.bundle_id, behind.inbox) == (second, "web")


def test_one_that_joins_its_line_late_goes_before_those_sent_after_it(database: Database, practice: Practice) -> None:
    """A bundle that is put on its way to one more inbox has its place there by its number, once, whoever stands behind it."""
    with database.write() as db:
        first = add_bundle(db, add_request(db, practice.id), ("web",), number=3)
        second = add_bundle(db, add_request(db, practice.id), ("web", "folder"), number=5)
        made = db.query(Delivery).filter_by(bundle_id=first.id).one()
        for _ in range(2):
            deliveries.queue_missing(db, made.id, ["web", "folder"], NOW)
        db.query(Delivery).filter_by(inbox="web").update({"state": "delivered"})
    for bundle in (first, second):
        taken = lease(database)
        assert taken is not None
        assert (taken.bundle_id, taken.inbox) == (bundle.id, "folder")
        assert taken.fence == 1 + (bundle is first)  # that inbox may have had it before a restore, so it is asked
        assert lease(database) is None
        with database.write() as db:
            assert deliveries.mark_delivered(db, taken, NOW)
    assert lease(database) is None


def test_a_line_moves_on_whatever_happens_at_once(database: Database, practice: Practice) -> None:
    """While bundles join a line others leave it: each is made, in order, and none is left behind (each way of leaving)."""
    count, made, over = 40, list[str](), threading.Event()
    leaving: list[Callable[[Session, Lease, datetime], bool]] = [
        deliveries.mark_delivered,
        lambda db, taken, now: deliveries.give_up(db, taken, now, "x"),
        lambda db, taken, now: deliveries.mark_under_way(db, taken, now, "x"),
    ]

    def work() -> None:
        while True:
            done, taken = over.is_set(), lease(database)
            if taken:
                with database.write() as db:
                    assert leaving[len(made) % 3](db, taken, NOW)
                made.append(taken.bundle_id)
            elif done:
                return

    working = threading.Thread(target=work)
    working.start()
    sent: list[str] = []
    for _ in range(count):
        with database.write() as db:
            sent.append(add_bundle(db, add_request(db, practice.id), number=len(sent)).id)
    over.set()
    working.join(60)
    assert made == sent


def test_what_waits_in_a_line_is_not_due(database: Database, practice: Practice) -> None:
    """Behind the first of a line nothing is due; what was given up and sent again goes before what was sent later."""
    with database.write() as db:
        for _ in range(3):
            add_bundle(db, add_request(db, practice.id))

    def due(db: Session) -> list[datetime]:
        return list(db.scalars(select(Delivery.due_at).order_by(Delivery.number)))

    taken = lease(database)
    assert taken
    with database.write() as db:
        assert due(db) == [NOW + LEASE, BEHIND, BEHIND]
        assert deliveries.give_up(db, taken, NOW, "x")
        assert due(db)[1:] == [NOW, BEHIND]
    second = lease(database)
    assert second
    with database.write() as db:
        deliveries.make_due(db, practice.id, taken.delivery_id, NOW)
        assert deliveries.mark_delivered(db, second, NOW)
    again = lease(database)
    assert again
    assert again.delivery_id == taken.delivery_id
    assert lease(database) is None


def test_a_lease_keeps_others_away_for_two_minutes(database: Database, practice: Practice) -> None:
    """While a lease lasts nobody else gets the delivery; when its holder has stopped half-way, another one does."""
    first = one_lease(database, practice)
    assert lease(database, LEASE - timedelta(seconds=1)) is None
    second = lease(database, LEASE)
    assert second is not None
    assert (second.delivery_id, second.attempts, second.fence) == (first.delivery_id, 2, first.fence + 1)
    assert timedelta(minutes=2) == LEASE


def test_a_lost_lease_changes_nothing(database: Database, practice: Practice) -> None:
    """A worker that comes back after its lease was taken over neither marks the delivery nor puts it back."""
    lost = one_lease(database, practice)
    held = lease(database, LEASE)
    assert held is not None
    with database.write() as db:
        assert not deliveries.mark_delivered(db, lost, NOW)
        assert not deliveries.put_back(db, lost, NOW, "late")
        row = db.get_one(Delivery, held.delivery_id)
        assert (row.state, row.last_error, row.due_at, row.delivered_at) == ("queued", "", NOW + 2 * LEASE, None)
        assert deliveries.mark_delivered(db, held, NOW)
    with database.write() as db:
        assert not deliveries.mark_delivered(db, held, NOW)
        assert not deliveries.put_back(db, held, NOW, "late")
        assert db.get_one(Delivery, held.delivery_id).state == "delivered"


def test_a_slow_worker_that_nobody_replaced_may_settle(database: Database, practice: Practice) -> None:
    """A lease that ran out but was taken by no one still counts: the work was done once."""
    taken = one_lease(database, practice)
    with database.write() as db:
        assert deliveries.mark_delivered(db, taken, NOW + 5 * LEASE)


def test_what_was_put_back_is_tried_later(database: Database, practice: Practice) -> None:
    """A failed delivery is due again when it was said, with the code of what went wrong and its tries counted."""
    taken = one_lease(database, practice)
    with database.write() as db:
        assert deliveries.put_back(db, taken, NOW + timedelta(seconds=30), "inbox-down")
        assert not deliveries.all_delivered(db, taken.bundle_id)
        assert db.get_one(Delivery, taken.delivery_id).last_error == "inbox-down"
    assert lease(database, timedelta(seconds=29)) is None
    again = lease(database, timedelta(seconds=30))
    assert again is not None
    assert again.attempts == 2
    with database.write() as db:
        assert deliveries.mark_delivered(db, again, NOW)
        assert db.get_one(Delivery, again.delivery_id).last_error == ""


def test_a_lease_of_a_transaction_that_failed_was_never_taken(database: Database, practice: Practice) -> None:
    """A worker that dies while it takes a lease leaves the delivery due at once."""
    with database.write() as db:
        add_bundle(db, add_request(db, practice.id))
    with database.read() as db:  # ends without a commit
        assert deliveries.lease_due(db, NOW) is not None
    assert lease(database) is not None


def test_a_bundle_is_delivered_when_every_inbox_has_it(database: Database, practice: Practice) -> None:
    """With two inboxes the bundle counts as delivered only after both."""
    with database.write() as db:
        bundle = add_bundle(db, add_request(db, practice.id), ("web", "folder"))
    for left in (False, True):
        taken = lease(database)
        assert taken is not None
        with database.write() as db:
            deliveries.mark_delivered(db, taken, NOW)
            assert deliveries.all_delivered(db, bundle.id) is left
