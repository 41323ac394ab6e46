"""What the pages tell the script that sends photos, and what it tells them: a photo that waits on the phone counts as taken."""

import json
from xml.etree.ElementTree import Element

from capture.services import Services
from tests.builders import ARequest, agree_patient, confirm_patient, photo_bytes, photos_of
from tests.web.html import Page, Visitor

WAITING = {"X-Waiting": "context,close-up,elsewhere"}


def sending(page: Page) -> Element:
    return page.find("div", id="sending")


def test_the_key_is_for_the_confirmed_who_agreed(services: Services, visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 8: the key for what waits on the phone is in the journey's pages, not before the agreement nor after the end."""
    assert b"data-key" not in visitor.get(asked.path).data
    visitor.set_cookie("patient", confirm_patient(services, asked))
    assert b"data-key" not in visitor.follow(visitor.get("/photos")).data
    visitor.set_cookie("patient", agree_patient(services, asked))
    key = sending(visitor.get("/photos")).get("data-key")
    assert key
    assert len(key) == 43
    assert sending(visitor.get("/photos/close-up")).get("data-key") == key
    visitor.send_photo(visitor.get("/photos/context"), photo_bytes())
    visitor.submit(visitor.get("/check"))
    assert key.encode() not in visitor.get("/sent").data


def test_views_tell_when_they_arrived(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """Each view has its address, its title and when its photo arrived, so that an older one from a phone does not replace it."""
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes())
    place = sending(agreed.get("/photos"))
    views = {view["id"]: view for view in json.loads(place.get("data-views") or "")}
    (photo,) = photos_of(services, asked)
    assert views["close-up"]["arrived"] == round(photo.arrived_at.timestamp() * 1000)
    assert views["context"] == {
        "id": "context",
        "title": "From further away",
        "url": "/photos/context",
        "arrived": 0,
        "asked": True,
        "extra": False,
    }
    assert views["more-1"]["extra"]
    assert not views["more-1"]["asked"]
    assert (place.get("data-total"), place.get("data-check")) == ("3", "/check")


def test_what_waits_on_the_phone_counts_as_taken(agreed: Visitor) -> None:
    """The list and the check page say the same whatever the signal, once the script has named what waits; nothing else changes."""
    page = agreed.get("/photos", headers=WAITING)
    assert "You have taken 2 of 3 photos." in page.text
    assert page.text.count("Waiting") == 2
    assert page.link("Take the next photo") == "/photos/close-up-scale"
    assert agreed.get("/check", headers=WAITING).heading == "Check and send"
    assert "You have already taken this photo" in agreed.get("/photos/context", headers=WAITING).text
    assert agreed.get("/check").location == "/photos"
    assert "Not taken yet" in agreed.get("/photos").text
