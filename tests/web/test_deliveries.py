"""The deliveries page: what arrived, what waits, and having it tried at once."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from capture.actions.deliver import deliver_next
from capture.errors import Unavailable
from capture.inbox.base import BundleFiles, Place, Placed
from capture.services import Services
from capture.store import deliveries
from capture.store.models import AuditEvent, Delivery, DeliveryTry
from capture.web import deliveries as web_deliveries
from tests.builders import APractice, ARequest, make_member, make_request, make_submitted
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.html import Visitor, staff

PAGE = "/staff/practice/deliveries"


class Broken:
    """An inbox that takes nothing."""

    def put(self, bundle: BundleFiles) -> Placed:
        raise Unavailable


def fail(services: Services, clock: Clock, times: int) -> None:
    """The worker tries, and the inbox does not answer, that many times."""
    broken = replace(services, inboxes={"web": Place("the inbox on these pages", Broken())})
    for _ in range(times):
        assert deliver_next(broken)
        clock.forward(minutes=1)


def test_what_arrived(services: Services, desk: Visitor, asked: ARequest) -> None:
    """A bundle that arrived says where and when, under its receipt, with nothing to press."""
    assert "No patient has sent photos yet" in desk.get(PAGE).text
    make_submitted(services, asked)
    page = desk.get(PAGE)
    said = "to the inbox on these pages Sent by the patient 22 November 2026, 10:00am. Arrived 22 November 2026, 10:00am."
    assert f"Arrived {asked.receipt} {said}" in page.text
    assert "Try now" not in page.text
    assert "Not there yet" not in page.text


def test_what_waits_is_tried_at_once(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """One that failed says when and why, and when it is tried next; pressed, the worker makes it at once, and it is on record."""
    make_submitted(services, asked, delivered=False)
    assert f"On its way {asked.receipt}" in desk.get(PAGE).text
    fail(services, clock, 1)
    clock.forward(minutes=-1)
    page = desk.get(PAGE)
    assert f"Waiting {asked.receipt}" in page.text
    assert "It is tried again at" in page.text
    assert "Tried 22 November 2026, 10:00am: It could not be reached." in page.text
    assert not deliver_next(services)
    assert desk.submit(page).location == PAGE
    assert "It is being tried now" in desk.get(PAGE).text
    assert deliver_next(services)
    text = desk.get(PAGE).text
    assert "What failed before Tried 22 November 2026, 10:00am: It could not be reached." in text[text.index("Arrived") :]
    with services.database.read() as db:
        assert db.query(AuditEvent).filter_by(action="delivery hurried", subject=asked.id).count() == 1


def test_what_is_being_tried_is_left_alone(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """While a worker is at a delivery that failed before, the page says so; pressed all the same, no second worker gets it."""
    make_submitted(services, asked, delivered=False)
    fail(services, clock, 1)
    with services.database.write() as db:
        assert deliveries.lease_due(db, clock())
    page = desk.get(PAGE)
    assert "It is being tried now." in page.text
    assert "Try now" not in page.text
    with services.database.read() as db:
        path = f"{PAGE}/{db.query(Delivery).one().id}/again"
    refused = desk.open("POST", path, data={"csrf_token": desk.csrf("/staff/requests/new")})
    assert (refused.status, "are being sent now" in refused.text) == (409, True)
    assert not deliver_next(services)


def test_what_was_given_up_is_sent_again(services: Services, desk: Visitor, asked: ARequest) -> None:
    """One that was given up stands first, with its tries in words, an unknown code as it is; sent again it is made."""
    make_submitted(services, asked, delivered=False)
    with services.database.write() as db:
        row = db.query(Delivery).one()
        row.state, row.attempts, row.last_error = "given up", 4, "odd-code"
        for number, code in enumerate(("folder-full", "folder-full", "folder-full", "odd-code"), 1):
            at = services.clock() + timedelta(minutes=number)
            db.add(DeliveryTry(delivery_id=row.id, number=number, at=at, error=code))
    page = desk.get(PAGE)
    assert f"Not delivered {asked.receipt}" in page.text
    assert "It was tried 4 times and is no longer tried." in page.text
    tried = "Tried 3 times, from 22 November 2026, 10:01am to 22 November 2026, 10:03am: There is no room left in the folder."
    assert tried in page.text
    assert "Tried 22 November 2026, 10:04am: it could not take them (odd-code)." in page.text
    assert not deliver_next(services)
    assert desk.submit(page).location == PAGE
    assert deliver_next(services)
    assert f"Arrived {asked.receipt}" in desk.get(PAGE).text
    with services.database.read() as db:
        assert db.query(AuditEvent).filter_by(action="delivery again", subject=asked.id).count() == 1


def test_the_inbox_says_it(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """While a delivery is late or was given up the inbox says so to everyone, and leads managers to where they can do something."""
    make_submitted(services, asked, delivered=False)
    reader = staff(app, session_of(services, make_member(services, asked.practice, role="reader")), asked)
    said = "Some photos did not reach one of your practice’s inboxes."
    assert said not in desk.get("/staff/").text
    with services.database.write() as db:
        db.query(Delivery).one().told_at = services.clock()
    assert desk.get("/staff/").link("See which, and send them again") == PAGE
    assert f"{said} Tell a manager" in reader.get("/staff/").text
    assert deliver_next(services)
    assert said not in desk.get("/staff/").text


def test_several_inboxes(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Each inbox of a bundle has a line of its own; what a way station has says since when, and that nobody has fetched it."""
    bundle = make_submitted(services, asked)
    services.inboxes["elm"] = Place("MESH", Broken())  # type: ignore[index]
    with services.database.write() as db:
        deliveries.queue(db, bundle, ["elm", "gone"], 1, services.clock())
        row = db.query(Delivery).filter_by(inbox="elm").one()
        row.state, row.handed_at = "under way", services.clock()
    text = desk.get(PAGE).text
    since = "With MESH since 22 November 2026, 10:00am. Your practice’s system has not collected them yet."
    assert f"Not collected yet {asked.receipt} to MESH Sent by the patient 22 November 2026, 10:00am. {since}" in text
    assert f"On its way {asked.receipt} to gone" in text
    assert f"Arrived {asked.receipt} to the inbox on these pages" in text
    assert "Send again" not in text


