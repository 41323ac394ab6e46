"""The page of tokens: made and shown once, revoked, by managers who signed in just now (SECURITY 3 and 40)."""

import pytest
from flask import Flask

from capture.services import Services
from capture.store import tokens
from capture.store.models import AuditEvent
from tests.builders import APractice, make_member, make_practice
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.html import Page, Visitor, staff
from tests.web.system import System, make_system

PAGE = "/staff/tokens"
CHOSEN = {"name": "Record system", "scopes": ["requests:read", "bundles:read"], "days": "90"}


def post(visitor: Visitor, path: str, **fields: object) -> Page:
    return visitor.open("POST", path, data={"csrf_token": visitor.csrf(PAGE), **fields})


def test_a_token_is_shown_once(app: Flask, services: Services, practice: APractice, desk: Visitor, clock: Clock) -> None:
    """SECURITY 3: the page that answers shows the token, which works; no other page does, and only its hash is stored."""
    page = post(desk, PAGE, **CHOSEN)
    assert (page.status, page.heading) == (201, "The token is ready")
    token = "".join(page.find("textarea", id="token").itertext())
    system = System(app, token)
    assert system.get("/requests").status_code == 200
    assert system.post("/requests", json={}).status_code == 403
    listed = desk.get(PAGE)
    assert token not in listed.data.decode()
    for words in ("Record system", "Works", "List bundles and fetch them, sealed", "Made by Robin Reception on 22 November 2026"):
        assert words in listed.text
    assert "Works until 20 February 2027. Last used 22 November 2026, 10:00am." in listed.text
    with services.database.read() as db:
        (row,) = tokens.list_tokens(db, practice.id)
        assert token not in str(vars(row))
        (event,) = db.query(AuditEvent).filter_by(action="token made")
        assert event.subject == row.id
    assert post(desk, f"{PAGE}/{row.id}/revoke").location == PAGE
    assert system.get("/requests").status_code == 401
    text = desk.get(PAGE).text
    assert "Revoked" in text
    assert "Works until" not in text


def test_what_is_missing_is_said_at_its_field(desk: Visitor) -> None:
    """No name, nothing that it may do, no lifetime: a sentence at each, and what was filled in stays."""
    page = post(desk, PAGE, **{**CHOSEN, "name": " "})
    assert (page.status, list(page.errors)) == (422, ["name"])
    assert page.find("input", value="bundles:read").get("checked") is not None
    page = post(desk, PAGE, days="90")
    assert (page.status, list(page.errors)) == (422, ["name", "scopes"])
    for days in ("", "7", "1e9", "9" * 50):
        page = post(desk, PAGE, **{**CHOSEN, "days": days})
        assert (page.status, list(page.errors)) == (422, ["days"])


def test_a_token_that_ends(app: Flask, services: Services, practice: APractice, desk: Visitor, clock: Clock) -> None:
    """The page says that a token ends soon, and that it is over."""
    make_system(app, services, practice, days=10)
    assert "Ends soon" in desk.get(PAGE).text
    clock.forward(days=10)
    again = staff(app, session_of(services, make_member(services, practice)))
    text = again.get(PAGE).text
    assert "Ended 2 December 2026" in text
    assert "Made by the operator" in text


def test_a_practice_has_twenty_at_most(app: Flask, services: Services, practice: APractice, desk: Visitor) -> None:
    """More than twenty tokens that work at once are told to be too many."""
    for _ in range(20):
        make_system(app, services, practice)
    page = post(desk, PAGE, **CHOSEN)
    assert (page.status, "Revoke one" in page.errors["name"]) == (422, True)


def test_only_after_signing_in_just_now(app: Flask, services: Services, practice: APractice, desk: Visitor, clock: Clock) -> None:
    """Whoever finds a browser open can neither make a token nor revoke one."""
    system = make_system(app, services, practice)
    token = desk.csrf(PAGE)
    clock.forward(minutes=16)
    assert "sign out and sign in again" in desk.get(PAGE).text
    for path in (PAGE, f"{PAGE}/{system.token_id}/revoke"):
        page = desk.open("POST", path, data={"csrf_token": token, **CHOSEN})
        assert (page.status, "sign in again" in page.text) == (403, True)
    assert system.get("/requests").status_code == 200


@pytest.mark.parametrize("role", ["requester", "reader"])
def test_managers_only(app: Flask, services: Services, practice: APractice, role: str) -> None:
    """SECURITY 28: nobody but a manager sees tokens or webhooks, or makes them; nor is the way there shown."""
    visitor = staff(app, session_of(services, make_member(services, practice, role=role)))
    token = visitor.csrf("/staff/account")
    for path in (PAGE, "/staff/webhooks"):
        assert visitor.get(path).status == 403
        assert visitor.open("POST", path, data={"csrf_token": token, **CHOSEN}).status in {403, 405}
    assert PAGE not in visitor.get("/staff/").data.decode()


def test_another_practices_tokens(app: Flask, services: Services, desk: Visitor) -> None:
    """SECURITY 28: another practice's token is not listed, and cannot be revoked."""
    system = make_system(app, services, make_practice(services, name="Oak Surgery"), name="Theirs")
    assert "Theirs" not in desk.get(PAGE).text
    assert post(desk, f"{PAGE}/{system.token_id}/revoke").status == 404
    assert system.get("/requests").status_code == 200
