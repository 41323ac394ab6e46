"""What holds for every route of the URL map: SECURITY 23, 28, 29, 31 and 32, and the two surfaces."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from werkzeug.routing import Rule

from capture.actions.save_template import TemplateDraft, save_template
from capture.actions.tokens import issue_token
from capture.actions.webhooks import add_webhook
from capture.services import Services
from capture.store.delivery_list import list_arrived
from capture.store.recipients import list_identities
from capture.web.patient import NO_SESSION
from tests.builders import (
    AMember,
    APractice,
    ARequest,
    agree_patient,
    bundle_of,
    make_invitation,
    make_key_change,
    make_member,
    make_passkey,
    make_practice,
    make_request,
    make_submitted,
    make_unlocker,
)
from tests.web.conftest import app_with, session_of
from tests.web.html import ORIGIN, Page, Visitor, patient, staff

SAFE = {"GET", "HEAD", "OPTIONS"}
UPLOADS = {"patient.send_photo"}
NOT_FOR_MEMBERS = {"api", "callbacks", "patient", "tus", "ops", "static", "sign_in", "joining", "openid"}
"""The blueprints that someone without a staff session may use; every other one is the practice's own."""
FOR_ALL, FOR_PATIENTS = {"ops", "static"}, {"callbacks", "patient", "tus"}
NO_FORMS = {"api", "callbacks"}
"""What programs call with a bearer token instead: test_api.py and test_callbacks.py show that nothing goes without one."""
FOR_STAFF = {"openid", "account", "bundles", "downloads", "joining", "members", "practice", "sign_in", "staff"}
FOR_STAFF |= {"api", "keys", "key_changes", "tokens", "unlockers", "webhooks"}


@dataclass(frozen=True)
class House:
    """A practice with someone signed in, and the ids of all that it has."""

    practice: APractice
    asked: ARequest
    visitor: Visitor
    ids: dict[str, str]


def make_house(app: Flask, services: Services, name: str) -> House:
    practice = make_practice(services, name=name)
    asked = make_request(services, practice)
    make_submitted(services, asked)
    with services.database.read() as db:
        identity = list_identities(db, practice.id)[0].id
    ids = {
        "request_id": asked.id,
        "bundle_id": bundle_of(services, asked).id,
        "recipient_id": identity,
        "name": "request.json.age",
    }
    member = make_member(services, practice)
    ids["practice_id"] = practice.id
    with services.database.read() as db:
        ids["delivery_id"] = list_arrived(db, practice.id, 1)[0].id
    template = TemplateDraft("Mole", "back", "", "lesion", "", 7)
    ids["template_id"] = save_template(services, practice.id, template, actor=member.id)
    ids["passkey_id"] = make_passkey(services, member)
    ids["unlocker_id"] = make_unlocker(services, member, identity)
    ids["change_id"] = make_key_change(services, make_member(services, practice))
    scopes, hook = ["requests:read"], f"https://hooks.example.org/{practice.id}"
    ids["token_id"] = issue_token(services, practice.id, name="EMIS", scopes=scopes, days=7, actor=member.id)[0].id
    ids["webhook_id"] = add_webhook(services, practice.id, hook, actor="operator")[0].id
    ids["member_id"] = make_member(services, practice, role="reader").id
    ids["invitation_id"] = make_invitation(services, practice, member)[0]
    return House(practice, asked, staff(app, session_of(services, member), asked), ids)


def is_staff(endpoint: str) -> bool:
    return endpoint.partition(".")[0] not in NOT_FOR_MEMBERS


@pytest.fixture
def houses(app: Flask, services: Services) -> tuple[House, House]:
    return make_house(app, services, "Elm Surgery"), make_house(app, services, "Oak Surgery")


