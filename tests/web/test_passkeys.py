"""Passkeys: SECURITY 24, 25 and 26 for those who sign in with a device."""

import json
from dataclasses import replace

import pytest
from flask import Flask
from webauthn.helpers import bytes_to_base64url

from capture.services import Services
from capture.store.models import AuditEvent, Membership
from capture.store.passkeys import Passkey
from tests.builders import AMember, make_member, make_passkey
from tests.conftest import Clock
from tests.web.conftest import app_with, session_of
from tests.web.device import ACCOUNT, PRESENT, SIGN_IN, VERIFIED, Device, add_passkey, ask, send, use_passkey
from tests.web.html import Visitor, staff
from tests.web.test_races import at_once


@pytest.fixture
def device(desk: Visitor) -> Device:
    """The member's device, added to the account."""
    made = Device()
    assert add_passkey(desk, made).location == ACCOUNT
    return made


def test_a_passkey_signs_in_by_itself(app: Flask, services: Services, desk: Visitor, device: Device, clock: Clock) -> None:
    """SECURITY 24: a passkey with the person verified is both factors; the account names it and says when it was last used."""
    visitor = Visitor(app)
    page = use_passkey(visitor, device)
    assert visitor.follow(page).heading == "Inbox"
    assert visitor.cookie("passkey") is None
    shown = desk.get(ACCOUNT).text
    assert "Work laptop" in shown
    assert "Last used" in shown
    with services.database.read() as db:
        event = db.query(AuditEvent).filter_by(action="signed in").one()
        assert json.loads(event.facts) == {"how": "passkey"}
        assert db.query(Passkey).one().used_at == clock()


def test_the_page_offers_passkeys_first(app: Flask, services: Services) -> None:
    """SECURITY 24: the passkey comes before the password; where the address is a number, none is offered."""
    text = Visitor(app).get(SIGN_IN).data.decode()
    assert text.index("Sign in with a passkey") < text.index('id="password"')
    numbered = app_with(services, origin="http://127.0.0.1:8000")
    assert b"passkey" not in numbered.test_client().get(SIGN_IN).data
    client = numbered.test_client()
    token = client.get(SIGN_IN).data.decode().split('name="csrf_token" value="')[1].split('"')[0]
    assert client.post(f"{SIGN_IN}/passkey/options", data={"csrf_token": token}).status_code == 404


def test_an_answer_is_worth_something_once(app: Flask, device: Device) -> None:
    """SECURITY 24: the same answer again is refused, here and elsewhere, and so is one to no question."""
    visitor = Visitor(app)
    answer = device.get(ask(visitor, f"{SIGN_IN}/passkey/options", SIGN_IN))
    cookie = visitor.cookie("passkey") or ""
    assert send(visitor, f"{SIGN_IN}/passkey", SIGN_IN, answer).status == 303
    for other in (visitor, Visitor(app)):
        other.set_cookie("passkey", cookie)
        page = send(other, f"{SIGN_IN}/passkey", SIGN_IN, answer)
        assert (page.status, list(page.errors)) == (422, ["passkey"])


def test_an_answer_given_at_once_in_four_browsers(app: Flask, device: Device) -> None:
    """SECURITY 24: of the same answer given four times at the same moment one signs in."""
    first = Visitor(app)
    answer = device.get(ask(first, f"{SIGN_IN}/passkey/options", SIGN_IN))
    visitors = [Visitor(app) for _ in range(4)]
    for visitor in visitors:
        visitor.set_cookie("passkey", first.cookie("passkey") or "")
    pages = at_once(4, lambda number: send(visitors[number], f"{SIGN_IN}/passkey", SIGN_IN, answer))
    assert sorted(page.status for page in pages) == [303, 422, 422, 422]


CHEATS = {
    "another origin": {"origin": "https://photos.example.org.evil.example"},
    "another host": {"host": "evil.example"},
    "not verified": {"flags": PRESENT},
    "not present": {"flags": VERIFIED},
    "a count that went back": {"count": -2},
    "another member": {"handle": bytes_to_base64url(bytes(16))},
    "no member": {"handle": ""},
    "another key": {"key": Device().key},
    "an unknown credential": {"credential": b"unknown"},
}