def test_pages(services: Services, desk: Visitor, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrived goes on over pages, none of it twice, none left out; another practice's place is no page."""
    monkeypatch.setattr(web_deliveries, "PAGE", 2)
    bundle = make_submitted(services, asked)
    with services.database.write() as db:
        deliveries.queue(db, bundle, [f"inbox-{n}" for n in range(4)], 1, services.clock())
        db.query(Delivery).update({"state": "delivered", "delivered_at": services.clock()})
    page, found = desk.get(PAGE), list[str]()
    while True:
        found += re.findall(r"to (inbox-\d|the inbox on these pages) Sent", page.text)
        if "Older ones" not in page.text:
            break
        page = desk.get(page.link("Older ones"))
    assert len(found) == len(set(found)) == 5
    assert desk.open("GET", f"{PAGE}?before={'0' * 32}").status == 404


@pytest.mark.parametrize("delivered", [True, False])
def test_what_does_not_wait(services: Services, desk: Visitor, asked: ARequest, delivered: bool) -> None:
    """One that arrived, or was not tried yet, is left alone, with a sentence; nothing goes on record."""
    make_submitted(services, asked, delivered=delivered)
    with services.database.read() as db:
        row = db.query(Delivery).one()
    page = desk.open("POST", f"{PAGE}/{row.id}/again", data={"csrf_token": desk.csrf("/staff/requests/new")})
    assert (page.status, "do not wait" in page.text) == (409, True)
    with services.database.read() as db:
        assert db.query(Delivery).one().due_at == row.due_at
        assert db.query(AuditEvent).filter_by(action="delivery hurried").count() == 0


def test_waiting_ones_come_first(app: Flask, services: Services, desk: Visitor, practice: APractice, clock: Clock) -> None:
    """What did not arrive stands above what did, however old it is."""
    first, second = make_request(services, practice), make_request(services, practice)
    make_submitted(services, first, delivered=False)
    fail(services, clock, 1)
    clock.forward(seconds=-59)
    arrived = make_submitted(services, second, delivered=False)
    with services.database.write() as db:
        db.query(Delivery).filter_by(bundle_id=arrived.id).update({"state": "delivered", "delivered_at": clock()})
    text = desk.get(PAGE).text
    assert text.index(first.receipt) < text.index(second.receipt)
