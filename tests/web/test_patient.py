"""The patient's journey, page by page, with no script; and the answers that script gets."""

import base64
import json
import secrets
from io import BytesIO

import pytest
from flask import Flask
from PIL import Image

from capture.actions.agree import STATEMENTS
from capture.sealing.age import open_sealed
from capture.services import Services
from tests.builders import (
    VIEWS,
    ARequest,
    agree_patient,
    bundle_of,
    confirm_patient,
    make_request,
    photo_bytes,
    photos_of,
    take_photo,
)
from tests.conftest import Clock
from tests.web.html import ORIGIN, Page, Visitor, patient

JSON = {"Accept": "application/json", "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


def agree_to_all(visitor: Visitor, page: Page) -> Page:
    return visitor.follow(visitor.submit(page, {"agree": list(STATEMENTS), "who": "me", "helper": "helper"}))


def test_journey_without_script(services: Services, visitor: Visitor, asked: ARequest) -> None:
    """A patient goes from the link to the receipt with forms alone, and what was typed and taken is in the sealed request."""
    page = visitor.get(asked.path)
    assert asked.practice.name in page.text
    page = visitor.follow(visitor.submit(page, asked.form))
    assert page.heading == "Before you take photos"
    page = agree_to_all(visitor, page)
    assert page.heading == "Your photos"
    page = visitor.get(page.link("Take the first photo"))
    for number, view in enumerate(VIEWS, 1):
        assert f"Photo {number} of 3" in page.heading
        page = visitor.send_photo(page, photo_bytes(view))
        assert (page.status, "Is it clear?" in page.heading) == (201, True)
        page = visitor.get(page.link("Use this photo"))
    assert page.heading == "Check and send"
    assert page.text.count("Ready to send") == 3
    page = visitor.follow(visitor.submit(page, {"note": "It itches.\r\nAt night."}))
    assert page.heading == "Photos sent"
    assert asked.receipt in page.text
    assert "3 photos" in page.text
    request = json.loads(open_sealed(bundle_of(services, asked).request_part, [asked.practice.identity]))
    assert [photo["view"] for photo in request["photos"]] == list(VIEWS)
    assert (request["label"], request["note"]) == (asked.label, "It itches.\nAt night.")
    assert list(STATEMENTS.values()) == [request["answers"][f"agreed {number}"] for number in (1, 2, 3)]
    assert "helps" in request["answers"]["who took the photos"]


def test_photo_is_shown_once(agreed: Visitor) -> None:
    """SECURITY 9: the answer to an upload shows the photo once; no other page of the patient's, and no repeat, ever does."""
    form = agreed.get("/photos/close-up")
    _, values = form.form()
    page = agreed.send_photo(form, photo_bytes())
    source = page.find("img", alt="The photo you have just taken").get("src", "")
    with Image.open(BytesIO(base64.b64decode(source.removeprefix("data:image/jpeg;base64,")))) as shown:
        assert max(shown.size) <= 800
    again = agreed.send_photo(form, photo_bytes())
    assert (again.status, values["photo_id"]) == (201, form.form()[1]["photo_id"])
    for path in ("/photos", "/photos/close-up", "/check"):
        assert b"data:image" not in agreed.get(path).data
    assert b"data:image" not in again.data
    assert "Your photo has arrived" in again.text


def test_json_upload(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """Script gets the photo's id, how many have arrived and where to go next."""
    data = {"csrf_token": agreed.csrf("/photos/context"), "photo_id": secrets.token_hex(16)}
    page = agreed.open("POST", "/photos/context", data={**data, "camera": (BytesIO(photo_bytes("context")), "a.jpg")}, headers=JSON)
    assert page.status == 201
    assert page.json == {
        "id": data["photo_id"],
        "message": "1 of 3 photos have arrived",
        "hints": [],
        "next": "/photos/close-up",
        "arrived": 1,
        "total": 3,
    }
    assert [photo.id for photo in photos_of(services, asked)] == [data["photo_id"]]


@pytest.mark.parametrize(
    ("untrusted_bytes", "sentence"),
    [
        (b"", "Take or choose a photo first."),
        (b"%PDF-1.7 not a photo", "PDF document"),
        (photo_bytes()[:20_000], "photo"),
    ],
)
def test_refused_file(agreed: Visitor, services: Services, asked: ARequest, untrusted_bytes: bytes, sentence: str) -> None:
    """SECURITY 19: a file that cannot be used gets its page again with a sentence at the field, or JSON; nothing is kept."""
    form = agreed.get("/photos/close-up")
    page = agreed.send_photo(form, untrusted_bytes)
    assert page.status == 422
    assert sentence in page.errors["photo"]
    assert sentence in page.find("p", id="photo-error").find("span[@id='photo-sentence']").text  # type: ignore[union-attr, operator]
    data = {"csrf_token": form.form()[1]["csrf_token"], "photo_id": secrets.token_hex(16)}
    told = agreed.open("POST", "/photos/close-up", data={**data, "photo": (BytesIO(untrusted_bytes), "x")}, headers=JSON)
    assert told.status == 422
    assert told.json["error"]["sentence"] == page.errors["photo"]
    assert told.json["error"]["code"]
    assert photos_of(services, asked) == []
    assert agreed.send_photo(page, photo_bytes()).status == 201


def test_too_large_file(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """SECURITY 20: a file above the limit gets a page, or JSON, that says so."""
    large = bytes(services.settings.max_upload_bytes + 20_000)
    page = agreed.send_photo(agreed.get("/photos/close-up"), large)
    assert page.status == 413
    assert "too large" in page.text
    data = {"photo_id": secrets.token_hex(16), "photo": (BytesIO(large), "x")}
    told = agreed.open("POST", "/photos/close-up", data=data, headers=JSON)
    assert (told.status, told.json["error"]["code"]) == (413, "request-entity-too-large")
    assert photos_of(services, asked) == []


def test_file_of_the_largest_size(agreed: Visitor, services: Services) -> None:
    """A file of exactly the largest size is looked at, and refused for what it is rather than for its size."""
    page = agreed.send_photo(agreed.get("/photos/close-up"), bytes(services.settings.max_upload_bytes))
    assert page.status == 422


def test_retake_replaces(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """Taking a photo again replaces it, and the first one's ciphertext is gone from the store."""
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes("context"))
    (first,) = photos_of(services, asked)
    form = agreed.get("/photos/close-up")
    assert "already taken this photo" in form.text
    agreed.send_photo(form, photo_bytes("close-up"))
    (second,) = photos_of(services, asked)
    stored = [path.name for path in (services.settings.var / "blobs").rglob("*.age")]
    assert first.id != second.id
    assert [f"{asked.id}/{name}" for name in stored] == [second.blob]


def test_another_photo_under_the_same_id(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """A form that the browser kept, sent with another photo, is told to choose again: no photo is acknowledged and lost."""
    form = agreed.get("/photos/close-up")
    agreed.send_photo(form, photo_bytes("context"))
    page = agreed.send_photo(form, photo_bytes("close-up"))
    assert page.status == 422
    assert "again" in page.errors["photo"]
    assert agreed.send_photo(page, photo_bytes("close-up")).status == 201
    assert len(photos_of(services, asked)) == 1


def test_photo_of_another_request(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """A photo id that another patient's phone has used is refused, and says nothing of that photo."""
    other = make_request(services, asked.practice)
    agree_patient(services, other)
    photo_id = take_photo(services, other)
    page = agreed.submit(
        agreed.get("/photos/close-up"),
        {"photo_id": photo_id, "photo": (BytesIO(photo_bytes()), "a.jpg")},
        content_type="multipart/form-data",
    )
    assert page.status == 409
    assert photos_of(services, asked) == []


@pytest.mark.parametrize("photo_id", ["", "abc", "A" * 32, "0" * 33, "../" * 10 + "ab"])
def test_malformed_photo_id(agreed: Visitor, photo_id: str) -> None:
    """SECURITY 19: a page that was tampered with gets a sentence."""
    fields = {"photo_id": photo_id, "photo": (BytesIO(photo_bytes()), "a.jpg")}
    page = agreed.submit(agreed.get("/photos/close-up"), fields, content_type="multipart/form-data")
    assert page.status == 422
    assert "open it again" in page.errors["photo"]


def test_pages_lead_to_where_the_journey_is(app: Flask, services: Services, asked: ARequest) -> None:
    """Whatever address a patient opens, it leads on: to the agreement first, to the photos, and at the end to the receipt."""
    visitor = patient(app, asked, confirm_patient(services, asked))
    for path in ("/photos", "/photos/close-up", "/check"):
        assert visitor.get(path).location == "/agree"
    agree_to_all(visitor, visitor.get("/agree"))
    assert visitor.get("/check").location == "/photos"
    assert visitor.get("/sent").location == "/photos"
    assert visitor.get("/photos/no-such-view").status == 404
    assert visitor.get("/photos/overall").status == 404  # of another protocol
    visitor.send_photo(visitor.get("/photos/close-up"), photo_bytes())
    check = visitor.get("/check")
    visitor.submit(check)
    for path in ("/photos", "/photos/close-up", "/photos/context/cannot", "/check", "/agree", "/another-phone"):
        assert visitor.get(path).location == "/sent"
    assert "1 photo " in visitor.get("/sent").text


def test_photos_need_agreement(app: Flask, services: Services, asked: ARequest) -> None:
    """No photo is taken before the boxes are ticked, even by a page that skips them."""
    visitor = patient(app, asked, confirm_patient(services, asked))
    fields = {"csrf_token": visitor.csrf("/agree"), "photo_id": "0" * 32, "photo": (BytesIO(photo_bytes()), "a.jpg")}
    assert visitor.open("POST", "/photos/close-up", data=fields).status == 403
    assert photos_of(services, asked) == []


def test_boxes_not_ticked(app: Flask, services: Services, asked: ARequest) -> None:
    """Every box has to be ticked and a helper chosen; what was ticked stays ticked."""
    visitor = patient(app, asked, confirm_patient(services, asked))
    page = visitor.submit(visitor.get("/agree"), {"agree": ["use"]})
    assert page.status == 422
    assert set(page.errors) == {"who", "agree", "helper"}
    assert page.form()[1]["agree"] == ["use"]
    assert visitor.submit(page, {"agree": list(STATEMENTS), "who": "me", "helper": "a stranger"}).errors.keys() == {"helper"}
    assert visitor.get("/photos").location == "/agree"


def test_nothing_taken(agreed: Visitor) -> None:
    """Sending before any photo was taken is refused with a sentence."""
    token = agreed.csrf("/agree")
    page = agreed.open("POST", "/check", data={"csrf_token": token})
    assert page.status == 409
    assert "at least one photo" in page.text


def test_note_too_long(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """A note of 1,000 characters goes through; one more is refused, and the page keeps what was typed."""
    take_photo(services, asked)
    page = agreed.submit(agreed.get("/check"), {"note": "é" * 1001})
    assert (page.status, page.errors) == (422, {"note": "The note must be 1,000 characters or fewer"})
    assert page.form()[1]["note"] == ["é" * 1001]
    assert agreed.submit(page, {"note": "é" * 1000}).location == "/sent"


def test_list_says_what_is_missing(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """The list never says that all photos were taken while some are missing."""
    take_photo(services, asked, "context")
    page = agreed.get("/photos")
    assert "You have taken 1 of 3 photos" in page.text
    assert page.link("Take the next photo") == "/photos/close-up"
    for view in VIEWS[1:]:
        take_photo(services, asked, view)
    page = agreed.get("/photos")
    assert "You have taken all your photos" in page.text
    assert page.link("Check and send") == "/check"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Enter the date of birth"),
        ({"day": "1", "year": "1957"}, "must include a month"),
        ({"year": "1957"}, "must include a day and a month"),
        ({"day": "1", "month": "May", "year": "1957"}, "in numbers"),
        ({"day": "1", "month": "٥", "year": "1957"}, "in numbers"),
        ({"day": "1", "month": "5", "year": "57"}, "4 numbers"),
        ({"day": "31", "month": "2", "year": "1957"}, "a real date"),
        ({"day": "0", "month": "5", "year": "0000"}, "a real date"),
        ({"day": "1", "month": "5", "year": "2031"}, "in the past"),
        ({"day": "1", "month": "5", "year": "1850"}, "in the past"),
    ],
)
def test_date_that_is_none(visitor: Visitor, asked: ARequest, fields: dict[str, str], sentence: str) -> None:
    """A date of birth that is none gets a sentence that says why, and keeps what was typed."""
    page = visitor.submit(visitor.get(asked.path), fields)
    assert page.status == 422
    assert sentence in page.errors["dob"]
    assert {name: page.form()[1][name] for name in fields} == {name: [text] for name, text in fields.items()}


def test_closed_while_the_page_was_open(app: Flask, services: Services, agreed: Visitor, asked: ARequest, clock: Clock) -> None:
    """A session that lay idle too long, or that nobody knows, is shown the page for links that do not work."""
    assert patient(app, asked, "no-such-session").get("/photos").status == 404
    clock.forward(minutes=2)
    assert agreed.get("/photos").status == 200  # and the session is noted as in use
    clock.forward(hours=11, minutes=59)
    assert agreed.get("/photos").status == 200
    clock.forward(hours=12)
    assert agreed.get("/photos").heading == "This link does not work"
