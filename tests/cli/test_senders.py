"""The threads that bring bundles to outside inboxes: one that stalls leaves room for others, and none waits without need."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from capture import worker
from capture.actions.senders import Senders
from capture.errors import Unavailable
from capture.inbox.base import BundleFiles, Inbox, Place, Placed
from capture.services import Services
from capture.store import deliveries
from capture.store.models import Bundle, Delivery
from tests.builders import make_practice, make_request, make_submitted


class Stalling:
    """An inbox that takes nothing until it may go on; `at` counts who waits there, `most` how many at once."""

    def __init__(self) -> None:
        self.at, self.most, self.go_on = 0, 0, threading.Event()
        self._lock = threading.Lock()

    def put(self, bundle: BundleFiles) -> Placed:
        with self._lock:
            self.at += 1
            self.most = max(self.at, self.most)
        self.go_on.wait(30)
        with self._lock:
            self.at -= 1
        return Placed()


class Quick:
    """An inbox that takes everything."""

    def put(self, bundle: BundleFiles) -> Placed:
        return Placed()


class Refusing:
    """An inbox that takes nothing."""

    def put(self, bundle: BundleFiles) -> Placed:
        raise Unavailable


def queue(services: Services, bundle: Bundle, **inboxes: Inbox) -> None:
    """The bundle is to reach these inboxes too."""
    services.inboxes.update({name: Place(name, inbox) for name, inbox in inboxes.items()})  # type: ignore[attr-defined]
    with services.database.write() as db:
        deliveries.queue(db, bundle, inboxes, 1, services.clock())


def states(services: Services) -> dict[str, str]:
    with services.database.read() as db:
        return {row.inbox: row.state for row in db.query(Delivery)}


def wait_until(holds: Callable[[], bool]) -> None:
    """Until that holds, for at most twenty seconds."""
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.01)


@contextmanager
def running(act: Callable[[], object], count: int = 1) -> Iterator[list[threading.Thread]]:
    """Threads that do it; they have ended when the block has."""
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_inboxes_that_stall_hold_up_no_other(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """While three inboxes stall, the staff pages and a fourth have their bundles; the worker ends without waiting for the three."""
    stalling = Stalling()
    bundle = make_submitted(services, make_request(services, make_practice(services)), delivered=False)
    queue(services, bundle, one=stalling, two=stalling, three=stalling)
    queue(services, bundle, quick=Quick())
    monkeypatch.setattr(worker, "PAUSE", 0.01)
    monkeypatch.setattr(worker, "LAST_STEP", 0.1)
    stop = threading.Event()
    with running(lambda: worker.work(services, stop)) as (working,):
        wait_until(lambda: stalling.at == 3 and states(services)["quick"] == states(services)["web"] == "delivered")
        stop.set()
        working.join(20)
        assert stalling.at == 3
    stalling.go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("sender"):
            thread.join(20)
    assert set(states(services).values()) == {"delivered"}


def test_one_inbox_does_not_get_all_senders(services: Services) -> None:
    """Of four senders one inbox gets two at most, and a single one once it has failed."""
    stalling = Stalling()
    practices = [make_practice(services) for _ in range(4)]
    bundles = [make_submitted(services, make_request(services, practice)) for practice in practices]
    for bundle in bundles:
        queue(services, bundle, slow=stalling)
    senders = Senders(services)
    assert senders.count == 4
    with running(senders.step, 2):
        wait_until(lambda: stalling.at == 2)
        assert not senders.step()
        stalling.go_on.set()
    services.inboxes["slow"] = Place("slow", Refusing())  # type: ignore[index]
    assert senders.step()
    stalling = Stalling()
    services.inboxes["slow"] = Place("slow", stalling)  # type: ignore[index]
    with running(senders.step):
        wait_until(lambda: stalling.at == 1)
        queue(services, bundles[0], other=Quick())
        assert senders.step()
        with services.database.write() as db:
            db.query(Delivery).filter_by(state="queued", last_error="unavailable").update({"due_at": services.clock()})
        assert not senders.step()
        stalling.go_on.set()
    assert senders.step()
    assert stalling.most == 1


def test_inboxes_that_fail_leave_one_sender_free(services: Services) -> None:
    """Four that failed last and now stall get three of four senders between them; the last one is for those that did not fail."""
    stalling, names = Stalling(), ("one", "two", "three", "four")
    bundle = make_submitted(services, make_request(services, make_practice(services)))
    queue(services, bundle, **dict.fromkeys(names, Refusing()))
    senders = Senders(services)
    for _ in names:
        assert senders.step()
    services.inboxes.update({name: Place(name, stalling) for name in names})  # type: ignore[attr-defined]
    with services.database.write() as db:
        db.query(Delivery).filter_by(state="queued").update({"due_at": services.clock()})
    with running(senders.step, 3):
        wait_until(lambda: stalling.at == 3)
        assert not senders.step()
        queue(services, bundle, quick=Quick())
        assert senders.step()
        assert states(services)["quick"] == "delivered"
        stalling.go_on.set()


def test_no_pause_between_two(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve that are due are made one after the other, not one in each pause."""
    bundle = make_submitted(services, make_request(services, make_practice(services)), delivered=False)
    queue(services, bundle, **{f"inbox{number}": Quick() for number in range(12)})
    monkeypatch.setattr(worker, "PAUSE", 600.0)
    stop = threading.Event()
    with running(lambda: worker.work(services, stop)):
        wait_until(lambda: set(states(services).values()) == {"delivered"})
        stop.set()
