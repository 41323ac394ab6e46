"""Asking once more for a photo that cannot be used; who may do what with a request."""

import pytest
from flask import Flask

from capture.sealing.age import open_sealed
from capture.sealing.contents import SealedRequest
from capture.sealing.records import from_json
from capture.services import Services
from capture.store.models import Practice, Request
from tests.builders import (
    APractice,
    ARequest,
    agree_patient,
    bundle_of,
    make_member,
    make_request,
    make_submitted,
    photo_bytes,
)
from tests.web.conftest import session_of
from tests.web.desk import act, ask_again, link_on
from tests.web.html import Visitor, patient, staff


def test_ask_again(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """The patient is asked for that view alone and told why; the same date of birth holds (SECURITY 4), and it is the same case."""
    make_submitted(services, asked, views=("context", "close-up"))
    page = ask_again(desk, asked)
    assert page.status == 201
    again = link_on(page, asked)
    visitor = patient(app, again)
    assert visitor.submit(visitor.get(again.path), again.wrong).status == 422
    visitor.set_cookie("patient", agree_patient(services, again))
    tasks = visitor.get("/photos")
    assert [row.get("data-view") for row in tasks.tree.iter("li") if row.get("data-view")] == ["close-up"]
    assert "Your practice asks you to try once more. Last time, the photo was not sharp enough." in tasks.text
    assert visitor.get("/photos/context").status == 404
    assert "not sharp enough" in visitor.get("/photos/close-up").text
    visitor.send_photo(visitor.get("/photos/close-up"), photo_bytes())
    assert visitor.submit(visitor.get("/check")).location == "/sent"
    shown, first = desk.get(f"/staff/requests/{again.id}"), desk.get(f"/staff/requests/{asked.id}")
    assert f"Asked again after {asked.receipt}" in shown.text
    assert "Only these photos Close-up" in shown.text
    assert asked.receipt in shown.link(f"{asked.receipt}, asked on") or shown.link(asked.receipt).endswith(asked.id)
    assert "Photos asked for again by Robin Reception" in first.text
    with services.database.read() as db:
        rows = [db.get_one(Request, one.id) for one in (asked, again)]
        assert [row.case for row in rows] == [asked.id, asked.id]


def test_ask_again_is_sealed_with_the_photos(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Whoever opens the bundle reads which request it follows and why; no reader of the format has to change for it."""
    make_submitted(services, asked)
    again = link_on(ask_again(desk, asked), asked)
    bundle = make_submitted(services, again)
    opened = open_sealed(bundle.request_part, [asked.practice.identity])
    answers = from_json(SealedRequest, opened, "request.json").answers
    assert answers["follows"] == asked.receipt
    assert answers["asked again because"] == "Last time, the photo was not sharp enough."


def test_ask_again_twice(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """A case goes on: of what was asked again more can be asked again, of the same views at most, and the date of birth holds."""
    make_submitted(services, asked)
    second = link_on(ask_again(desk, asked, views=["context", "close-up"]), asked)
    make_submitted(services, second)
    page = desk.get(f"/staff/requests/{second.id}/again")
    assert [one.get("value") for one in page.tree.iter("input") if one.get("name") == "views"] == ["context", "close-up"]
    third = link_on(ask_again(desk, second, reason="dark"), asked)
    make_submitted(services, third)
    with services.database.read() as db:
        assert db.get_one(Request, third.id).case == asked.id


def test_same_form_twice(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Pressing the button twice asks once."""
    make_submitted(services, asked)
    page = desk.get(f"/staff/requests/{asked.id}/again")
    fields = {"views": ["close-up"], "reason": "dark"}
    assert [desk.submit(page, fields).status for _ in range(2)] == [201, 409]


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"views": []}, "views"), ({"reason": ""}, "reason"), ({"reason": "ugly"}, "reason"), ({"days": "400"}, "days")],
)
def test_ask_again_with_mistakes(services: Services, desk: Visitor, asked: ARequest, fields: dict[str, object], field: str) -> None:
    """Each mistake gets a sentence at its field, and what was right stays."""
    make_submitted(services, asked)
    page = ask_again(desk, asked, **fields)
    assert page.status == 422
    assert list(page.errors) == [field]
    if field == "days":
        assert page.form()[1]["views"] == ["close-up"]


def test_ask_again_for_what_was_not_asked(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Only photos that the first request asked for can be asked for again, and only once some were sent."""
    assert desk.get(f"/staff/requests/{asked.id}/again").status == 409
    make_submitted(services, asked)
    assert ask_again(desk, asked, views=["nails"]).status == ask_again(desk, asked, views=["more-1"]).status == 403
    assert ask_again(desk, asked, key="x").status == 409


def test_intimate_photos_are_not_asked_again(services: Services, desk: Visitor, asked: ARequest) -> None:
    """An intimate place is asked for again only while the practice's switch is on, and never of a child."""
    with services.database.write() as db:
        db.get_one(Practice, asked.practice.id).intimate_allowed = True
    intimate = make_request(services, asked.practice, site="groin")
    make_submitted(services, intimate)
    assert ask_again(desk, intimate).status == 201
    with services.database.write() as db:
        db.get_one(Practice, asked.practice.id).intimate_allowed = False
    assert ask_again(desk, intimate).status == 403


ACTS = ("resend", "extend", "cancel")


def test_roles(app: Flask, services: Services, practice: APractice, asked: ARequest) -> None:
    """A reader asks again for what is blurred, and may neither resend, extend nor cancel; a requester is not shown "Open"."""
    make_submitted(services, asked)
    waiting = make_request(services, practice)
    reader, requester = (
        staff(app, session_of(services, make_member(services, practice, role=role)), asked) for role in ("reader", "requester")
    )
    for name in ACTS:
        assert act(reader, asked, name, days="7").status == act(reader, waiting, name, days="7").status == 403
    assert reader.get(f"/staff/requests/{waiting.id}/resend").status == 403
    assert requester.get(f"/staff/requests/{waiting.id}/resend").status == 200
    opening = f"/staff/bundles/{bundle_of(services, asked).id}"
    for way in (f"/staff/requests/{asked.id}", opening):
        assert f"/staff/requests/{asked.id}/again" in reader.get(way).data.decode()
    assert ask_again(reader, asked).status == 201
    assert "Make a new link" not in reader.get(f"/staff/requests/{waiting.id}").text
    page = requester.get(f"/staff/requests/{asked.id}")
    assert "Ask for a photo again" in page.text
    assert "Open photos" not in page.text + requester.get("/staff/").text
    assert ask_again(requester, asked).status == 201
