"""Following where texts and e-mails can be sent: new links, photos asked for again, and what staff are told of."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from capture.actions.flag_waiting import flag_waiting
from capture.app import create_app
from capture.domain.requests import State
from capture.services import Services
from capture.store.messages import MessageRow
from capture.store.models import Practice, Request
from tests.builders import AMember, ARequest, make_member, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.notify.mail_server import Mailbox
from tests.notify.stand_in import StandIn
from tests.notify.test_sending import EMAIL, PHONE, send_all
from tests.web.conftest import session_of
from tests.web.html import Visitor, staff


@pytest.fixture
def member(carried: Services) -> AMember:
    return make_member(carried, make_practice(carried))


@pytest.fixture
def asked(carried: Services, member: AMember) -> ARequest:
    return make_request(carried, member.practice)


@pytest.fixture
def desk(carried: Services, member: AMember, asked: ARequest) -> Visitor:
    return staff(create_app(carried), session_of(carried, member), asked)


def kinds(services: Services) -> list[tuple[str, str]]:
    with services.database.read() as db:
        return sorted((row.kind, row.state) for row in db.scalars(select(MessageRow)))


def test_a_new_link_by_text(carried: Services, desk: Visitor, asked: ARequest, notify: StandIn) -> None:
    """The new link goes to the number typed now; what was queued with the old link is dropped, and a wrong number sends nothing."""
    page = desk.get(f"/staff/requests/{asked.id}/resend")
    wrong = desk.submit(page, {"phone": "12345"})
    assert wrong.status == 422
    assert list(wrong.errors) == ["phone"]
    assert kinds(carried) == []
    first = desk.submit(page, {"phone": "07700 900123"})
    assert first.heading == "Text queued"
    assert desk.submit(page, {"phone": "07700 900123"}).status == 409
    second = desk.submit(desk.get(f"/staff/requests/{asked.id}/resend"), {"phone": "07700 900123"})
    assert send_all(carried) == 1
    (text,) = notify.texts
    assert text["to"] == PHONE
    assert text["text"].endswith(second.find("input", id="link").get("value") or "")
    assert "Text sent" in desk.get(f"/staff/requests/{asked.id}").text


def test_a_photo_again_by_email(carried: Services, desk: Visitor, asked: ARequest) -> None:
    """The link for one photo goes like the first one."""
    make_submitted(carried, asked)
    page = desk.submit(desk.get(f"/staff/requests/{asked.id}/again"), {"views": ["close-up"], "reason": "dark", "email": EMAIL})
    assert page.heading == "E-mail queued"
    assert kinds(carried) == [("link", "queued"), ("reminder", "queued")]


def test_managers_are_told_where_no_address_was_named(
    carried: Services, member: AMember, asked: ARequest, clock: Clock, mailbox: Mailbox
) -> None:
    """A practice that named no address is told all the same: each of its managers, nobody else, and no more often."""
    managers = {member.email, make_member(carried, asked.practice).email}
    make_member(carried, asked.practice, role="reader")
    make_member(carried, make_practice(carried, name="Oak Surgery"))
    make_submitted(carried, asked)
    clock.forward(days=5)
    assert flag_waiting(carried) == 1
    second = make_request(carried, asked.practice)
    make_submitted(carried, second)
    with carried.database.write() as db:
        db.get_one(Request, second.id).submitted_at = clock() - timedelta(days=5)
    assert flag_waiting(carried) == 1
    send_all(carried)
    assert sorted(letter["To"] for letter in mailbox.letters) == sorted(managers)


def test_staff_are_told_by_email(carried: Services, asked: ARequest, clock: Clock, mailbox: Mailbox) -> None:
    """Photos that wait and a locked link are told once each, to the address for notices, in letters of one length (SECURITY 5)."""
    make_submitted(carried, asked)
    locked = make_request(carried, asked.practice)
    with carried.database.write() as db:
        db.get_one(Request, locked.id).state = State.LOCKED
        db.get_one(Practice, asked.practice.id).notice_email = "desk@elm.example"
    clock.forward(days=5)
    assert flag_waiting(carried) == 2
    assert flag_waiting(carried) == 0
    assert kinds(carried) == [("notice-locked", "queued"), ("notice-waiting", "queued")]
    send_all(carried)
    assert len(mailbox.letters) == 2
    assert len({len(letter.get_content()) for letter in mailbox.letters}) == 1
    assert not [letter for letter in mailbox.letters if asked.label in str(letter) or asked.receipt in str(letter)]