@pytest.mark.parametrize("cheat", CHEATS.values(), ids=CHEATS)
def test_altered_answers_are_refused(app: Flask, services: Services, device: Device, cheat: dict[str, object]) -> None:
    """SECURITY 24: what is not signed by the known key, for this host, with the person verified, opens nothing; it is on record."""
    for _ in range(3):
        assert use_passkey(Visitor(app), device).status == 303
    if "count" in cheat:
        cheat = {"count": device.count - 2}
    altered = replace(device, **cheat)  # type: ignore[arg-type]
    page = use_passkey(Visitor(app), altered)
    assert (page.status, list(page.errors)) == (422, ["passkey"])
    with services.database.read() as db:
        assert db.query(AuditEvent).filter_by(action="passkey refused").count() == 1


def test_a_challenge_of_another_session(app: Flask, device: Device) -> None:
    """SECURITY 24: an answer to what another browser was asked is refused."""
    ours, theirs = Visitor(app), Visitor(app)
    answer = device.get(ask(theirs, f"{SIGN_IN}/passkey/options", SIGN_IN))
    ask(ours, f"{SIGN_IN}/passkey/options", SIGN_IN)
    assert send(ours, f"{SIGN_IN}/passkey", SIGN_IN, answer).status == 422


def test_a_challenge_that_is_late(app: Flask, device: Device, clock: Clock) -> None:
    """SECURITY 24: five minutes after the question the answer comes too late."""
    visitor = Visitor(app)
    answer = device.get(ask(visitor, f"{SIGN_IN}/passkey/options", SIGN_IN))
    clock.forward(minutes=5)
    assert send(visitor, f"{SIGN_IN}/passkey", SIGN_IN, answer).status == 422


GARBAGE = ["", "null", "[]", "{", '{"id": 7}', '{"id": "é"}', '{"id": "AAAA"}', "[" * 9_000, '{"id": "AAAA", "response": {}}']


