"""The worker's loop: it outlives whatever one step does to it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from capture import worker
from capture.actions.deliver import deliver_to_pages
from capture.actions.webhooks import add_webhook
from capture.domain.requests import State
from capture.errors import Unavailable
from capture.notify.webhooks import Webhooks
from capture.services import Services
from capture.store.database import Database
from capture.store.models import Request
from tests.builders import make_practice, make_request, make_submitted


def raises(error: Exception) -> Callable[[Services], bool]:
    def step(_services: Services) -> bool:
        raise error

    return step


def test_a_step_that_fails_is_tried_again(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is away and an error nobody foresaw are noted, without what the error said, and the work goes on (7)."""
    asked = make_request(services, make_practice(services))
    make_submitted(services, asked, delivered=False)
    stop, deliver = threading.Event(), deliver_to_pages
    steps = [raises(Unavailable(hint="the database answers: no")), raises(KeyError("Mrs Ada Byron")), deliver]

    def next_step(given: Services) -> bool:
        if steps:
            return steps.pop(0)(given)
        stop.set()
        return deliver(given)

    monkeypatch.setattr(worker, "deliver_to_pages", next_step)
    monkeypatch.setattr(worker, "PAUSE", 0)
    with caplog.at_level(logging.ERROR, "capture.worker"):
        worker.work(services, stop)
    assert caplog.messages == ["unavailable: the database answers: no", "unexpected KeyError"]
    with services.database.read() as db:
        assert db.get_one(Request, asked.id).state == State.DELIVERED


def test_the_loop_notes_links_whose_time_is_over(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside its deliveries the worker looks, once at its start and then every minute, for links that have expired."""
    looks: list[int] = []
    stop = threading.Event()
    monkeypatch.setattr(worker, "expire_due", lambda _services: looks.append(1))
    monkeypatch.setattr(worker, "deliver_to_pages", lambda _services: False)
    monkeypatch.setattr(worker, "PAUSE", 0.01)
    times = iter([0.0, 0.0, 0.0, 59.9, 60.0, 60.0])

    def now() -> float:
        try:
            return next(times)
        except StopIteration:
            stop.set()
            return 60.1

    monkeypatch.setattr(worker, "monotonic", now)
    worker.work(services, stop)
    assert len(looks) == 2


def test_a_chore_that_fails_holds_up_no_other(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chore of a sweep has its turn, and one that failed none again before the next; deletion comes before reading."""
    chores = ("expire_due", "flag_waiting", "tell_late", "sweep_webhooks", "note_due_heads", "purge", "scrub_due")
    done: list[str] = []

    def failing(name: str) -> Callable[[Services], None]:
        def chore(_services: Services) -> None:
            done.append(name)
            raise Unavailable

        return chore

    for name in chores:
        monkeypatch.setattr(worker, name, failing(name))
    stop, looks = threading.Event(), iter(range(5))

    def look(_services: Services) -> bool:
        if next(looks, None) is None:
            stop.set()
        raise Unavailable

    monkeypatch.setattr(worker, "deliver_to_pages", look)
    monkeypatch.setattr(worker, "PAUSE", 0)
    worker.work(services, stop)
    assert done == list(chores)


def test_what_a_person_deleted_is_forgotten_within_the_hour(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 41: another process that deleted something and could not empty the database's journal is made up for."""
    emptied: list[int] = []
    sweep = worker.Sweep(services)

    def forget(_database: Database) -> bool:
        emptied.append(number)
        return True

    monkeypatch.setattr(Database, "forget_deleted", forget)
    monkeypatch.setattr(worker, "FORGET_EVERY", 3)
    for number in range(1, 8):  # noqa: B007 - `forget` notes it
        sweep.run()
    assert emptied == [1, 3, 6]


def test_a_text_that_stalls_holds_up_no_bundle(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a text waits for its carrier bundles are delivered; when the worker ends it does not wait for it."""
    stalled, over, stop = threading.Event(), threading.Event(), threading.Event()

    def stall(_services: Services) -> bool:
        stalled.set()
        return over.wait(20)

    delivered: list[bool] = []

    def deliver(_services: Services) -> bool:
        if stalled.wait(10):
            delivered.append(not over.is_set())
            stop.set()
        return False

    monkeypatch.setattr(worker, "send_next", stall)
    monkeypatch.setattr(worker, "deliver_to_pages", deliver)
    monkeypatch.setattr(worker, "LAST_STEP", 0.1)
    worker.work(services, stop)
    assert delivered == [True]
    over.set()
    for thread in threading.enumerate():
        if thread.name == "messages":
            thread.join(5)


def test_a_receiver_that_stalls_holds_up_no_bundle(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a webhook waits for its receiver bundles are delivered; when the worker ends it does not wait for it."""
    stalled, over, stop = threading.Event(), threading.Event(), threading.Event()

    class Stalling(Webhooks):
        def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
            stalled.set()
            over.wait(20)

    practice = make_practice(services)
    add_webhook(services, practice.id, "https://hooks.example.org/", actor="operator")
    asked = make_request(services, practice)
    make_submitted(services, asked, delivered=False)
    monkeypatch.setattr(worker, "PAUSE", 0.01)
    working = threading.Thread(target=worker.work, args=(replace(services, webhooks=Stalling((), None, 1.0)), stop))
    working.start()
    assert stalled.wait(10)
    for _ in range(500):
        with services.database.read() as db:
            if db.get_one(Request, asked.id).state == State.DELIVERED:
                break
        time.sleep(0.02)
    else:
        raise AssertionError("the bundle was not delivered")
    assert not over.is_set()
    stop.set()
    working.join(20)
    assert not working.is_alive()
    over.set()
    for thread in threading.enumerate():
        if thread.name == "webhooks":
            thread.join(5)


def test_the_journal_is_emptied_until_it_is_empty(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 41: at the start, after a deletion, after a sweep that died, and once more where someone read meanwhile."""
    stop, times, tries = threading.Event(), iter(range(1_000_000)), 0
    purged: Iterator[int | Unavailable] = iter([0, 0, 0, 2, Unavailable(), 0, 0])
    emptied = iter([False, True, True, True])
    done: list[str] = []

    def purge(_services: Services) -> int:
        found = next(purged, None)
        if found is None:
            stop.set()
            return 0
        done.append("sweep")
        if isinstance(found, Unavailable):
            raise found
        return found

    def forget(_database: Database) -> bool:
        nonlocal tries
        tries += 1
        done.append(f"forget {tries}")
        return next(emptied)

    monkeypatch.setattr(worker, "purge", purge)
    monkeypatch.setattr(Database, "forget_deleted", forget)
    monkeypatch.setattr(worker, "deliver_to_pages", lambda _services: False)
    monkeypatch.setattr(worker, "monotonic", lambda: next(times) * 60.0)
    monkeypatch.setattr(worker, "PAUSE", 0)
    worker.work(services, stop)
    assert " ".join(done) == "sweep forget 1 sweep forget 2 sweep sweep forget 3 sweep sweep forget 4 sweep"
