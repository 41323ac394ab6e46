"""What must hold for a link: SECURITY 1 to 9, 13 and 14."""

import re
import sqlite3
from datetime import timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters
from flask import Flask
from limits import parse

from capture.actions.cancel import cancel
from capture.actions.expire import expire_due
from capture.domain.links import new_token
from capture.services import Services
from capture.store.models import Request
from capture.store.vault import Vault
from capture.web.limits import ADDRESS_RATE
from tests.builders import (
    VIEWS,
    ARequest,
    agree_patient,
    confirm_patient,
    make_practice,
    make_request,
    make_submitted,
    photo_bytes,
    photos_of,
)
from tests.conftest import Clock
from tests.web.conftest import app_with
from tests.web.html import ORIGIN, Page, Visitor, patient
from tests.web.test_patient import agree_to_all

AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)",
    "WhatsApp/2.24",
    "Mozilla/5.0 (compatible; SafeLinks)",
    "facebookexternalhit/1.1",
    "curl/8.5",
    "",
)


def dump(services: Services) -> list[str]:
    """The whole database as SQL."""
    connection = sqlite3.connect(services.settings.var / "capture.db")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def request_of(services: Services, asked: ARequest) -> Request:
    with services.database.read() as db:
        return db.get_one(Request, asked.id)


def without_nonce(page: Page) -> tuple[int, bytes, list[tuple[str, str]]]:
    """The answer as bytes and headers, with only the nonce made the same."""
    found = re.search(r"'nonce-([^']+)'", page.headers["Content-Security-Policy"])
    assert found
    headers = [(name, text.replace(found[1], "NONCE")) for name, text in page.headers]
    return page.status, page.data.replace(found[1].encode(), b"NONCE"), headers