@pytest.mark.parametrize("answer", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused(app: Flask, desk: Visitor, answer: str) -> None:
    """Whatever else comes instead of an answer gets a sentence, signing in and adding alike."""
    visitor = Visitor(app)
    ask(visitor, f"{SIGN_IN}/passkey/options", SIGN_IN)
    assert send(visitor, f"{SIGN_IN}/passkey", SIGN_IN, answer).status == 422
    ask(desk, f"{ACCOUNT}/passkeys/options", ACCOUNT)
    page = send(desk, f"{ACCOUNT}/passkeys", ACCOUNT, answer, name="Laptop")
    assert (page.status, list(page.errors)) == (403, ["name"])


@pytest.mark.parametrize("cheat", list(CHEATS.values())[:4], ids=list(CHEATS)[:4])
def test_altered_registrations_are_refused(services: Services, desk: Visitor, cheat: dict[str, object]) -> None:
    """SECURITY 24: a key that was made for another host, or by nobody who is known to be there, is not added."""
    page = add_passkey(desk, replace(Device(), **cheat))  # type: ignore[arg-type]
    assert (page.status, page.errors) == (403, {"name": "The passkey was not added. Try again."})
    with services.database.read() as db:
        assert db.query(Passkey).count() == 0


def test_a_registration_counts_once(desk: Visitor) -> None:
    """SECURITY 24: the same new key is not added twice, and the answer to an old question adds nothing."""
    device = Device()
    options = ask(desk, f"{ACCOUNT}/passkeys/options", ACCOUNT)
    assert send(desk, f"{ACCOUNT}/passkeys", ACCOUNT, device.create(options), name="One").status == 303
    assert send(desk, f"{ACCOUNT}/passkeys", ACCOUNT, device.create(options), name="Two").status == 403
    assert add_passkey(desk, device, "Three").status == 409
    assert add_passkey(desk, Device(), "").errors == {"name": "Enter a name for the passkey, for example Work laptop"}


def test_known_devices_are_named_to_the_browser(desk: Visitor, device: Device) -> None:
    """A device that has a passkey already is told so by the browser; ten are enough."""
    known = ask(desk, f"{ACCOUNT}/passkeys/options", ACCOUNT)["excludeCredentials"]
    assert [one["id"] for one in known] == [bytes_to_base64url(device.credential)]


def test_ten_passkeys_are_enough(services: Services, desk: Visitor, member: AMember) -> None:
    """An eleventh passkey is refused with what to do about it."""
    for _ in range(10):
        make_passkey(services, member)
    token = desk.csrf(ACCOUNT)
    page = desk.open("POST", f"{ACCOUNT}/passkeys/options", data={"csrf_token": token})
    assert page.status == 403
    assert "Remove one" in page.text


def test_changes_need_a_fresh_sign_in(app: Flask, services: Services, member: AMember, clock: Clock) -> None:
    """SECURITY 26: a quarter of an hour after signing in passkeys can no longer be added or removed; the page says what to do."""
    desk, kept = staff(app, session_of(services, member)), make_passkey(services, member)
    clock.forward(minutes=14)
    assert b"data-passkey" in desk.get(ACCOUNT).data
    clock.forward(minutes=1)
    page = desk.get(ACCOUNT)
    assert "sign out and sign in again first" in page.text
    assert b"data-passkey" not in page.data
    token = desk.csrf(ACCOUNT)
    for path in ("options", "", f"{kept}/remove"):
        answer = desk.open("POST", f"{ACCOUNT}/passkeys/{path}".rstrip("/"), data={"csrf_token": token})
        assert answer.status == 403
        assert "sign in again" in answer.text


def test_removing_a_passkey(app: Flask, desk: Visitor, device: Device) -> None:
    """SECURITY 26: once it is removed it signs nobody in, and the sessions elsewhere end at once; this one stays."""
    elsewhere = Visitor(app)
    use_passkey(elsewhere, device)
    assert elsewhere.get("/staff/").status == 200
    actions = [form.get("action") or "" for form in desk.get(ACCOUNT).tree.iter("form")]
    (remove,) = (action for action in actions if action.endswith("/remove"))
    page = desk.open("POST", remove, data={"csrf_token": desk.csrf(ACCOUNT)})
    assert page.location == ACCOUNT
    assert elsewhere.get("/staff/").status == 303
    assert desk.get("/staff/").status == 200
    assert use_passkey(Visitor(app), device).status == 422
    assert "no passkeys yet" in desk.get(ACCOUNT).text


def test_passkeys_of_others_are_not_there(app: Flask, services: Services, desk: Visitor, member: AMember) -> None:
    """SECURITY 28: a colleague's passkey is neither shown nor removed."""
    theirs = make_passkey(services, make_member(services, member.practice))
    assert "no passkeys yet" in desk.get(ACCOUNT).text
    token = desk.csrf(ACCOUNT)
    assert desk.open("POST", f"{ACCOUNT}/passkeys/{theirs}/remove", data={"csrf_token": token}).status == 404


def test_a_member_without_a_practice_is_kept_out(app: Flask, services: Services, device: Device) -> None:
    """SECURITY 26: the passkey of someone who belongs to no practice any more opens nothing."""
    with services.database.write() as db:
        db.query(Membership).delete()
    assert use_passkey(Visitor(app), device).status == 422


def test_passkeys_are_limited(app: Flask, device: Device) -> None:
    """SECURITY 25: ten tries in five minutes with a passkey, wherever they come from; ten from an address, whatever the passkey."""
    statuses = []
    for number in range(11):
        visitor = Visitor(app)
        data = {"csrf_token": visitor.csrf(SIGN_IN), "credential": json.dumps({"id": bytes_to_base64url(device.credential)})}
        where = {"REMOTE_ADDR": f"192.0.2.{number}"}
        statuses.append(visitor.open("POST", f"{SIGN_IN}/passkey", data=data, environ_overrides=where).status)
    assert statuses == [422] * 10 + [429]
    visitor, statuses = Visitor(app), []
    for number in range(11):
        data = {"csrf_token": visitor.csrf(SIGN_IN), "credential": json.dumps({"id": str(number)})}
        statuses.append(visitor.open("POST", f"{SIGN_IN}/passkey", data=data).status)
    assert statuses == [422] * 10 + [429]