def rules(app: Flask, *, unsafe: bool) -> Iterator[tuple[Rule, str]]:
    """Each route with each of its methods that read, or that change something."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if (method not in SAFE) == unsafe:
                yield rule, method


def address(app: Flask, rule: Rule, asked: ARequest, ids: dict[str, str]) -> str:
    """The path of a route, with these ids in it."""
    values = {**ids, "token": asked.token, "view_id": "close-up", "photo_id": "0" * 32, "filename": "img/mark.svg"}
    with app.test_request_context():
        return app.url_for(rule.endpoint, **{name: values[name] for name in rule.arguments}, _external=False)


def visitors(app: Flask, services: Services, house: House) -> dict[str, Visitor]:
    """Someone who may use each blueprint, with a token for its forms."""
    asked = make_request(services, house.practice)
    agreed = patient(app, asked, agree_patient(services, asked))
    signed_in = dict.fromkeys([*app.blueprints, "sign_in"], house.visitor)
    return {**signed_in, "patient": agreed, "tus": agreed, "callbacks": Visitor(app), "ops": Visitor(app), "static": Visitor(app)}


@pytest.mark.mass
def test_another_practice_is_not_there(app: Flask, houses: tuple[House, House]) -> None:
    """SECURITY 28: every staff route with an id of another practice answers 404, in the bytes of an id that nobody has."""
    ours, theirs = houses
    token = ours.visitor.csrf("/staff/requests/new")
    tried = []
    for unsafe in (False, True):
        for rule, method in rules(app, unsafe=unsafe):
            if not is_staff(rule.endpoint) or not rule.arguments - {"name"}:
                continue
            data = {"csrf_token": token} if unsafe else None
            nobody = {**dict.fromkeys(ours.ids, "0" * 32), "name": "request.json.age"}
            other, none = (
                ours.visitor.open(method, address(app, rule, ours.asked, ids), data=data) for ids in (theirs.ids, nobody)
            )
            assert (other.status, none.status) == (404, 404), f"{method} {rule}"
            assert other.heading == none.heading == "Page not found"
            found = ours.visitor.open(method, address(app, rule, ours.asked, ours.ids), data=data)
            assert found.status in {200, 303, 409, 410, 422}  # 410: one of the routes has deleted the photos
            tried.append(f"{method} {rule.endpoint}")
    assert set(tried) >= {
        "GET staff.show_request",
        "POST staff.cancel_request",
        "GET bundles.show_bundle",
        "GET bundles.part",
        "GET downloads.one",
        "POST bundles.attached",
        "POST bundles.collected",
        "GET bundles.identity",
    }


def test_staff_routes_need_a_member(app: Flask, houses: tuple[House, House]) -> None:
    """Nobody sees a staff page without having signed in: every route of them leads to the sign-in page."""
    house, stranger = houses[0], Visitor(app)
    token = stranger.csrf("/staff/sign-in")
    for unsafe in (False, True):
        for rule, method in rules(app, unsafe=unsafe):
            if is_staff(rule.endpoint):
                page = stranger.open(
                    method, address(app, rule, house.asked, house.ids), data={"csrf_token": token} if unsafe else None
                )
                assert (page.status, page.location) == (303, "/staff/sign-in"), f"{method} {rule}"


def test_patient_routes_need_a_session(app: Flask, houses: tuple[House, House]) -> None:
    """Nobody sees a patient's page without the date of birth: all but the first look like a link that does not work."""
    house, stranger = houses[0], Visitor(app)
    token = stranger.csrf("/staff/sign-in")
    for unsafe in (False, True):
        for rule, method in rules(app, unsafe=unsafe):
            if rule.endpoint.startswith(("patient.", "tus.")) and rule.endpoint not in NO_SESSION:
                page = stranger.open(
                    method, address(app, rule, house.asked, house.ids), data={"csrf_token": token} if unsafe else None
                )
                told = page.json["error"]["sentence"].rstrip(".") if rule.endpoint.startswith("tus.") else page.heading
                assert (page.status, told) == (404, "This link does not work"), f"{method} {rule}"


