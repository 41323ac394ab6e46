"""Invitations by e-mail, where e-mail is set up."""

from capture.actions.invite import invite
from capture.actions.send_message import send_next
from capture.app import create_app
from capture.services import Services
from tests.builders import make_member, make_practice
from tests.notify.mail_server import Mailbox
from tests.notify.test_sending import rows
from tests.web.conftest import session_of
from tests.web.html import Visitor, staff


def test_an_invitation_by_email(carried: Services, mailbox: Mailbox) -> None:
    """The person gets the link that the manager's page shows once; it leads to joining, and is forgotten once it is sent."""
    member = make_member(carried, make_practice(carried))
    app = create_app(carried)
    desk = staff(app, session_of(carried, member))
    data = {"csrf_token": desk.csrf("/staff/members"), "email": "New.One@practice.example", "role": "reader"}
    page = desk.open("POST", "/staff/members/invite", data=data)
    assert page.status == 201
    assert "An e-mail with the link is on its way to" in page.text
    assert send_next(carried)
    (letter,) = mailbox.letters
    link = page.find("input", id="link").get("value") or ""
    assert letter["To"] == "new.one@practice.example"
    assert letter["Subject"] == "Elm Surgery invites you"
    assert link in letter.get_content().splitlines()
    assert "Elm Surgery" in Visitor(app).get(link.removeprefix(carried.settings.origin)).text
    assert [(row.kind, row.state, row.to_sealed, row.text_sealed) for row in rows(carried)] == [("invitation", "sent", None, None)]


def test_without_email(services: Services) -> None:
    """Where no e-mail is set up the manager hands over the link, as before."""
    member = make_member(services, make_practice(services))
    assert "/staff/join/" in invite(services, member.practice.id, "new@practice.example", "reader", actor=member.id)
    assert rows(services) == []
