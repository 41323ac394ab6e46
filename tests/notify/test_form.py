"""The form that asks, where texts and e-mails can be sent: what it offers, takes, refuses and shows afterwards."""

import pytest

from capture.app import create_app
from capture.domain.messages import describe
from capture.services import Services
from capture.store.models import Practice
from tests.builders import AMember, make_member, make_practice
from tests.notify.stand_in import StandIn
from tests.notify.test_sending import EMAIL, PHONE, rows, send_all, states
from tests.web.conftest import app_with, session_of
from tests.web.html import Visitor, staff
from tests.web.test_staff import FIELDS


@pytest.fixture
def member(carried: Services) -> AMember:
    return make_member(carried, make_practice(carried))


@pytest.fixture
def desk(carried: Services, member: AMember) -> Visitor:
    return staff(create_app(carried), session_of(carried, member))


def test_a_link_by_text(carried: Services, desk: Visitor, notify: StandIn) -> None:
    """With a number the page says that the text is queued and when it is sent again; QR code and slip stay for the desk."""
    form = desk.get("/staff/requests/new")
    assert "We send one reminder after 3 days if the link is not used, then forget the number." in form.text
    page = desk.submit(form, {**FIELDS, "phone": "07700 900123"})
    assert page.status == 201
    assert page.heading == "Text queued"
    assert "We send it once more after 3 days if it is not used" in page.text
    assert PHONE not in page.text
    assert page.find("div", role="img")[0].tag.endswith("svg")
    assert page.link("See whether it arrived") == page.link("See this request")
    send_all(carried)
    assert [text["to"] for text in notify.texts] == [PHONE]
    link = page.find("input", id="link").get("value") or ""
    assert notify.texts[0]["text"].endswith(link)


def test_a_link_by_both(carried: Services, desk: Visitor) -> None:
    """With a number and an address both are queued, each with its reminder; with neither nothing is, and the link is shown."""
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "phone": "+44 7700 900123", "email": EMAIL})
    assert page.heading == "Text queued, E-mail queued"
    assert sorted(states(carried)) == [("link", "queued")] * 2 + [("reminder", "queued")] * 2
    page = desk.submit(desk.get("/staff/requests/new"), FIELDS)
    assert page.heading == "The link is ready"
    assert len(rows(carried)) == 4


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"phone": "0191 498 0123"}, "mobile phones only"),
        ({"phone": "07700 90012"}, "Check each digit"),
        ({"email": "ada"}, "name@example.com"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "name@example.com"),
    ],
)
def test_mistakes(carried: Services, desk: Visitor, changes: dict[str, str], sentence: str) -> None:
    """A number or address that is none gets a sentence at its field, what was typed stays, and nothing is issued or queued."""
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, **changes})
    assert page.status == 422
    (field,) = changes
    assert list(page.errors) == [field]
    assert sentence in page.errors[field]
    assert rows(carried) == []


def test_twice(carried: Services, desk: Visitor) -> None:
    """The same form sent twice queues one text: request and messages are written together or not at all."""
    form = desk.get("/staff/requests/new")
    data = {**FIELDS, "phone": "07700 900123"}
    assert desk.submit(form, data).status == 201
    assert desk.submit(form, data).status == 409
    assert states(carried) == [("link", "queued"), ("reminder", "queued")]


def test_without_reminders(carried: Services, desk: Visitor, member: AMember) -> None:
    """A practice that sends no reminder says that the number is forgotten once the text is sent."""
    with carried.database.write() as db:
        db.get_one(Practice, member.practice.id).remind_days = 0
    form = desk.get("/staff/requests/new")
    assert "Once it is sent we forget the number." in form.text
    assert "once more" not in desk.submit(form, {**FIELDS, "phone": "07700 900123"}).text


def test_fields_are_not_there_for_nothing(services: Services) -> None:
    """Where nothing sends texts or e-mails neither is asked for, and what is sent in those fields anyway is not kept."""
    member = make_member(services, make_practice(services))
    desk = staff(create_app(services), session_of(services, member))
    form = desk.get("/staff/requests/new")
    assert not {one.get("name") for one in form.tree.iter("input")} & {"phone", "email"}
    page = desk.submit(form, {**FIELDS, "phone": "nonsense", "email": EMAIL})
    assert page.heading == "The link is ready"
    assert rows(services) == []


def test_the_page_of_the_request(carried: Services, desk: Visitor) -> None:
    """The page of a request tells what became of its text."""
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "phone": "07700 900123"})
    send_all(carried)
    assert describe("link", "sms", "sent") in desk.get(page.link("See this request")).text


def test_the_demo_says_what_it_lacks(services: Services) -> None:
    """In a demo that sends nothing the page with the link says so."""
    member = make_member(services, make_practice(services))
    desk = staff(app_with(services, demo=True), session_of(services, member))
    page = desk.submit(desk.get("/staff/requests/new"), FIELDS)
    assert "Texts and e-mails are not set up in this demo" in page.text
