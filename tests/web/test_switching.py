"""A member of several practices goes from one to the other: SECURITY 26 and 28."""

import pytest
from flask import Flask

from capture.services import Services
from capture.store.members import add_to_practice
from capture.store.models import AuditEvent
from tests.builders import AMember, APractice, make_practice, make_request
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.html import Page, Visitor, staff

ACCOUNT = "/staff/account"


@pytest.fixture
def oak(services: Services, member: AMember) -> APractice:
    """A second practice, in which the member may only open."""
    made = make_practice(services, name="Oak Surgery")
    with services.database.write() as db:
        add_to_practice(db, member.id, made.id, "reader")
    return made


def switch(visitor: Visitor, practice: APractice) -> Page:
    return visitor.open("POST", f"{ACCOUNT}/practices/{practice.id}", data={"csrf_token": visitor.csrf(ACCOUNT)})


def test_switching(app: Flask, services: Services, member: AMember, oak: APractice) -> None:
    """SECURITY 26 and 28: a new session id, the other practice's things and role, nothing of the first; the old cookie is dead."""
    visitor = staff(app, session_of(services, member))
    ours, theirs = make_request(services, member.practice), make_request(services, oak)
    before = visitor.cookie("staff") or ""
    assert visitor.get(f"/staff/requests/{ours.id}").status == 200
    assert "Oak Surgery" in visitor.get(ACCOUNT).text
    assert switch(visitor, oak).location == "/staff/"
    assert visitor.cookie("staff") not in {None, before}
    assert visitor.get(f"/staff/requests/{ours.id}").status == 404
    assert visitor.get(f"/staff/requests/{theirs.id}").status == 200
    assert visitor.get("/staff/requests/new").status == 403
    assert staff(app, before).get("/staff/").status == 303
    with services.database.read() as db:
        assert db.query(AuditEvent).filter_by(practice_id=oak.id, action="signed in").count() == 1
    assert switch(visitor, member.practice).status == 303
    assert visitor.get("/staff/requests/new").status == 200


def test_switching_wins_no_time(app: Flask, services: Services, member: AMember, oak: APractice, clock: Clock) -> None:
    """SECURITY 26: twelve hours in all, and fifteen minutes for changing passkeys, are counted from the sign-in."""
    visitor = staff(app, session_of(services, member))
    clock.forward(minutes=16)
    switch(visitor, oak)
    assert "sign in again first" in visitor.get(ACCOUNT).text
    for number in range(36):
        clock.forward(minutes=19)
        switch(visitor, (member.practice, oak)[number % 2])
    clock.forward(minutes=20)
    assert visitor.get("/staff/").status == 303


def test_a_practice_that_is_not_theirs(app: Flask, services: Services, member: AMember, desk: Visitor) -> None:
    """SECURITY 28: nobody switches into a practice that they do not belong to, and the session goes on where it was."""
    assert switch(desk, make_practice(services, name="Ash Surgery")).status == 404
    assert desk.get("/staff/").status == 200
    assert "Your practices" not in desk.get(ACCOUNT).text
