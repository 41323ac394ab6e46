"""Saying that the photos are with the referral."""

import pytest
from flask import Flask

from capture.actions.attach import attach
from capture.actions.collect import collect
from capture.actions.deliver import deliver_next
from capture.errors import Conflict
from capture.services import Services
from capture.store import audit
from capture.store.models import Request
from tests.builders import ARequest, bundle_of, make_member, make_submitted
from tests.web.conftest import session_of
from tests.web.desk import act
from tests.web.html import Visitor, staff


def actions_of(services: Services, asked: ARequest) -> list[str]:
    with services.database.read() as db:
        return [event.action for event in audit.list_events(db, asked.practice.id, asked.id)]


def state_of(services: Services, asked: ARequest) -> str:
    with services.database.read() as db:
        return db.get_one(Request, asked.id).state


def test_attached(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Once the photos were opened the button closes the request; the timeline says so, once, however often it is pressed."""
    make_submitted(services, asked)
    bundle = bundle_of(services, asked)
    token = desk.csrf("/staff/")
    assert desk.open("POST", f"/staff/bundles/{bundle.id}/collected", data={"csrf_token": token}).status == 200
    page = desk.get(f"/staff/bundles/{bundle.id}")
    form = page.find("form", id="attached")
    assert form.get("hidden") is None
    for _ in range(2):
        answer = desk.open("POST", str(form.get("action")), data={"csrf_token": token})
        assert (answer.status, answer.location) == (303, f"/staff/requests/{asked.id}")
    assert state_of(services, asked) == "attached"
    assert actions_of(services, asked).count("request attached") == 1
    assert "Attached to the referral by Robin Reception" in desk.get(f"/staff/requests/{asked.id}").text
    assert "were attached to the referral" in desk.get(f"/staff/bundles/{bundle.id}").text


def test_not_attached_after_all(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """A press by mistake is taken back, by whoever may open photos, once however often; opening the photos takes nothing back."""
    make_submitted(services, asked)
    bundle, path = bundle_of(services, asked), f"/staff/requests/{asked.id}"
    assert act(desk, asked, "not-attached").status == 409
    collect(services, asked.practice.id, bundle.id, actor="a")
    attach(services, asked.practice.id, bundle.id, actor="a")
    collect(services, asked.practice.id, bundle.id, actor="a")
    assert state_of(services, asked) == "attached"
    requester = staff(app, session_of(services, make_member(services, asked.practice, role="requester")), asked)
    assert act(requester, asked, "not-attached").status == 403
    assert "Not attached after all" not in requester.get(path).text
    form = desk.get(path)
    assert [desk.submit(form, to="/not-attached").status for _ in range(2)] == [303, 303]
    assert state_of(services, asked) == "collected"
    assert actions_of(services, asked).count("request detached") == 1
    shown = desk.get(path)
    assert "Not attached to the referral after all by Robin Reception" in shown.text
    assert "/not-attached" not in shown.data.decode()
    attach(services, asked.practice.id, bundle.id, actor="a")
    assert state_of(services, asked) == "attached"


def test_attached_before_it_was_opened(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Photos that nobody has opened cannot be attached: the button is not shown, and the answer says what to do first."""
    make_submitted(services, asked)
    bundle = bundle_of(services, asked)
    assert desk.get(f"/staff/bundles/{bundle.id}").find("form", id="attached").get("hidden") is not None
    answer = desk.open("POST", f"/staff/bundles/{bundle.id}/attached", data={"csrf_token": desk.csrf("/staff/")})
    assert answer.status == 409
    assert "Nobody has opened these photos yet" in answer.text
    assert state_of(services, asked) == "delivered"


def test_attached_at_once_by_two(services: Services, asked: ARequest) -> None:
    """Two members who press at the same time leave one event; before the delivery it is a conflict."""
    make_submitted(services, asked, delivered=False)
    bundle = bundle_of(services, asked)
    with pytest.raises(Conflict):
        attach(services, asked.practice.id, bundle.id, actor="a")
    assert deliver_next(services)
    collect(services, asked.practice.id, bundle.id, actor="a")
    assert [attach(services, asked.practice.id, bundle.id, actor=actor) for actor in "ab"] == [asked.id, asked.id]
    assert actions_of(services, asked).count("request attached") == 1
