"""What a browser found open, a manager who left, and a page that is old cannot do to the keys (SECURITY 35)."""

from datetime import timedelta

import pytest
from flask import Flask

from capture.actions.tokens import issue_token
from capture.sealing.keys import Identity
from capture.services import Services
from capture.store.invitations import Invitation
from capture.store.key_changes import KeyChange
from capture.store.members import change_role
from capture.store.recipients import check_mac
from capture.store.tokens import Token
from tests.builders import AMember, APractice, make_invitation, make_key_change, make_member
from tests.conftest import Clock
from tests.web.conftest import code_of, session_of
from tests.web.html import Page, Visitor, sign_in, staff
from tests.web.test_keys import KEYS, SET_UP, post, prove

MEMBERS = "/staff/members"


def told(page: Page) -> str:
    """Up to which moment the page tells of changes."""
    return str(page.find("input", name="until").get("value"))


@pytest.mark.parametrize(
    ("path", "back"),
    [
        (f"{MEMBERS}/invite", MEMBERS),
        (f"{MEMBERS}/{'0' * 32}/role", MEMBERS),
        (f"{MEMBERS}/{'0' * 32}/remove", MEMBERS),
        (f"{SET_UP}/staff", SET_UP),
        (f"{SET_UP}/recovery", SET_UP),
        (f"{SET_UP}/anew", SET_UP),
        (f"{SET_UP}/live", SET_UP),
        (f"{KEYS}/answers", SET_UP),
    ],
)
def test_a_browser_found_open(app: Flask, services: Services, member: AMember, clock: Clock, path: str, back: str) -> None:
    """SECURITY 35: nobody brings in a second person or a first key by a browser found open; who signs in anew is back there."""
    stale = staff(app, session_of(services, member))
    clock.forward(minutes=16)
    page = post(stale, path, email="x@practice.example", role="reader")
    assert (page.status, "sign in again" in page.text) == (403, True)
    assert "signed in a while ago" in stale.get(MEMBERS).text
    assert post(stale, "/staff/sign-out").status == 303
    assert sign_in(stale, member, code_of(member, clock)).location == back


def test_who_came_later_confirms_nothing(app: Flask, services: Services, practice: APractice, desk: Visitor) -> None:
    """SECURITY 35: someone who was made a member after the proposal is no second person."""
    new = Identity.generate()
    member = make_member(services, practice)
    path = f"{KEYS}/changes/{make_key_change(services, member, new)}"
    prove(staff(app, session_of(services, member)), new)
    late = staff(app, session_of(services, make_member(services, practice, role="reader")))
    page = post(late, f"{path}/confirm", compared="yes")
    assert (page.status, "joined after this was proposed" in page.text) == (403, True)
    assert "Confirmed by" in desk.follow(post(desk, f"{path}/confirm", compared="yes")).text


def test_a_proposer_who_was_swapped(app: Flask, services: Services, practice: APractice, desk: Visitor, member: AMember) -> None:
    """SECURITY 35: whoever proposed cannot confirm under another's name, written into the database: the audit trail names them."""
    other, new = make_member(services, practice), Identity.generate()
    change = make_key_change(services, member, new)
    prove(desk, new)
    with services.database.write() as db:
        db.get_one(KeyChange, change).proposed_by = other.id
    assert post(desk, f"{KEYS}/changes/{change}/confirm", compared="yes").status == 503


@pytest.mark.parametrize("how", ["remove", "role"])
def test_what_a_manager_leaves_behind(services: Services, practice: APractice, desk: Visitor, how: str) -> None:
    """SECURITY 35: with a manager go the invitations, tokens and the change of keys that they prepared, not those of others."""
    leaver, stays = make_member(services, practice), make_member(services, practice)
    change = make_key_change(services, leaver)
    for who, email in ((leaver, "a@practice.example"), (stays, "b@practice.example")):
        make_invitation(services, practice, who, email)
        issue_token(services, practice.id, name="EMIS", scopes=["requests:read"], days=7, actor=who.id)
    assert post(desk, f"{MEMBERS}/{leaver.id}/{how}", role="reader").status == 303
    with services.database.read() as db:
        assert [one.email for one in db.query(Invitation)] == ["b@practice.example"]
        assert {token.made_by for token in db.query(Token) if token.revoked_at is None} == {stays.id}
        assert db.get_one(KeyChange, change).closed_at
        check_mac(db, practice.id)


def test_a_proposal_of_someone_who_left(app: Flask, services: Services, practice: APractice, desk: Visitor) -> None:
    """SECURITY 35: a change cannot be confirmed once whoever proposed it manages the practice no more."""
    leaver, new = make_member(services, practice), Identity.generate()
    change = make_key_change(services, leaver, new)
    prove(staff(app, session_of(services, leaver)), new)
    with services.database.write() as db:
        change_role(db, practice.id, leaver.id, "reader")
    assert post(desk, f"{KEYS}/changes/{change}/confirm", compared="yes").status == 409


def test_an_old_page_hides_nothing_new(app: Flask, services: Services, practice: APractice, clock: Clock) -> None:
    """SECURITY 35: "I have read this" is about what the page showed; a change that came after it is still told."""
    member, reader = make_member(services, practice), make_member(services, practice, role="requester")
    change = make_key_change(services, member)
    page = (visitor := staff(app, session_of(services, reader))).get("/staff/")
    clock.forward(minutes=1)
    post(staff(app, session_of(services, member)), f"{KEYS}/changes/{change}/withdraw")
    post(visitor, f"{KEYS}/changes/seen", until=told(page))
    assert "or a change was proposed" in visitor.get("/staff/").text
    for wrong in ("", "nonsense", "2026-11-22", (clock() + timedelta(days=1)).isoformat()):
        assert post(visitor, f"{KEYS}/changes/seen", until=wrong).status == 303
        assert "or a change was proposed" in visitor.get("/staff/").text
    post(visitor, f"{KEYS}/changes/seen", until=told(visitor.get("/staff/")))
    assert "or a change was proposed" not in visitor.get("/staff/").text
