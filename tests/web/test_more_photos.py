"""Photos that a patient adds to those that were asked for, and photos that cannot be taken."""

import json
from dataclasses import replace
from io import BytesIO

import pytest
from flask import Flask

from capture.actions.accept_photo import accept_photo
from capture.actions.deliver import deliver_next
from capture.actions.submit import submit
from capture.app import create_app
from capture.errors import NotFound
from capture.sealing.age import open_sealed
from capture.sealing.bundle import open_bundle
from capture.services import Services
from capture.store.models import Request
from capture.store.requests import answers_of, keep_answers
from tests.builders import VIEWS, AMember, APractice, ARequest, agree_patient, bundle_of, photo_bytes, take_photo
from tests.web.conftest import app_with, session_of
from tests.web.html import Page, Visitor, patient, staff

EXTRA = [f"more-{number}" for number in range(1, 6)]


def rows(page: Page) -> dict[str, str]:
    """The list of photos: view to state."""
    return {one.get("data-view", ""): one.get("data-state", "") for one in page.tree.iter("li") if one.get("data-view")}


def skip(services: Services, asked: ARequest, *views: str) -> None:
    """The patient has said that these cannot be taken."""
    with services.database.write() as db:
        request = db.get_one(Request, asked.id)
        keep_answers(db, request, replace(answers_of(db, request), skipped=dict.fromkeys(views, "reach")))


