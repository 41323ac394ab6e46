"""A photo that may not be good enough: what the patient is told, and that the choice to use it anyway reaches the practice."""

import io
import json
import secrets
from functools import cache
from io import BytesIO

import pytest
from flask import Flask
from PIL import Image, ImageFilter

from capture.actions.accept_photo import accept_photo
from capture.actions.keep_photo import keep_photo
from capture.errors import NotFound
from capture.sealing.age import open_sealed
from capture.services import Services
from capture.store import audit
from capture.store.photos import facts_of
from tests.builders import ARequest, agree_patient, bundle_of, make_request, photo_bytes, photos_of
from tests.web.html import ORIGIN, Visitor, patient

JSON = {"Accept": "application/json", "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


@cache
def blurred(sigma: float = 6) -> bytes:
    """The close-up, out of focus."""
    im = Image.open(io.BytesIO(photo_bytes())).filter(ImageFilter.GaussianBlur(sigma))
    buffer = io.BytesIO()
    im.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def sealed_photos(services: Services, asked: ARequest) -> list[dict[str, object]]:
    """What the practice reads of each photo, once the patient has sent them."""
    request = json.loads(open_sealed(bundle_of(services, asked).request_part, [asked.practice.identity]))
    photos: list[dict[str, object]] = request["photos"]
    return photos


def test_a_hint_without_script(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """The first time only a retake is offered; the second time the photo can be used anyway, and the sealed request says so."""
    page = agreed.send_photo(agreed.get("/photos/close-up"), blurred(6))
    assert page.status == 201
    assert "The photo looks blurred" in page.text
    assert "Use it anyway" not in page.text
    assert "Use this photo" not in page.text
    page = agreed.send_photo(agreed.get(page.link("Take it again")), blurred(7))
    assert "The photo looks blurred" in page.text
    assert agreed.submit(page).location == "/photos/close-up-scale"
    agreed.submit(agreed.get("/check"))
    (photo,) = sealed_photos(services, asked)
    assert (photo["hints"], photo["sent_anyway"]) == (["blurred"], True)
    assert photo["quality"]["sharpness"] < services.thresholds.sharpness  # type: ignore[index]


def test_a_hint_blocks_nothing(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """A photo with a hint is durable at once, and part of what is sent even if the patient closes the page there and then."""
    agreed.send_photo(agreed.get("/photos/close-up"), blurred())
    assert [photo.view for photo in photos_of(services, asked)] == ["close-up"]
    agreed.submit(agreed.get("/check"))
    (photo,) = sealed_photos(services, asked)
    assert (photo["hints"], photo["sent_anyway"]) == (["blurred"], False)


def test_a_good_photo_has_no_hint(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """A photo that is good is used with one button, and travels without hints even if the page said “anyway”."""
    page = agreed.get("/photos/close-up")
    page = agreed.submit(page, {"photo": (BytesIO(photo_bytes()), "a.jpg"), "anyway": "1"}, content_type="multipart/form-data")
    assert page.link("Use this photo") == "/photos/close-up-scale"
    agreed.submit(agreed.get("/check"))
    (photo,) = sealed_photos(services, asked)
    assert (photo["hints"], photo["sent_anyway"]) == ([], False)


def test_script_is_told_the_same(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """In JSON each hint has its code and its sentence, again for a repeat; `anyway` is kept with the photo."""
    data = {"csrf_token": agreed.csrf("/photos/close-up"), "photo_id": secrets.token_hex(16), "anyway": "1"}
    for _ in range(2):
        page = agreed.open("POST", "/photos/close-up", data={**data, "photo": (BytesIO(blurred()), "x")}, headers=JSON)
        assert page.status == 201
        (hint,) = page.json["hints"]
        assert hint["code"] == "blurred"
        assert hint["sentence"].startswith("The photo looks blurred. ")
    (photo,) = photos_of(services, asked)
    with services.database.read() as db:
        facts = facts_of(db, photo)
    assert (facts["hints"], facts["sent_anyway"]) == (["blurred"], True)


def test_keeping_is_noted_once(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """The choice is in the audit trail once however often it is sent, with the view and nothing of the photo."""
    photo_id = secrets.token_hex(16)
    accept_photo(services, asked.id, "close-up", photo_id, blurred())
    for _ in range(3):
        keep_photo(services, asked.id, "close-up", photo_id)
    with services.database.read() as db:
        events = audit.list_events(db, asked.practice.id, asked.id)
    kept = [event for event in events if event.action == "photo kept"]
    assert [json.loads(event.facts) for event in kept] == [{"view": "close-up"}]


def test_keeping_what_needs_no_choice(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """A good photo, and one that another has replaced, are left as they are."""
    good, old, new = (secrets.token_hex(16) for _ in range(3))
    accept_photo(services, asked.id, "context", good, photo_bytes())
    accept_photo(services, asked.id, "close-up", old, blurred(6))
    accept_photo(services, asked.id, "close-up", new, blurred(7))
    keep_photo(services, asked.id, "context", good)
    keep_photo(services, asked.id, "close-up", old)
    with services.database.read() as db:
        assert not [event for event in audit.list_events(db, asked.practice.id, asked.id) if event.action == "photo kept"]
        assert [facts_of(db, photo)["sent_anyway"] for photo in photos_of(services, asked)] == [False, False]


@pytest.mark.parametrize(("view", "photo_id"), [("close-up", "0" * 32), ("context", None)])
def test_keeping_what_is_not_there(services: Services, asked: ARequest, view: str, photo_id: str | None) -> None:
    """An unknown photo, or one of another view, is not found."""
    agree_patient(services, asked)
    mine = secrets.token_hex(16)
    accept_photo(services, asked.id, "close-up", mine, blurred())
    with pytest.raises(NotFound):
        keep_photo(services, asked.id, view, photo_id or mine)


def test_keeping_the_photo_of_another(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 28, 29: another patient's photo is not found; another request's form, and one without a token, are refused."""
    other = make_request(services, asked.practice)
    visitor = patient(app, other, agree_patient(services, other))
    theirs = secrets.token_hex(16)
    accept_photo(services, asked.id, "close-up", theirs, blurred())
    token = visitor.csrf("/photos/close-up")
    assert visitor.open("POST", "/photos/close-up/keep", data={"csrf_token": token, "photo_id": theirs}).status == 404
    data = {"csrf_token": token, "photo_id": theirs, "request": asked.id}
    assert visitor.open("POST", "/photos/close-up/keep", data=data).status == 409
    assert agreed.open("POST", "/photos/close-up/keep", data={"photo_id": theirs, "request": asked.id}).status == 400
    (photo,) = photos_of(services, asked)
    with services.database.read() as db:
        assert facts_of(db, photo)["sent_anyway"] is False
