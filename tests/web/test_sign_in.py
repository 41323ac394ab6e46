"""How members prove who they are, and how that ends: SECURITY 24, 25 and 26."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, update

from capture.services import Services
from capture.store.models import AuditEvent, Member, Membership, SessionRow
from capture.web.limits import client_address
from tests.builders import AMember, make_member, make_practice
from tests.conftest import Clock
from tests.web.conftest import code_of, session_of
from tests.web.html import Page, Visitor, sign_in, staff
from tests.web.test_races import at_once


def give_password(visitor: Visitor, member: AMember, password: str = "") -> Page:
    fields = {"email": member.email, "password": password or member.password}
    return visitor.submit(visitor.get("/staff/sign-in"), fields)


def is_signed_in(visitor: Visitor) -> bool:
    return visitor.get("/staff/").status == 200


def test_signing_in(app: Flask, member: AMember, clock: Clock) -> None:
    """SECURITY 24 and 26: password, then code; each step has a session id of its own, and neither shows what comes after."""
    visitor = Visitor(app)
    assert visitor.get("/staff/").location == "/staff/sign-in"
    assert visitor.get("/staff/sign-in/code").location == "/staff/sign-in"
    page = give_password(visitor, member)
    assert page.location == "/staff/sign-in/code"
    half = visitor.cookie("password")
    assert not is_signed_in(visitor)
    page = visitor.submit(visitor.follow(page), {"code": code_of(member, clock)})
    assert visitor.follow(page).heading == "Inbox"
    assert visitor.cookie("password") is None
    assert visitor.cookie("staff") not in {None, half}
    half_again = Visitor(app)
    half_again.set_cookie("staff", half or "")
    assert not is_signed_in(half_again)


@pytest.mark.parametrize(
    ("email", "password", "field", "sentence"),
    [
        ("", "something", "email", "Enter your e-mail address"),
        ("someone@practice.example", "", "password", "Enter your password"),
        ("nobody@practice.example", "correct horse battery", "email", "is not right"),
    ],
)
def test_wrong_sign_in(app: Flask, email: str, password: str, field: str, sentence: str) -> None:
    """What is missing is said at its field; a wrong address and a wrong password get the same sentence."""
    visitor = Visitor(app)
    page = visitor.submit(visitor.get("/staff/sign-in"), {"email": email, "password": password})
    assert page.status == 422
    assert sentence in page.errors[field]


def test_wrong_password(app: Flask, services: Services, member: AMember) -> None:
    """SECURITY 40: a wrong password is refused like an unknown address, and both are on record without what was typed."""
    known = give_password(Visitor(app), member, "wrong horse battery")
    unknown = Visitor(app)
    other = unknown.submit(unknown.get("/staff/sign-in"), {"email": "x@y.example", "password": "wrong horse battery"})
    assert known.errors == other.errors
    with services.database.read() as db:
        events = db.query(AuditEvent).filter_by(practice_id="").all()
    assert [event.action for event in events] == ["sign-in refused", "sign-in refused"]
    assert "horse" not in str([vars(event) for event in events])


def test_code_works_once(app: Flask, member: AMember, clock: Clock) -> None:
    """SECURITY 24: a code that was used, or an older one, does not work again; the next one does."""
    code, before = code_of(member, clock), code_of(member, clock, -1)
    assert sign_in(Visitor(app), member, code).location == "/staff/"
    for used in (code, before):
        page = sign_in(Visitor(app), member, used)
        assert page.status == 422
        assert "used already" in page.errors["code"]
    clock.forward(seconds=30)
    assert sign_in(Visitor(app), member, code_of(member, clock)).location == "/staff/"


def test_code_works_once_at_once(app: Flask, member: AMember, clock: Clock) -> None:
    """SECURITY 24: nor when it is given in two browsers at the same moment."""
    visitors = [Visitor(app) for _ in range(4)]
    forms = [visitor.follow(give_password(visitor, member)) for visitor in visitors]
    code = code_of(member, clock)
    pages = at_once(4, lambda number: visitors[number].submit(forms[number], {"code": code}))
    assert sorted(page.status for page in pages) == [303, 422, 422, 422]


@pytest.mark.parametrize("steps", [-1, 1])
def test_clock_of_the_app_is_off(app: Flask, member: AMember, clock: Clock, steps: int) -> None:
    """A code of the step before or after works, with spaces in it as apps show it."""
    code = code_of(member, clock, steps)
    assert sign_in(Visitor(app), member, f" {code[:3]} {code[3:]}").location == "/staff/"


@pytest.mark.parametrize("code", ["", "000000", "abcdef", "٠١٢٣٤٥", "1" * 500])
def test_wrong_code(app: Flask, member: AMember, code: str) -> None:
    """Any other code is refused with a sentence."""
    page = sign_in(Visitor(app), member, code)
    assert (page.status, list(page.errors)) == (422, ["code"])


@pytest.mark.parametrize("steps", [-2, 2])
def test_late_code(app: Flask, member: AMember, clock: Clock, steps: int) -> None:
    """A code of a minute ago, or of the future, is refused."""
    assert sign_in(Visitor(app), member, code_of(member, clock, steps)).status == 422


def test_password_step_ends(app: Flask, member: AMember, clock: Clock) -> None:
    """Ten minutes after the password the code comes too late."""
    visitor = Visitor(app)
    form = visitor.follow(give_password(visitor, member))
    clock.forward(minutes=10)
    assert visitor.submit(form, {"code": code_of(member, clock)}).status == 422
    assert visitor.get("/staff/sign-in/code").location == "/staff/sign-in"


def test_passwords_are_limited_for_each_member(app: Flask, services: Services, member: AMember) -> None:
    """SECURITY 25: ten tries in five minutes for a member, however the address is written and wherever they come from."""
    spellings = [member.email, member.email.upper(), f" {member.email} "]
    statuses = []
    for number in range(11):
        visitor = Visitor(app)
        fields = {"email": spellings[number % 3], "password": "wrong horse battery"}
        token = visitor.csrf("/staff/sign-in")
        page = visitor.open(
            "POST",
            "/staff/sign-in",
            data={"csrf_token": token, **fields},
            environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"},
        )
        statuses.append(page.status)
    assert statuses == [422] * 10 + [429]
    assert page.headers["Retry-After"]
    other = make_member(services, member.practice)
    assert give_password(Visitor(app), other).status == 303


def test_passwords_are_limited_for_each_address(app: Flask, services: Services, member: AMember) -> None:
    """SECURITY 25: ten tries in five minutes from an address, whoever they are for; other addresses are not disturbed."""
    token_of = Visitor(app)
    token = token_of.csrf("/staff/sign-in")
    statuses = [
        token_of.open("POST", "/staff/sign-in", data={"csrf_token": token, "email": f"{number}@x.example"}).status
        for number in range(11)
    ]
    assert statuses == [422] * 10 + [429]
    data = {"csrf_token": token, "email": member.email, "password": member.password}
    elsewhere = token_of.open("POST", "/staff/sign-in", data=data, environ_overrides={"REMOTE_ADDR": "192.0.2.9"})
    assert elsewhere.status == 303


def test_codes_are_limited_for_each_member(app: Flask, member: AMember, clock: Clock) -> None:
    """SECURITY 25: five codes in five minutes for a member; giving the password again gives no more tries."""
    visitor = Visitor(app)
    form = visitor.follow(give_password(visitor, member))
    assert [visitor.submit(form, {"code": "000000"}).status for _ in range(3)] == [422] * 3
    again = Visitor(app)
    form = again.follow(give_password(again, member))
    assert [again.submit(form, {"code": "000000"}).status for _ in range(2)] == [422] * 2
    assert again.submit(form, {"code": code_of(member, clock)}).status == 429


def test_signing_out(app: Flask, member: AMember, clock: Clock) -> None:
    """SECURITY 26 and 32: signing out ends the session here and in the browser; a cookie kept from before is refused."""
    visitor = Visitor(app)
    visitor.follow(sign_in(visitor, member, code_of(member, clock)))
    kept = visitor.cookie("staff") or ""
    token = visitor.csrf("/staff/")
    page = visitor.open("POST", "/staff/sign-out", data={"csrf_token": token})
    assert page.location == "/staff/sign-in"
    assert page.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert visitor.cookie("staff") is None
    replayed = staff(app, kept)
    assert not is_signed_in(replayed)


def test_new_id_at_each_sign_in(app: Flask, member: AMember, clock: Clock) -> None:
    """SECURITY 26: a cookie that was set before signing in is never taken on."""
    visitor = Visitor(app)
    visitor.set_cookie("staff", "chosen-by-someone-else")
    visitor.follow(sign_in(visitor, member, code_of(member, clock)))
    first = visitor.cookie("staff")
    assert first not in {None, "chosen-by-someone-else"}
    clock.forward(seconds=60)
    visitor.follow(sign_in(visitor, member, code_of(member, clock)))
    assert visitor.cookie("staff") != first


def test_idle(app: Flask, services: Services, member: AMember, clock: Clock) -> None:
    """SECURITY 26: a session ends after 30 minutes without a page."""
    visitor = staff(app, session_of(services, member))
    for _ in range(3):
        clock.forward(minutes=29)
        assert is_signed_in(visitor)
    clock.forward(minutes=30)
    assert not is_signed_in(visitor)


def test_twelve_hours(app: Flask, services: Services, member: AMember, clock: Clock) -> None:
    """SECURITY 26: and after twelve hours however busy it was; a clock that is set back does not bring it to life again."""
    visitor = staff(app, session_of(services, member))
    end = clock() + timedelta(hours=12)
    while clock() + timedelta(minutes=20) < end:
        clock.forward(minutes=20)
        assert is_signed_in(visitor)
    clock.time = end
    assert not is_signed_in(visitor)


def test_old_sessions_are_swept_away(services: Services, member: AMember, clock: Clock) -> None:
    """Sessions whose time is over leave the database when the next one begins."""
    session_of(services, member)
    clock.forward(days=1)
    session_of(services, member)
    with services.database.read() as db:
        assert db.query(SessionRow).count() == 1


@pytest.mark.parametrize("how", ["removed", "of no practice", "of another practice"])
def test_removed_member(app: Flask, services: Services, member: AMember, clock: Clock, how: str) -> None:
    """SECURITY 26: a person who was removed is out with the next page, and does not come in again."""
    visitor = staff(app, session_of(services, member))
    half = Visitor(app)
    form = half.follow(give_password(half, member))
    assert is_signed_in(visitor)
    with services.database.write() as db:
        if how == "removed":
            db.execute(update(Member).values(removed_at=clock()))
        else:
            db.execute(delete(Membership))
    if how == "of another practice":
        other = make_practice(services)
        with services.database.write() as db:
            db.add(Membership(member_id=member.id, practice_id=other.id, role="reader"))
    assert not is_signed_in(visitor)
    if how != "of another practice":
        assert half.submit(form, {"code": code_of(member, clock)}).status == 422


def test_session_of_a_patient_opens_no_staff_page(app: Flask, services: Services, agreed: Visitor) -> None:
    """A patient's session is not a member's, under whatever cookie it is sent."""
    assert not is_signed_in(staff(app, agreed.cookie("patient") or ""))


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2::a", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::b", "2001:db8:1:2::/64"),
    ],
)
def test_who_counts_as_one_client(app: Flask, address: str, client: str) -> None:
    """SECURITY 25: one IPv6 customer is one client however many addresses it uses; each IPv4 address is one."""
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert client_address() == client


def test_control_characters_make_no_other_member(visitor: Visitor, member: AMember) -> None:
    """SECURITY 25: the ten tries of a member are not had again by typing what is dropped from the address."""
    statuses = []
    for number in range(12):
        page = visitor.get("/staff/sign-in")
        typed = {"email": member.email + "\x01" * number, "password": "not the password"}
        statuses.append(visitor.submit(page, typed, environ_overrides={"REMOTE_ADDR": f"203.0.113.{number}"}).status)
    assert statuses == [422] * 10 + [429] * 2
