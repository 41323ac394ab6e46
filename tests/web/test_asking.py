"""The form that asks: what it takes besides the place, what it refuses, and what the patient and the page then show."""

import pytest
from flask import Flask

from capture.domain.messages import LONGEST_TEXT, text_message
from capture.services import Services
from capture.store.models import Request
from capture.store.requests import details_of
from capture.web.ask_fields import MESSAGE_LIMIT
from tests.builders import AMember, agree_patient
from tests.web.html import Visitor, patient
from tests.web.test_staff import FIELDS, issued

NHS_NUMBER, MESSAGE = "943 476 5919", "Please show the mole <next> to your watch."


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("0000 4956-9012", "000049569012"), (" AG-77-1234 ", "AG-77-1234"), ("12345", "12345"), ("", "")],
    ids=["UBRN", "free", "number", "none"],
)
def test_references(services: Services, desk: Visitor, typed: str, kept: str) -> None:
    """A UBRN is kept as its 12 digits, however it was spaced; any other reference as it was typed; none is no mistake."""
    desk.private = ()
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "reference": typed})
    assert page.status == 201
    with services.database.read() as db:
        request = db.get_one(Request, page.link("See this request").rpartition("/")[2])
        assert details_of(db, request).reference == kept


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"reference": "0000 4956 901"}, "reference", "has 12 digits. This one has 11"),
        ({"reference": "1234-5678-9012-3"}, "reference", "has 12 digits. This one has 13"),
        ({"reference": "0000"}, "reference", "has 12 digits. This one has 4"),
        ({"nhs_number": "943 476 591"}, "nhs_number", "has 10 digits"),
        ({"nhs_number": "943 476 5918"}, "nhs_number", "Check each digit"),
        ({"nhs_number": "0000000000"}, "nhs_number", "Check each digit"),
        ({"nhs_number": "4444444444"}, "nhs_number", "Check each digit"),
        ({"nhs_number": "٩٤٣٤٧٦٥٩١٩"}, "nhs_number", "has 10 digits"),
        ({"message": "x" * (MESSAGE_LIMIT + 1)}, "message", "300 characters at most"),
    ],
)
def test_mistakes(desk: Visitor, changes: dict[str, str], field: str, sentence: str) -> None:
    """A UBRN or NHS number that is none, and a message that is too long, get a sentence at the field; what was typed stays."""
    desk.private = ()
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, **changes})
    assert page.status == 422
    assert list(page.errors) == [field]
    assert sentence in page.errors[field]
    assert page.form()[1][field] == [changes[field]]


def test_message_and_nhs_number(app: Flask, services: Services, desk: Visitor, member: AMember) -> None:
    """The patient reads the message after the date of birth only, as text; the NHS number is the practice's alone, and sealed."""
    desk.private = ()
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "nhs_number": "943-476 5919", "message": MESSAGE})
    asked = issued(services, member, page)
    shown = desk.get(f"/staff/requests/{asked.id}").text
    assert NHS_NUMBER in shown
    assert MESSAGE in shown
    visitor = patient(app, asked)
    assert MESSAGE not in visitor.get(asked.path).text
    tasks = patient(app, asked, agree_patient(services, asked)).get("/photos").text
    assert MESSAGE in tasks
    assert NHS_NUMBER not in tasks
    with services.database.read() as db:
        row = db.get_one(Request, asked.id)
        columns = [str(getattr(row, column.key)) for column in Request.__table__.columns]
    assert not [value for value in columns if "9434765919" in value or "mole" in value]


@pytest.mark.parametrize(("year", "told"), [("2012", True), ("2009", False), ("1957", False)])
def test_under_16(desk: Visitor, year: str, told: bool) -> None:
    """The page with the link of someone under 16 says that a parent agrees and is there; nobody else's page does."""
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "year": year})
    assert page.status == 201
    assert ("under 16" in page.text) is told


def test_link_page(services: Services, desk: Visitor, member: AMember) -> None:
    """The page shows the link as a QR code, alone, in one text message and on a slip, and nothing of the patient in any of them."""
    page = desk.submit(desk.get("/staff/requests/new"), FIELDS)
    link = issued(services, member, page).link
    text = page.find("textarea", id="sms").text or ""
    assert text == text_message(member.practice.name, link)
    assert len(text) <= LONGEST_TEXT
    assert next(one for one in page.tree.iter() if one.get("role") == "img").find(".//{*}path") is not None
    slip = [one for one in page.tree.iter("div") if one.get("class") == "app-only-print"][-1]
    words = " ".join("".join(slip.itertext()).split())
    for told in (link, member.practice.name, member.practice.phone, "date of birth"):
        assert told in words
    assert not [said for said in desk.private if said in words + text]


def test_urgent_reminder(desk: Visitor) -> None:
    """The form says, before anything is filled in, that photos are not for an urgent suspected cancer."""
    text = desk.get("/staff/requests/new").text
    assert text.index("urgent referral") < text.index("Name or initials")


def test_body_map_waits_for_script(desk: Visitor) -> None:
    """Without script the map is not shown; its regions are places of the list with their sides, and no intimate ones."""
    page = desk.get("/staff/requests/new")
    options = {one.get("value"): one for one in page.find("select", id="site").iter("option")}
    (group,) = (one for one in page.tree.iter("fieldset") if one.get("data-body") is not None)
    regions = [one for one in group.iter() if one.get("data-site")]
    assert group.get("hidden") is not None
    assert len(regions) > 30
    assert len({(one.get("data-site"), one.get("data-side"), one.get("d")) for one in regions}) == len(regions)
    for one in regions:
        sides = options[one.get("data-site")].get("data-sides")
        assert (sides == "yes") == bool(one.get("data-side"))
    assert not {"groin", "breast", "buttock"} & {one.get("data-site") for one in regions}
