"""Changing what proves who one is: the password and the authenticator app (SECURITY 24, 25, 26 and 40)."""

import pyotp
import pytest
from flask import Flask

from capture.services import Services
from capture.store.models import AuditEvent, Member, SessionRow
from tests.builders import AMember
from tests.conftest import Clock
from tests.web.conftest import code_of, session_of
from tests.web.html import Page, Visitor, sign_in, staff

ACCOUNT = "/staff/account"
NEW = "seven purple otters sing"


def change(visitor: Visitor, old: str, new: str) -> Page:
    return visitor.submit(visitor.get(ACCOUNT), {"old": old, "new": new}, to="/password")


def begin(visitor: Visitor) -> tuple[str, Page]:
    """The secret of a new app, and the page that asks for its code."""
    page = visitor.follow(visitor.submit(visitor.get(ACCOUNT), to="/app/begin"))
    found = next(one for one in page.tree.iter("span") if one.get("class") == "app-address")
    return "".join("".join(found.itertext()).split()), page


def give_password(app: Flask, member: AMember, password: str) -> int:
    visitor = Visitor(app)
    return visitor.submit(visitor.get("/staff/sign-in"), {"email": member.email, "password": password}).status


def actions(services: Services, member: AMember) -> list[str]:
    with services.database.read() as db:
        return [event.action for event in db.query(AuditEvent).filter_by(actor=member.id).order_by(AuditEvent.number)]


def make_stale(services: Services, member: AMember) -> None:
    with services.database.write() as db:
        for row in db.query(SessionRow).filter_by(member_id=member.id):
            row.created_at = row.created_at.replace(hour=row.created_at.hour - 1)


def test_another_password(app: Flask, services: Services, desk: Visitor, member: AMember) -> None:
    """SECURITY 26 and 40: the new password works, the old one does not; other browsers are signed out; it is on record."""
    other = staff(app, session_of(services, member))
    page = desk.follow(change(desk, member.password, NEW))
    assert "Your password is changed" in page.text
    assert other.get("/staff/").location == "/staff/sign-in"
    assert (give_password(app, member, member.password), give_password(app, member, NEW)) == (422, 303)
    assert "password changed" in actions(services, member)


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("", NEW, "old", "Enter the password you have now"),
        ("correct horse battery", "", "new", "Enter the new password"),
        ("wrong horse battery", NEW, "old", "This is not your password"),
        ("correct horse battery", "short", "new", "at least 12"),
        ("correct horse battery", "robin reception 1", "new", "easy to guess"),
        ("correct horse battery", "correct horse battery", "new", "Choose another"),
    ],
)
def test_a_password_that_cannot_be(
    app: Flask, services: Services, desk: Visitor, member: AMember, old: str, new: str, field: str, said: str
) -> None:
    """The old password must be right and the new one fit the rules; otherwise nothing changes and nobody is signed out."""
    other = staff(app, session_of(services, member))
    page = change(desk, old, new)
    assert (page.status, list(page.errors)) == (422, [field])
    assert said in page.errors[field]
    assert NEW not in page.data.decode()
    assert other.get("/staff/").status == 200
    assert give_password(app, member, member.password) == 303


def test_guessing_the_old_password(desk: Visitor) -> None:
    """SECURITY 25: someone at an open browser has ten tries in five minutes at the old password."""
    page, wrong = desk.get(ACCOUNT), {"old": "wrong horse battery", "new": NEW}
    tries = [desk.submit(page, wrong, to="/password").status for _ in range(11)]
    assert tries == [422] * 10 + [429]


def test_another_app(app: Flask, services: Services, desk: Visitor, member: AMember, clock: Clock) -> None:
    """SECURITY 24 and 26: the new app counts from its first code on; the old one stops; other browsers are signed out."""
    other = staff(app, session_of(services, member))
    secret, page = begin(desk)
    assert page.find("div", role="img").get("aria-label") == "QR code for the authenticator app"
    assert sign_in(Visitor(app), member, code_of(member, clock)).status == 303  # the old one still works
    code = pyotp.TOTP(secret).at(clock())
    page = desk.follow(desk.submit(page, {"code": f"{code[:3]} {code[3:]}"}))
    assert "Your new app is set up" in page.text
    assert other.get("/staff/").location == "/staff/sign-in"
    assert "authenticator app changed" in actions(services, member)
    assert desk.get(f"{ACCOUNT}/app").location == ACCOUNT  # the secret is shown no more
    assert sign_in(Visitor(app), member, code).status == 422  # used up
    clock.forward(seconds=30)
    assert sign_in(Visitor(app), member, code_of(member, clock)).status == 422
    assert sign_in(Visitor(app), member, pyotp.TOTP(secret).at(clock())).location == "/staff/"


def test_an_app_that_was_not_finished(app: Flask, services: Services, desk: Visitor, member: AMember, clock: Clock) -> None:
    """SECURITY 24: a wrong code, or none, changes nothing; a newer secret takes the place of the one before."""
    first, _ = begin(desk)
    second, page = begin(desk)
    assert first != second
    for code in ("000000", "", pyotp.TOTP(first).at(clock())):
        answer = desk.submit(page, {"code": code})
        assert (answer.status, list(answer.errors)) == (422, ["code"])
    assert sign_in(Visitor(app), member, code_of(member, clock)).location == "/staff/"
    assert "authenticator app changed" not in actions(services, member)


def test_guessing_the_code(desk: Visitor) -> None:
    """SECURITY 25: five tries in five minutes at the new app's code."""
    _, page = begin(desk)
    assert [desk.submit(page, {"code": "000000"}).status for _ in range(6)] == [422] * 5 + [429]


def test_only_for_who_has_just_signed_in(services: Services, desk: Visitor, member: AMember) -> None:
    """SECURITY 26: a quarter of an hour after signing in neither can be changed, nor is a waiting secret shown."""
    _, page = begin(desk)
    form = desk.get(ACCOUNT)
    make_stale(services, member)
    assert "To change these too, sign out" in desk.get(ACCOUNT).text
    assert desk.submit(form, {"old": member.password, "new": NEW}, to="/password").status == 403
    assert desk.submit(form, to="/app/begin").status == 403
    assert desk.submit(page, {"code": "000000"}).status == 403
    assert desk.get(f"{ACCOUNT}/app").location == ACCOUNT


def test_someone_without_a_password(services: Services, desk: Visitor, member: AMember) -> None:
    """Who signs in through another service is offered no password to change, and gets none by a form from before."""
    form = desk.get(ACCOUNT)
    with services.database.write() as db:
        db.get_one(Member, member.id).password_hash = ""
    assert "you have no password here" in desk.get(ACCOUNT).text
    assert desk.submit(form, {"old": "x", "new": NEW}, to="/password").status == 409
