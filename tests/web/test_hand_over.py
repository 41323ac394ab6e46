"""“Continue on another phone”: a code that works once, for 15 minutes, and tells nothing."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from capture.actions.cancel import cancel
from capture.actions.expire import expire_due
from capture.actions.hand_over import offer, take_over
from capture.domain.links import new_token
from capture.errors import LinkClosed
from capture.sealing.age import open_sealed
from capture.services import Services
from capture.store.audit import list_events
from capture.store.models import Request, SessionRow
from tests.builders import ARequest, agree_patient, bundle_of, confirm_patient, make_request, photo_bytes, photos_of
from tests.conftest import Clock
from tests.web.html import ORIGIN, Page, Visitor, patient


def make_code(visitor: Visitor) -> str:
    """The path of a new code."""
    page = visitor.submit(visitor.get("/another-phone"))
    assert page.status == 201
    assert len(page.find("div", role="img")) == 1
    (path,) = re.findall(re.escape(ORIGIN) + r"(/h/\w{23})\b", page.text)
    return str(path)


def bare(page: Page) -> tuple[int, bytes]:
    """An answer without what differs each time."""
    return page.status, re.sub(rb'(nonce|name="csrf_token" value)="[^"]*"', b"", page.data)


def test_another_phone_goes_on(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 6: the other phone presses a button, is in the same request with no token in its address, and sends both photos."""
    agreed.send_photo(agreed.get("/photos/context"), photo_bytes("context"))
    other = patient(app, asked)
    page = other.get(make_code(agreed))
    assert page.heading == "Help with photos for the GP"
    joined = other.submit(page)
    assert (joined.status, joined.location) == (303, "/photos")
    (cookie,) = (one for one in joined.headers.getlist("Set-Cookie") if one.startswith("__Host-patient="))
    assert set(cookie.split("; ")[1:]) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    assert other.follow(joined).heading == "Your photos"
    other.send_photo(other.get("/photos/close-up"), photo_bytes())
    assert agreed.get("/photos").status == 200
    assert b"data:image" not in other.get("/photos/context").data
    assert other.follow(other.submit(other.get("/check"))).heading == "Photos sent"
    assert agreed.follow(agreed.get("/photos")).heading == "Photos sent"
    request = json.loads(open_sealed(bundle_of(services, asked).request_part, [asked.practice.identity]))
    assert request["answers"]["another phone"] == "handed over to another phone"
    assert [photo["view"] for photo in request["photos"]] == ["context", "close-up"]
    with services.database.read() as db:
        told = [event.action for event in list_events(db, asked.practice.id, asked.id)]
    assert [one for one in told if "another" in one] == ["another phone asked", "another phone joined"]


