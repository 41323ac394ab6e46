"""The deliveries page: what arrived, what waits, and having it tried at once."""

from dataclasses import replace

import pytest
from flask import Flask

from capture.actions.deliver import deliver_next
from capture.errors import Unavailable
from capture.inbox.base import BundleFiles, Place, Placed
from capture.services import Services
from capture.store.models import AuditEvent, Delivery
from tests.builders import APractice, ARequest, make_request, make_submitted
from tests.conftest import Clock
from tests.web.html import Visitor

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
    assert f"Arrived {asked.receipt} Sent by the patient 22 November 2026, 10:00am. In the inbox on these pages since" in page.text
    assert "Try now" not in page.text


def test_what_waits_is_tried_at_once(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """One that failed says how often and when it is tried next; pressed, the worker makes it at once, and it is on record."""
    make_submitted(services, asked, delivered=False)
    assert f"On its way {asked.receipt}" in desk.get(PAGE).text
    fail(services, clock, 1)
    clock.forward(minutes=-1)
    page = desk.get(PAGE)
    assert f"Waiting {asked.receipt}" in page.text
    assert "Tried 1 time: the inbox on these pages could not take it (unavailable). Tried again at" in page.text
    assert not deliver_next(services)
    assert desk.submit(page).location == PAGE
    assert "Being tried now" in desk.get(PAGE).text
    assert deliver_next(services)
    assert "Arrived" in desk.get(PAGE).text
    assert "after 2 tries" in desk.get(PAGE).text
    with services.database.read() as db:
        assert db.query(AuditEvent).filter_by(action="delivery hurried", subject=asked.id).count() == 1


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