def test_looking_changes_nothing(services: Services, visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 1: GET, HEAD, OPTIONS and an empty POST leave the whole database as it was, whatever the user agent."""
    token = visitor.csrf(asked.path)
    before = dump(services)
    for agent in AGENTS:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert visitor.open(method, asked.path, headers={"User-Agent": agent}).status == 200
        assert visitor.open("POST", asked.path, headers={"User-Agent": agent}).status == 400
        empty = visitor.open("POST", asked.path, data={"csrf_token": token}, headers={"User-Agent": agent})
        assert (empty.status, empty.errors) == (422, {"dob": "Enter the date of birth"})
    assert dump(services) == before
    assert visitor.submit(visitor.get(asked.path), asked.form).status == 303


def test_looking_changes_nothing_later_either(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 1: nor does looking at any page of the journey, once inside."""
    before = dump(services)
    for path in ("/photos", "/agree", "/photos/close-up", "/check", "/sent"):
        for method in ("GET", "HEAD", "OPTIONS"):
            assert agreed.open(method, path).status < 400
    assert dump(services) == before


def test_first_page_tells_nothing(visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 2: the first page holds the practice's name and nothing of the patient or of what was asked."""
    text = visitor.get(asked.path).data.decode()
    assert asked.practice.name in text
    for secret in (*asked.private, asked.receipt, asked.id, str(asked.born.year), "forearm", "lesion", "Okafor"):
        assert secret not in text


def test_links_that_do_not_work_look_the_same(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 2: unknown, malformed, spent, cancelled and locked links get the same bytes, headers and status, on GET and POST."""
    submitted, cancelled, locked, elsewhere = (make_request(services, asked.practice) for _ in range(4))
    make_submitted(services, submitted)
    cancel(services, cancelled.practice.id, cancelled.id, actor="operator")
    gone = make_request(services, make_practice(services, name="Oak Surgery"))
    cancel(services, gone.practice.id, gone.id, actor="operator")
    with services.database.write() as db:
        db.get_one(Request, locked.id).state = "locked"
    paths = [one.path for one in (submitted, cancelled, locked, gone)]
    paths += [f"/r/{token}" for token in (new_token(), "x", "%00", "%F0%9F%92%A9", "a" * 500, elsewhere.token[:-1])]
    for method in ("GET", "POST"):
        answers = []
        for path in paths:
            stranger = Visitor(app)
            data = {"csrf_token": stranger.csrf(asked.path), **asked.form} if method == "POST" else None
            answers.append(without_nonce(stranger.open(method, path, data=data)))
        assert {status for status, _, _ in answers} == {404}
        assert all(answer == answers[0] for answer in answers)


def test_database_holds_no_token_and_no_date(services: Services, asked: ARequest) -> None:
    """SECURITY 3 and 4: what is stored shows neither the token nor the date of birth, and two equal dates look different."""
    twin = make_request(services, asked.practice)
    text = "\n".join(dump(services))
    assert len(asked.token) == 23
    for secret in (asked.token, asked.born.isoformat(), asked.label, asked.reference):
        assert secret not in text
    hashes = [request_of(services, one).dob_hash for one in (asked, twin)]
    assert all(one.startswith("$argon2id$v=19$") for one in hashes)
    assert hashes[0] != hashes[1]
    assert services.vault.check_secret(hashes[0], asked.born.isoformat(), asked.id)
    assert not services.vault.check_secret(hashes[0], asked.born.isoformat(), twin.id)


def test_hashes_cost_what_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 4: the service itself hashes with 64 MiB, three times over (RFC 9106, second recommended option), and who is not
    there costs the same."""
    monkeypatch.undo()
    vault, compared = Vault(bytes(32)), list[str]()
    stored = vault.hash_secret("1957-08-23")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    monkeypatch.setattr(PasswordHasher, "verify", lambda _self, hashed, _text: compared.append(hashed))
    assert not vault.check_secret(None, "1957-08-23")
    assert extract_parameters(compared[0]) == extract_parameters(stored)
    monkeypatch.undo()
    assert not vault.check_secret(None, "1957-08-23")


def test_guessing(services: Services, visitor: Visitor, asked: ARequest, clock: Clock) -> None:
    """SECURITY 5: five wrong dates, then waits of 1, 5 and 15 minutes; meanwhile not even the right one is looked at."""
    for wrong in range(1, 6):
        page = visitor.submit(visitor.get(asked.path), asked.wrong)
        assert page.status == 422
        assert "does not match" in page.errors["dob"]
        assert ("wrong too many times" in page.text) == (wrong == 5)
    token = visitor.csrf("/r/" + make_request(services, asked.practice).token)
    for minutes in (1, 5, 15, 15):
        waiting = visitor.get(asked.path)
        assert f"Wait {minutes} minute" in waiting.text
        refused = visitor.open("POST", asked.path, data={"csrf_token": token, **asked.form})
        assert refused.status == 429
        assert f"Wait {minutes} minute" in refused.text
        assert refused.headers["Retry-After"] == str(60 * minutes)
        clock.forward(minutes=minutes, seconds=-1)
        assert visitor.open("POST", asked.path, data={"csrf_token": token, **asked.form}).status == 429
        clock.forward(seconds=1)
        assert visitor.submit(visitor.get(asked.path), asked.wrong).status == 422
    clock.forward(minutes=15)
    assert visitor.submit(visitor.get(asked.path), asked.form).location == "/photos"


def test_twenty_wrong_dates_close_the_link(
    services: Services, visitor: Visitor, desk: Visitor, asked: ARequest, clock: Clock
) -> None:
    """SECURITY 5: after twenty wrong dates the link is closed for everyone, and the practice sees it."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).guesses = 18
    visitor.submit(visitor.get(asked.path), asked.wrong)
    assert "Locked" not in desk.get(f"/staff/requests/{asked.id}").text
    clock.forward(minutes=15)
    token = visitor.get(asked.path).form()[1]["csrf_token"]
    assert visitor.submit(visitor.get(asked.path), asked.wrong).status == 422
    clock.forward(days=1)
    assert visitor.get(asked.path).status == 404
    assert visitor.open("POST", asked.path, data={"csrf_token": token, **asked.form}).status == 404


def test_practice_sees_that_a_link_is_locked(services: Services, visitor: Visitor, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 5: staff are told in the list and in what happened."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).guesses = 19
    visitor.submit(visitor.get(asked.path), asked.wrong)
    assert "Locked: wrong date of birth" in desk.get("/staff/").text
    assert "Link locked after 20 wrong dates of birth" in desk.get(f"/staff/requests/{asked.id}").text


def test_right_date_is_not_counted(services: Services, app: Flask, asked: ARequest) -> None:
    """SECURITY 5: coming back ten times with the right date uses up no guess."""
    for _ in range(6):
        confirm_patient(services, asked)
    assert request_of(services, asked).guesses == 0
    assert patient(app, asked).get(asked.path).status == 200


def test_guessing_leaves_the_patient_alone(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 5: a session that has confirmed goes on while someone else guesses."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).guesses = 4
    stranger = patient(app, asked)
    stranger.submit(stranger.get(asked.path), asked.wrong)
    assert "wrong too many times" in stranger.get(asked.path).text
    assert agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes()).status == 201


def test_limits_are_per_link(services: Services, visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 5: wrong dates on one link make no other link wait, from the same address or not."""
    other = make_request(services, asked.practice)
    for _ in range(5):
        visitor.submit(visitor.get(asked.path), asked.wrong)
    assert "wrong too many times" in visitor.get(asked.path).text
    assert visitor.submit(visitor.get(other.path), other.form).location == "/photos"


def test_300_patients_behind_one_address(visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 5: the pages of 300 patients, if all came in one minute from one address, stay under what an address may ask for."""
    page = visitor.follow(visitor.submit(visitor.get(asked.path), asked.form))
    agree_to_all(visitor, page)
    for view in VIEWS:
        visitor.send_photo(visitor.get(f"/photos/{view}"), photo_bytes())
    assert visitor.follow(visitor.submit(visitor.get("/check"))).heading == "Photos sent"
    rate = parse(ADDRESS_RATE)
    assert rate.get_expiry() == 60
    assert 300 * visitor.count <= rate.amount


def test_address_bar_and_cookie(visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 6: after the date of birth no address holds the token, the cookie is a __Host- one, nothing is kept or told on."""
    page = visitor.submit(visitor.get(asked.path), asked.form)
    assert page.location == "/photos"
    (cookie,) = (one for one in page.headers.getlist("Set-Cookie") if one.startswith("__Host-patient="))
    assert set(cookie.split("; ")[1:]) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    for path in (asked.path, "/agree", "/photos"):
        shown = visitor.get(path)
        assert shown.headers["Cache-Control"] == "no-store"
        assert shown.headers["Referrer-Policy"] == "no-referrer"
        assert shown.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert asked.token not in visitor.follow(page).data.decode()


def test_every_cookie_is_a_host_cookie(visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 6: the cookie of the forms is one, too."""
    cookies = visitor.get(asked.path).headers.getlist("Set-Cookie")
    assert [one.partition("=")[0] for one in cookies] == ["__Host-form"]
    assert set(cookies[0].split("; ")[1:]) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}


def test_cookies_without_tls(services: Services, asked: ARequest) -> None:
    """On this machine itself, without TLS, the cookies are plain ones, so that every browser keeps them."""
    client = app_with(services, origin="http://127.0.0.1:8000").test_client()
    answer = client.get(asked.path, base_url="http://127.0.0.1:8000")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("form=")
    assert "Secure" not in cookie
    assert "Strict-Transport-Security" not in answer.headers


def test_another_browser_goes_on(app: Flask, services: Services, agreed: Visitor, asked: ARequest) -> None:
    """SECURITY 8: opening the link again in another browser leads to the photos, with those done that have arrived."""
    agreed.send_photo(agreed.get("/photos/context"), photo_bytes("context"))
    other = patient(app, asked)
    page = other.follow(other.submit(other.get(asked.path), asked.form))
    assert page.heading == "Your photos"
    assert [page.text.count(words) for words in ("Arrived", "Not taken yet")] == [1, 2]
    assert agreed.get("/photos").status == 200


def test_finishing_after_the_expiry(app: Flask, services: Services, agreed: Visitor, asked: ARequest, clock: Clock) -> None:
    """SECURITY 13: who has confirmed may finish for 30 minutes past the expiry; nobody comes in anew, and is told whom to phone."""
    stranger = patient(app, asked)
    form = stranger.get(asked.path)
    clock.time += timedelta(days=7)
    assert agreed.get("/photos").status == 404  # idle for too long: the session is over, like the link
    for page in (stranger.get(asked.path), stranger.submit(form, asked.form)):
        assert page.status == 410
        assert asked.practice.phone in page.text


def test_grace(app: Flask, services: Services, asked: ARequest, clock: Clock) -> None:
    """SECURITY 13: to the second, for photos and for sending."""
    clock.forward(days=6, hours=23)
    agreed = patient(app, asked, agree_patient(services, asked))
    form = agreed.get("/photos/close-up")
    clock.forward(minutes=89, seconds=59)
    assert agreed.send_photo(form, photo_bytes()).status == 201
    check = agreed.get("/check")
    clock.forward(seconds=1)
    for page in (agreed.get("/photos"), agreed.submit(check), agreed.send_photo(form, photo_bytes("context"))):
        assert page.status == 410
        assert asked.practice.phone in page.text
    assert len(photos_of(services, asked)) == 1
    clock.forward(seconds=-1)
    assert agreed.submit(check).location == "/sent"
    clock.forward(hours=1)
    assert agreed.get("/sent").heading == "Photos sent"


@pytest.mark.parametrize("proxies", [0, 1])
def test_host_is_not_believed(services: Services, desk: Visitor, asked: ARequest, proxies: int) -> None:
    """SECURITY 14: a link is made of the configured origin, whatever Host or X-Forwarded-Host say; no answer repeats them."""
    app = app_with(services, trusted_proxies=proxies)
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}
    client = app.test_client()
    for path in ("/", asked.path, "/staff", "/staff/", "/r//x", "/.well-known/security.txt", "/photos"):
        answer = client.get(path, base_url="https://evil.example", headers=headers)
        assert "evil.example" not in answer.get_data(as_text=True) + str(answer.headers), path
    staffed = Visitor(app)
    staffed.set_cookie("staff", desk.cookie("staff") or "")
    form = staffed.get("/staff/requests/new")
    page = staffed.submit(
        form,
        {"label": "A", **asked.form, "site": "scalp", "protocol": "lesion", "days": "7"},
        environ_overrides={f"HTTP_{name.upper().replace('-', '_')}": text for name, text in headers.items()},
    )
    assert page.status == 201
    assert page.find("input", id="link").get("value", "").startswith(f"{ORIGIN}/r/")


def test_twenty_wrong_dates_do_not_shut_the_patient_out(
    app: Flask, services: Services, agreed: Visitor, desk: Visitor, asked: ARequest
) -> None:
    """SECURITY 5: the twentieth wrong date closes the link and tells staff; who has confirmed already still finishes."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).guesses = 19
    stranger = patient(app, asked)
    assert stranger.submit(stranger.get(asked.path), asked.wrong).status == 422
    assert stranger.get(asked.path).status == 404
    assert "Link locked after 20 wrong dates of birth" in desk.get(f"/staff/requests/{asked.id}").text
    assert agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes()).status == 201


def test_no_expired_link_lives_again(services: Services, visitor: Visitor, asked: ARequest, clock: Clock) -> None:
    """Once the time of a link is over it stays over, even if the clock is then set back forty days."""
    clock.forward(days=7, minutes=31)
    assert expire_due(services) == 1
    assert expire_due(services) == 0
    clock.forward(days=-40)
    page = visitor.get(asked.path)
    assert page.status == 410
    assert asked.practice.phone in page.text


def test_expiry_waits_for_who_may_still_finish(app: Flask, services: Services, asked: ARequest, clock: Clock) -> None:
    """SECURITY 13: the half hour that a confirmed session has left is not cut short."""
    clock.forward(days=7, minutes=-1)
    agreed = patient(app, asked, agree_patient(services, asked))
    clock.forward(minutes=30)
    assert expire_due(services) == 0
    assert agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes()).status == 201
    clock.forward(minutes=2)
    assert expire_due(services) == 1
    assert agreed.get("/photos").status == 410


def test_two_links_in_one_browser_do_not_mix(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """A form of one patient's pages is refused once another patient's link was opened: no photo reaches the wrong one."""
    page = agreed.get("/photos/close-up")
    other = make_request(services, asked.practice)
    agreed.set_cookie("patient", agree_patient(services, other))
    refused = agreed.send_photo(page, photo_bytes())
    assert refused.status == 409
    assert "Another link was opened in this browser" in refused.text
    assert photos_of(services, asked) == photos_of(services, other) == []