def test_the_page_tells_nothing(app: Flask, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 2: the page behind a code names the practice at most: nothing of the patient or of what was asked."""
    text = patient(app, asked).get(make_code(agreed)).data.decode()
    for secret in (*asked.private, asked.receipt, asked.id, str(asked.born.year), "forearm", "lesion", "Okafor", "close-up"):
        assert secret not in text


def test_looking_changes_nothing(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 1: GET, HEAD, OPTIONS and an empty POST do not use the code up, whoever previews it."""
    path = make_code(agreed)
    other = patient(app, asked)
    token = other.get(path).form()[1]["csrf_token"][0]
    before = sessions(services)
    for method, agent in (("GET", "WhatsApp/2"), ("HEAD", "Slackbot"), ("OPTIONS", "curl"), ("POST", "bot")):
        other.open(method, path, headers={"User-Agent": agent})
    assert other.open("POST", path, data={"csrf_token": token}).status == 200
    assert sessions(services) == before
    assert other.submit(other.get(path)).location == "/photos"


def test_codes_that_do_not_work_look_the_same(
    app: Flask, services: Services, agreed: Visitor, asked: ARequest, clock: Clock
) -> None:
    """SECURITY 2: unknown, malformed, used, replaced, late and cancelled codes, and links of requests, get the same answer."""
    used, cancelled, late = make_code(agreed), make_request(services, asked.practice), make_request(services, asked.practice)
    take_over(services, used.removeprefix("/h/"))
    replaced = make_code(agreed)
    make_code(agreed)
    tokens = []
    for one in (cancelled, late):
        agree_patient(services, one)
        tokens.append(offer(services, one.id).link.rpartition("/")[2])
    cancel(services, asked.practice.id, cancelled.id, actor="operator")
    clock.forward(minutes=15)
    paths = [used, replaced, *(f"/h/{token}" for token in (*tokens, new_token(), "x", "%F0%9F%92%A9", "a" * 500, asked.token))]
    stranger = Visitor(app)
    token = stranger.csrf(make_request(services, asked.practice).path)
    for method, data in (("GET", None), ("POST", {"csrf_token": token}), ("POST", {"csrf_token": token, "continue": "yes"})):
        answers = [bare(stranger.open(method, path, data=data)) for path in paths]
        assert answers[0][0] == 404
        assert all(answer == answers[0] for answer in answers)


def test_a_code_is_kept_as_a_hash(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 3: what is stored does not show the token, and the next code takes its place."""
    path = make_code(agreed)
    assert len(path.removeprefix("/h/")) == 23
    with services.database.read() as db:
        first = db.get_one(Request, asked.id).hand_over_hash
    assert first
    assert len(first) == 64
    assert path.removeprefix("/h/") not in first
    make_code(agreed)
    with services.database.read() as db:
        assert db.get_one(Request, asked.id).hand_over_hash != first


def test_fifteen_minutes(app: Flask, services: Services, agreed: Visitor, asked: ARequest, clock: Clock) -> None:
    """A code works to the last second of 15 minutes; swept away then, it does not come back when the clock is set back."""
    path = make_code(agreed)
    clock.forward(minutes=14, seconds=59)
    assert patient(app, asked).get(path).status == 200
    clock.forward(seconds=1)
    other = patient(app, asked)
    assert other.get(path).status == 404
    clock.forward(seconds=1)
    expire_due(services)
    clock.forward(days=-40)
    assert other.get(path).status == 404


def test_a_code_works_once_even_for_two_at_once(services: Services, asked: ARequest) -> None:
    """Of eight phones that press the button at the same moment one gets in."""
    agree_patient(services, asked)
    token = offer(services, asked.id).link.rpartition("/")[2]

    def press(_number: int) -> bool:
        try:
            return bool(take_over(services, token))
        except LinkClosed:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(press, range(8))) == [False] * 7 + [True]


def test_nobody_new_comes_in_after_the_expiry(app: Flask, services: Services, asked: ARequest, clock: Clock) -> None:
    """SECURITY 13: a code ends with the link; in the half hour after it who is in may finish, and hand over no more."""
    clock.forward(days=6, hours=23, minutes=50)
    agreed = patient(app, asked, agree_patient(services, asked))
    page = agreed.submit(agreed.get("/another-phone"))
    assert "for 10 minutes" in page.text
    clock.forward(minutes=10)
    refused = agreed.submit(agreed.get("/another-phone"))
    assert refused.status == 409
    assert "Finish on this one" in refused.text
    assert agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes()).status == 201


def test_it_ends_with_the_sessions_of_the_request(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """Cancelling ends the other phone's session like the first one's; after the sending no code works."""
    other = patient(app, asked)
    other.submit(other.get(make_code(agreed)))
    path = make_code(agreed)
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes())
    agreed.submit(agreed.get("/check"))
    assert patient(app, asked).get(path).status == 404
    another = make_request(services, asked.practice)
    first, second = patient(app, another, agree_patient(services, another)), patient(app, another)
    second.submit(second.get(make_code(first)))
    cancel(services, another.practice.id, another.id, actor="operator")
    assert first.get("/photos").status == second.get("/photos").status == 404
    assert photos_of(services, another) == []


@pytest.mark.parametrize("path", ["/another-phone", "/photos/close-up/cannot"])
def test_first_the_agreement(app: Flask, services: Services, asked: ARequest, path: str) -> None:
    """Before the agreement there is nothing to hand over and nothing to skip."""
    visitor = patient(app, asked, confirm_patient(services, asked))
    token = visitor.csrf("/agree")
    assert visitor.get(path).location == "/agree"
    assert visitor.open("POST", path, data={"csrf_token": token, "reason": "hurts"}).status in {303, 403}
    with services.database.read() as db:
        assert db.get_one(Request, asked.id).hand_over_hash is None


def sessions(services: Services) -> int:
    with services.database.read() as db:
        return db.query(SessionRow).count()


def test_the_session_lives_as_any_other(app: Flask, services: Services, agreed: Visitor, asked: ARequest, clock: Clock) -> None:
    """The other phone's session is a patient's: it ends when it was not used for 12 hours."""
    other = patient(app, asked)
    other.submit(other.get(make_code(agreed)))
    clock.forward(hours=11, minutes=59)
    assert other.get("/photos").status == 200
    clock.time += timedelta(hours=12)
    assert other.get("/photos").status == 404