FOREIGN: list[tuple[dict[str, str], bool]] = [
    ({}, False),
    ({"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, False),
    ({"Origin": "https://evil.example"}, True),
    ({"Origin": "http://photos.example.org"}, True),
    ({"Origin": "https://photos.example.org.evil.example"}, True),
    ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, True),
    ({"Sec-Fetch-Site": "cross-site"}, True),
    ({"Sec-Fetch-Site": "same-site"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
]
"""What a request says of where it comes from, and whether it has the right token."""


@pytest.mark.mass
def test_forms_of_other_sites(app: Flask, services: Services, houses: tuple[House, House]) -> None:
    """SECURITY 29: every unsafe route refuses a form without its token, from another origin, or that is said to be cross-site."""
    house, people = houses[0], visitors(app, services, houses[0])
    tokens = dict.fromkeys(app.blueprints, house.visitor.csrf("/staff/"))
    tokens["patient"] = tokens["tus"] = people["patient"].csrf("/agree")
    tried = 0
    for rule, method in rules(app, unsafe=True):
        blueprint = rule.endpoint.partition(".")[0]
        for headers, with_token in FOREIGN if blueprint not in NO_FORMS else ():
            data = {"csrf_token": tokens[blueprint]} if with_token else {}
            page = people[blueprint].open(method, address(app, rule, house.asked, house.ids), data=data, headers=headers)
            assert page.status == 400, f"{method} {rule} {headers}"
            tried += 1
    assert tried >= 9 * len(FOREIGN)
    assert house.visitor.get("/staff/").status == 200  # not even signed out


def test_forms_of_our_own(agreed: Visitor) -> None:
    """SECURITY 29: the page's own form goes through, also from browsers that say `Origin: null` or nothing at all."""
    token = agreed.csrf("/agree")
    for headers in ({}, {"Origin": ORIGIN}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, {"Origin": "null"}):
        assert agreed.open("POST", "/agree", data={"csrf_token": token}, headers=headers).status == 422


def test_token_of_another_browser(app: Flask, agreed: Visitor) -> None:
    """SECURITY 29: a token taken from another browser is worth nothing in this one."""
    token = Visitor(app).csrf("/staff/sign-in")
    agreed.get("/agree")
    page = agreed.open("POST", "/agree", data={"csrf_token": token})
    assert page.status == 400
    assert "reload it" in page.text


@pytest.mark.mass
def test_large_bodies(app: Flask, services: Services, houses: tuple[House, House]) -> None:
    """SECURITY 23: every route that takes no photo refuses a body above 64 kB, whatever its kind, with a page that says so."""
    house, people = houses[0], visitors(app, services, houses[0])
    for unsafe in (False, True):
        for rule, method in rules(app, unsafe=unsafe):
            visitor = people[rule.endpoint.partition(".")[0]]
            if rule.endpoint in UPLOADS | {"static"}:
                continue
            path, body = address(app, rule, house.asked, house.ids), b"a=" + b"x" * 65_536
            for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", ""):
                page = visitor.open(method, path, data=body, content_type=kind)
                assert page.status == 413, f"{method} {rule} {kind}"
                assert b"too large" in page.data


@pytest.mark.mass
def test_headers(app: Flask, services: Services, houses: tuple[House, House]) -> None:
    """SECURITY 31 and 32: every answer of every route carries the headers; none that is not a file of ours may be stored."""
    house, people = houses[0], visitors(app, services, houses[0])
    pages: dict[str, Page] = {}
    for unsafe in (False, True):
        for rule, method in rules(app, unsafe=unsafe):
            visitor = people[rule.endpoint.partition(".")[0]]
            pages[f"{method} {rule}"] = visitor.open(method, address(app, rule, house.asked, house.ids))
    pages |= {f"{path}": Visitor(app).get(path) for path in ("/nothing-here", "/r/unknown", "/healthz", "/staff/requests/x")}
    pages["PUT"] = Visitor(app).open("DELETE", "/")
    assert {page.status for page in pages.values()} >= {200, 303, 400, 404, 405}
    for name, page in pages.items():
        headers = page.headers
        assert headers["X-Content-Type-Options"] == "nosniff", name
        assert headers["Referrer-Policy"] == "no-referrer", name
        assert headers["X-Frame-Options"] == "DENY", name
        assert headers["X-Robots-Tag"] == "noindex, nofollow", name
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert "Server" not in headers
        if "/static/" not in name:
            assert headers["Cache-Control"] == "no-store", name
            assert headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains", name
            policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'", name
            assert policy["form-action"] == "'self'", name
            assert "unsafe" not in headers["Content-Security-Policy"], name


@pytest.mark.mass
def test_redirects_are_local(app: Flask, services: Services, houses: tuple[House, House]) -> None:
    """SECURITY 31: wherever a route sends someone, it is a path of this service, whatever the address asks for."""
    house, people = houses[0], visitors(app, services, houses[0])
    asking = "?next=https://evil.example&url=//evil.example&redirect_to=https://evil.example"
    for visitor in (house.visitor, people["patient"], Visitor(app)):
        for rule, method in rules(app, unsafe=False):
            page = visitor.open(method, address(app, rule, house.asked, house.ids).partition("?")[0] + asking)
            if 300 <= page.status < 400:
                assert page.location.startswith("/"), f"{method} {rule}"
                assert "evil" not in page.location


def test_nonce_is_new_each_time(visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 31: two answers never carry the same nonce."""
    policies = {visitor.get(asked.path).headers["Content-Security-Policy"] for _ in range(5)}
    assert len(policies) == 5


@pytest.mark.parametrize(
    ("surface", "there", "not_there"),
    [
        ("patient", {*FOR_ALL, *FOR_PATIENTS}, FOR_STAFF),
        ("staff", {*FOR_ALL, *FOR_STAFF}, FOR_PATIENTS),
        ("both", {*FOR_ALL, *FOR_PATIENTS, *FOR_STAFF}, set()),
    ],
)
def test_surfaces(services: Services, member: AMember, asked: ARequest, surface: str, there: set[str], not_there: set[str]) -> None:
    """A face that runs apart has none of the other's routes, and cookies of the one are nothing to the other."""
    app = app_with(services, surface=surface)
    assert {rule.endpoint.partition(".")[0] for rule in app.url_map.iter_rules()} == there
    anyone = staff(app, session_of(services, member), asked)
    paths = {"staff": "/staff/", "sign_in": "/staff/sign-in", "account": "/staff/account", "patient": asked.path}
    for blueprint, path in paths.items():
        page = anyone.get(path)
        assert page.status == (404 if blueprint in not_there else 200)
        assert blueprint not in not_there or page.heading == "Page not found"
    assert anyone.get("/").status == anyone.get("/healthz").status == 200