def test_photos_are_added_and_sent_in_order(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """After the first photo others can be added; each has its own guidance; they are sent after those asked for, well named."""
    assert "Add another photo" not in agreed.get("/photos").text
    take_photo(services, asked, "close-up")
    page = agreed.get(agreed.get("/photos").link("Add another photo"))
    assert (page.heading, page.response.request.path) == ("Extra photo 1", "/photos/more-1")
    assert "other photos do not show" in page.text
    answer = agreed.send_photo(page, photo_bytes("context"))
    assert answer.link("Use this photo") == "/photos/context"  # what was asked for comes first
    listed = agreed.get("/photos")
    assert rows(listed) == {"context": "missing", "close-up": "arrived", "close-up-scale": "missing", "more-1": "arrived"}
    assert "You have taken 2 of 4 photos" in listed.text
    for view in ("context", "close-up-scale"):
        take_photo(services, asked, view)
    page = agreed.get(agreed.get("/check").link("Add another photo"))
    assert page.heading == "Extra photo 2"
    assert agreed.send_photo(page, photo_bytes("overall")).link("Use this photo") == "/check"
    agreed.submit(agreed.get("/check"))
    request = json.loads(open_sealed(bundle_of(services, asked).request_part, [asked.practice.identity]))
    assert [(photo["view"], photo["part"]) for photo in request["photos"]] == [
        (view, f"photos/{number:02}-{view}.jpg.age") for number, view in enumerate([*VIEWS, "more-1", "more-2"], 1)
    ]
    assert [photo["title"] for photo in request["photos"][3:]] == ["Extra photo 1", "Extra photo 2"]


def test_added_photos_open_under_their_names(agreed: Visitor, desk: Visitor, services: Services, asked: ARequest) -> None:
    """A bundle with added photos is read by our tool, and each is saved under a name that says which it is."""
    for view in ("close-up", "more-1", "more-3"):
        take_photo(services, asked, view)
    agreed.submit(agreed.get("/check"))
    assert deliver_next(services)
    data = BytesIO(desk.get(f"/staff/bundles/{bundle_of(services, asked).id}.zip").data)
    with open_bundle(data, [asked.practice.identity], services.signing_key.verifying_key) as opened:
        assert all(opened.read(photo) for photo in opened.photos)
        names = [opened.request.file_name(photo) for photo in opened.request.photos]
    assert [name.split("_", 2)[2] for name in names] == ["close-up_1of3.jpg", "more-1_2of3.jpg", "more-3_3of3.jpg"]


def test_only_a_few_can_be_added(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """Five photos can be added; then none is offered, and a sixth view is nowhere."""
    for view in EXTRA:
        take_photo(services, asked, view)
    assert "Add another photo" not in agreed.get("/photos").text
    assert agreed.get("/photos/more-6").status == 404
    assert agreed.get("/photos/more").status == 404
    with pytest.raises(NotFound):
        accept_photo(services, asked.id, "more-6", "0" * 32, photo_bytes())


@pytest.mark.parametrize(("most", "offered"), [(4, False), (5, True)])
def test_room_is_kept_for_what_was_asked_for(services: Services, asked: ARequest, most: int, offered: bool) -> None:
    """No photo is offered that would take the place of one that is asked for: each link takes so many and no more."""
    cookie = agree_patient(services, asked)
    take_photo(services, asked, "close-up")
    take_photo(services, asked, "close-up")  # taken again: it counts too
    page = patient(app_with(services, max_photos=most), asked, cookie).get("/photos")
    assert ("Add another photo" in page.text) == offered


def test_skipped_views_are_not_asked_for(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """A view that cannot be taken is told apart, not asked for again, does not count, and can be taken after all."""
    skip(services, asked, "context", "close-up-scale")
    page = agreed.get("/photos")
    assert rows(page) == {"context": "cannot", "close-up": "missing", "close-up-scale": "cannot"}
    assert page.text.count("Cannot take") == 2
    assert page.link("Take the first photo") == "/photos/close-up"
    answer = agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes())
    assert answer.link("Use this photo") == "/check"
    assert agreed.get("/photos").link("Check and send") == "/check"
    take_photo(services, asked, "context")
    assert rows(agreed.get("/photos"))["context"] == "arrived"


def test_nothing_can_be_taken(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """Who can take none of the photos is told whom to phone, and is offered nothing to send."""
    skip(services, asked, *VIEWS)
    page = agreed.get("/photos")
    assert "Phone your practice" in page.text
    assert "Check and send" not in page.text
    assert "Take the first photo" not in page.text


def test_photos_of_views_that_are_gone_are_sent_all_the_same(services: Services, asked: ARequest, practice: APractice) -> None:
    """A photo that has arrived is sent although its view, its protocol and its place are gone from the files meanwhile."""
    agree_patient(services, asked)
    for view in ("close-up", "more-1"):
        take_photo(services, asked, view)
    later = replace(services, catalogue=replace(services.catalogue, protocols={}, sites={}))
    submit(later, asked.id, "")
    request = json.loads(open_sealed(bundle_of(services, asked).request_part, [practice.identity]))
    assert [(photo["view"], photo["title"]) for photo in request["photos"]] == [
        ("more-1", "Extra photo 1"),
        ("close-up", "Close up"),
    ]
    assert (request["site"], request["snomed"], request["protocol"]) == ("back of forearm", None, "lesion")


def test_pages_of_requests_whose_protocol_is_gone(services: Services, asked: ARequest, member: AMember) -> None:
    """Staff still see such a request, under bare names; its patient is told to phone for a new link."""
    changed = create_app(replace(services, catalogue=replace(services.catalogue, protocols={}, sites={})))
    inbox = staff(changed, session_of(services, member), asked).get("/staff/")
    assert "Left back of forearm" in inbox.text
    page = patient(changed, asked, agree_patient(services, asked)).get("/photos")
    assert "Phone your practice for a new link" in page.text
    assert rows(page) == {}


def test_answer_counts_what_was_added(app: Flask, services: Services, asked: ARequest) -> None:
    """What script is told counts added photos in, and never says that more have arrived than there are."""
    agree_patient(services, asked)
    skip(services, asked, "context")
    counts = []
    for number, view in enumerate(("more-1", "close-up", "close-up-scale")):
        accepted = accept_photo(services, asked.id, view, f"{number:032x}", photo_bytes(view))
        counts.append((accepted.arrived, accepted.total))
    assert counts == [(1, 3), (2, 3), (3, 3)]
