"""After the sending: the receipt, for weeks, in the browser that sent; nowhere else and nothing else."""

import pytest
from flask import Flask

from capture.actions.collect import collect
from capture.actions.deliver import deliver_next
from capture.services import Services
from capture.store.sessions import start_session
from tests.builders import ARequest, agree_patient, bundle_of, make_request, photo_bytes
from tests.conftest import Clock
from tests.web.html import Page, Visitor, patient


@pytest.fixture
def sent(agreed: Visitor) -> Visitor:
    """A browser from which a photo was sent."""
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes())
    assert agreed.follow(agreed.submit(agreed.get("/check"))).heading == "Photos sent"
    return agreed


def cookie_of(page: Page) -> set[str]:
    (cookie,) = (one for one in page.headers.getlist("Set-Cookie") if one.startswith("__Host-patient="))
    return set(cookie.split("; ")[1:])


def test_what_the_receipt_says(sent: Visitor, asked: ARequest) -> None:
    """The code that staff see too, what happens next, whom to call, and how to remove the photos from phone and cloud."""
    text = sent.get("/sent").text
    for said in (
        asked.receipt,
        "1 photo was sent",
        "2 working days",
        asked.practice.phone,
        "Recently Deleted",
        "iCloud",
        "the Bin",
        "111",
    ):
        assert said in text, said
    assert "collected" not in text


def test_the_spent_link_leads_to_the_receipt_here_alone(app: Flask, sent: Visitor, asked: ARequest, clock: Clock) -> None:
    """SECURITY 2 and 6: for 28 days the link leads to the receipt in the browser that sent; anyone else gets the usual 404."""
    assert sent.follow(sent.get(asked.path)).heading == "Photos sent"
    stranger, unknown = patient(app, asked), "/r/" + asked.token[::-1]
    assert stranger.get(asked.path).status == stranger.get(unknown).status == sent.get(unknown).status == 404
    assert "Max-Age=2419200" in cookie_of(sent.get("/sent"))
    clock.forward(days=27, hours=23)
    page = sent.follow(sent.get(asked.path))
    assert page.heading == "Photos sent"
    assert "Max-Age=3600" in cookie_of(page)
    clock.forward(hours=1)
    assert sent.get("/sent").status == sent.get(asked.path).status == 404


def test_another_link_in_that_browser(app: Flask, services: Services, sent: Visitor, asked: ARequest) -> None:
    """The receipt of one request opens nothing of another: its link asks for the date of birth as ever."""
    other = make_request(services, asked.practice)
    assert sent.get(other.path).heading == "Send photos to your GP practice"


def test_nothing_else_works(sent: Visitor, services: Services, asked: ARequest) -> None:
    """With a receipt every page leads to it; a form is refused, sending again gives the receipt again (SECURITY 10)."""
    token = sent.csrf(make_request(services, asked.practice).path)
    for path in ("/agree", "/photos", "/photos/close-up", "/photos/close-up/cannot", "/check", "/another-phone"):
        assert sent.get(path).location == "/sent"
    for path in ("/agree", "/photos/close-up", "/photos/close-up/cannot", "/another-phone"):
        refused = sent.open("POST", path, data={"csrf_token": token})
        assert refused.status == 409
        assert "have been sent" in refused.text
    assert sent.open("POST", "/check", data={"csrf_token": token}).location == "/sent"


def test_every_browser_of_the_request_sees_it(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """Another browser that was in the same request is led to the receipt as well, and can add nothing."""
    other = patient(app, asked, agree_patient(services, asked))
    form = other.get("/photos/context")
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes())
    agreed.submit(agreed.get("/check"))
    assert other.follow(other.get("/photos")).heading == "Photos sent"
    assert other.send_photo(form, photo_bytes("context")).status == 409


def test_a_page_that_was_asked_for_while_the_photos_were_sent(
    app: Flask, services: Services, sent: Visitor, asked: ARequest
) -> None:
    """A session that is still a patient's when its request is sent leads to the receipt too, and takes nothing."""
    assert sent.get("/sent").status == 200
    with services.database.write() as db:
        late = patient(app, asked, start_session(db, "patient", now=services.clock(), request_id=asked.id))
    for path in ("/photos", "/photos/close-up", "/check", "/another-phone"):
        assert late.get(path).location == "/sent"
    assert late.get("/sent").heading == "Photos sent"
    assert late.get("/agree").status == 409


def test_collected(services: Services, sent: Visitor, asked: ARequest, clock: Clock) -> None:
    """Once the practice has opened the photos, a later visit says when."""
    assert deliver_next(services)
    clock.forward(days=1)
    collect(services, asked.practice.id, bundle_of(services, asked).id, actor="operator")
    clock.forward(days=1)
    assert "collected the photos on 23 November 2026" in sent.get("/sent").text
