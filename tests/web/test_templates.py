"""Every template compiles and renders, with an error at each field; and the checks of tests.web.html find what they are for."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, render_template
from html5lib.html5parser import ParseError

from capture.app import SERVICE_NAME
from capture.demo import make_demo
from capture.domain.protocols import View
from capture.services import Services
from capture.settings import ROOT
from tests.conftest import Clock
from tests.web.html import Visitor, check, parse

TEMPLATES = sorted(str(path.relative_to(ROOT / "templates")) for path in (ROOT / "templates").rglob("*.jinja"))
PARTS = {
    "base.jinja",
    "phone.jinja",
    "staff/body.jinja",
    "staff/key_banner.jinja",
    "staff/keys_parts.jinja",
    "staff/layout.jinja",
    "staff/practice_nav.jinja",
    "staff/reach.jinja",
    "staff/request_photos.jinja",
    "patient/camera.jinja",
    "patient/clear.jinja",
    "patient/hint.jinja",
    "patient/place.jinja",
    "patient/script.jinja",
    "patient/sending.jinja",
    "patient/unclear.jinja",
}
NOW = datetime(2026, 7, 22, 15, 5, tzinfo=UTC)
VIEW = View("close-up", "Close-up", "Short.", "close-up.svg", "20 cm", "Light.", ("Do.",), ("Do not.",), "ring")
ROW: dict[str, Any] = {
    "id": "0" * 32,
    "label": "A",
    "name": "A",
    "done": True,
    "flagged_at": NOW,
    "site_text": "left arm",
    "state_text": "Sent",
    "state_colour": "grey",
    "issued_at": NOW,
    "expires_at": NOW,
    "submitted_at": NOW,
    "photos": 1,
    "receipt": "KX7-P3Q",
    "url": "/staff/requests/1",
    "bundle_url": "/staff/bundles/1",
}
GIVEN: dict[str, Any] = {
    "view": VIEW,
    "tasks": [{"view": VIEW, "done": False, "url": "/photos/close-up"}],
    "done_count": 0,
    "total": 1,
    "sites": [{"name": "scalp", "title": "Scalp", "sides": False, "intimate": False}],
    "protocols": [
        {"name": "rash", "title": "Rash", "summary": "Three photos."},
        {"name": "follow-up", "title": "Follow-up", "summary": "As last time.", "follows": True},
    ],
    "number": 1,
    "photo_id": "0" * 32,
    "max_bytes": 3_400_000,
    "row": ROW,
    "waiting": [ROW],
    "others": [ROW],
    "groups": [{"title": "Waiting for you", "count": 1, "url": "/staff/?show=waiting", "current": False}],
    "paging": {"page": 2, "pages": 3, "newer": "/staff/?page=1", "older": "/staff/?page=3"},
    "case": [ROW],
    "views": [{"id": "close-up", "title": "Close-up"}],
    "timeline": [{"at": NOW, "text": "Something happened"}],
    "expires_at": NOW,
    "link": "https://photos.example.org/r/x",
    "request_url": "/staff/requests/1",
    "order": {
        "bundle": "0" * 32,
        "receipt": "KX7-P3Q",
        "identities": [{"fingerprint": "0000-1111", "url": "/staff/identities/1.age"}],
    },
    "presets": [{"name": "ers", "title": "e-RS", "under": 5_242_880, "files": 0}],
    "days": ["Monday"],
    "languages": [{"code": "en", "name": "English", "english": "English"}, {"code": "cy", "name": "Cymraeg", "english": "Welsh"}],
    "site_text": "left cheek",
    "label": "AB 1957",
    "submitted_at": NOW,
    "sensitive": True,
    "count": 3,
    "state": "collected",
    "zip_url": "/z",
    "next_url": "/check",
    "again_url": "/photos/close-up",
    "statements": [{"id": "use", "text": "I agree."}],
    "reasons": [{"value": "hurts", "text": "It hurts"}],
    "minutes": 15,
    "roles": {"manager": "Manager"},
    "fresh": True,
    "member": {"name": "Ada", "email": "ada@practice.example", "password_hash": "x"},
    "can_add": True,
    "expiry": (1, 7),
    "scopes": {"requests:read": "List requests"},
    "lifetimes": {"365": "1 year"},
    "tokens": [{"id": "0" * 32, "name": "EMIS", "scopes": ["List"], "state": "live", "created_at": NOW, "expires_at": NOW}],
    "made": {"name": "EMIS", "expires_at": NOW},
    "webhooks": [{"row": {"id": "0" * 32, "url": "https://hooks.example.org/"}, "events": [{"at": NOW, "text": "Sent"}]}],
    "step": 5,
    "change": {"proposed_by": "Sam", "proposed_at": NOW},
    "channels": {"sms", "email"},
    "remind_days": 3,
    "kept_days": 30,
    "kept_until": NOW,
    "queued": ["Text queued"],
    "status": 404,
    "sentence": "There is nothing at this address.",
}
WHEN = ["wait_hours", "remind_days", "keep_attached_days", "keep_collected_days", "notice_email"]
PHOTOS = ["site", "side", "protocol", "message", "days"]
FIELDS = {
    "patient/start.jinja": ["dob"],
    "patient/agree.jinja": ["who", "relation", "agree", "helper"],
    "patient/cannot.jinja": ["reason", "words"],
    "patient/photo.jinja": ["photo"],
    "patient/check.jinja": ["note"],
    "staff/sign_in.jinja": ["email", "password"],
    "staff/sign_in_code.jinja": ["code"],
    "staff/account.jinja": ["name", "old", "new"],
    "staff/account_app.jinja": ["code"],
    "staff/keys_change.jinja": ["compared"],
    "staff/tokens.jinja": ["name", "scopes", "days"],
    "staff/join_set_up.jinja": ["name", "password", "code"],
    "staff/ask_again.jinja": ["views", "reason", "days"],
    "staff/audit.jinja": ["receipt", "since", "until"],
    "staff/members.jinja": ["email", "role"],
    "staff/practice.jinja": ["name", "logo_text", "phone", "opens_0", "language", "protocol", "preset", *WHEN],
    "staff/request_new.jinja": ["label", "dob", "phone", "email", "reference", "nhs_number", *PHOTOS, "follows"],
    "staff/request_templates.jinja": ["name", *PHOTOS],
}
"""The fields of each form; a template that shows errors and is not here fails the first test."""


def render(app: Flask, template: str, **given: Any) -> SimpleNamespace:
    """A template as it is shown to someone, as far as `check` looks at it."""
    with app.test_request_context("/path"):
        text = render_template(template, **{**GIVEN, **given})
        headers = app.process_response(app.make_response(text)).headers
    tree = parse(text.encode())
    return SimpleNamespace(tree=tree, text=text, headers=headers)


@pytest.mark.mass
@pytest.mark.parametrize("template", TEMPLATES)
def test_compiles(app: Flask, template: str) -> None:
    """Each template compiles, and shows errors only if this file knows its fields."""
    assert app.jinja_env.get_template(template)
    text = (ROOT / "templates" / template).read_text()
    assert bool(re.search(r"errors\.(?!items)", text)) == (template in FIELDS) or template in PARTS


@pytest.mark.mass
@pytest.mark.parametrize("template", [name for name in TEMPLATES if name not in PARTS])
@pytest.mark.parametrize("practice", [None, SimpleNamespace(name="Elm Surgery", phone="0191 498 0456", ods="A81001")])
def test_renders(app: Flask, template: str, practice: Any) -> None:
    """Each page renders for a practice and for none, and names in its title the one or the service."""
    given = {} if practice is None else {"practice": practice}
    text = render(app, template, **given).text
    assert "None" not in text
    assert f"– {practice.name if practice and 'closed' not in template else SERVICE_NAME}</title>" in text


@pytest.mark.parametrize("template", list(FIELDS))
def test_shows_errors(app: Flask, template: str) -> None:
    """With an error at every field, each sentence stands in the summary, with a link to its field, and at the field."""
    errors = {field: f"Sentence of <{field}>." for field in FIELDS[template]}
    page = render(app, template, errors=errors)
    words = "".join(page.tree.itertext())
    ids = {one.get("id") for one in page.tree.iter()}
    assert "<title>Error: " in page.text
    for field, sentence in errors.items():
        assert words.count(sentence) == 2, field
        assert field in ids
        assert f'href="#{field}"' in page.text


def test_hints(app: Flask) -> None:
    """A photo that may not be clear is shown with the reason, and taking it again is what the page proposes first."""
    given = {"hints": ["It is dark."], "preview": "data:image/jpeg;base64,AA", "keep_url": "/photos/close-up/keep"}
    first, second = (render(app, "patient/look.jinja", **given, may_keep=may_keep).text for may_keep in (False, True))
    assert "It is dark." in first
    assert "Use it anyway" not in first
    assert "Use it anyway" in second


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (datetime(2026, 7, 22, 15, 5, tzinfo=UTC), "22 July 2026, 4:05pm"),
        (datetime(2026, 1, 2, 0, 5, tzinfo=UTC), "2 January 2026, 12:05am"),
        (datetime(2026, 7, 1, 23, 30, tzinfo=UTC), "2 July 2026, 12:30am"),
    ],
)
def test_times(app: Flask, when: datetime, words: str) -> None:
    """Times are written as clocks go in the UK, summer and winter."""
    with app.test_request_context():
        assert app.jinja_env.filters["datetime"](when) == words


@pytest.mark.parametrize(("size", "words"), [(10, "1 kB"), (99_499, "99 kB"), (3_400_000, "3.4 MB"), (31_457_280, "31.5 MB")])
def test_sizes(app: Flask, size: int, words: str) -> None:
    """Sizes are written in the unit that people know."""
    with app.test_request_context():
        assert app.jinja_env.filters["filesize"](size) == words


def test_front_page(app: Flask) -> None:
    """Without the demo the front page says that one needs a link."""
    assert "open the link that they sent you" in Visitor(app).get("/").text


def test_front_page_of_the_demo(app: Flask, services: Services, clock: Clock) -> None:
    """In the demo it shows what one needs to try it, and the link there works."""
    tour = make_demo(services)
    app.extensions["capture.tour"] = tour
    page = Visitor(app).get("/")
    for shown in (tour.email, tour.password, tour.passphrase, tour.authenticator_secret, "31 3 1980"):
        assert shown in page.text
    visitor = Visitor(app)
    start = visitor.get(page.link("Open the patient’s link").removeprefix(services.settings.origin))
    assert visitor.submit(start, {"day": "31", "month": "3", "year": "1980"}).location == "/photos"


def test_the_demo_is_shown_to_this_machine_alone(app: Flask, services: Services) -> None:
    """The demo's passwords are not shown to a page under another name that was made to lead here, nor to another machine."""
    app.extensions["capture.tour"] = tour = make_demo(services)
    client, origin = app.test_client(), services.settings.origin
    for host in ("evil.example", "photos.example.org.evil.example", "photos.example.org:8000", "localhost", ""):
        answer = client.get("/", base_url=origin, headers={"Host": host})
        assert answer.status_code == 404, host
        assert tour.password not in answer.text
    for address in ("192.0.2.7", "2001:db8::1"):
        answer = client.get("/", base_url=origin, environ_base={"REMOTE_ADDR": address})
        assert answer.status_code == 200
        assert tour.password not in answer.text
    assert tour.password in client.get("/", base_url=origin, environ_base={"REMOTE_ADDR": "::1"}).text


GOOD = '<!DOCTYPE html><html lang="en" dir="ltr"><head><title>T</title></head><body><main><h1>H</h1>{}</main></body></html>'
TOKEN = '<input type="hidden" name="csrf_token" value="x">'


@pytest.mark.parametrize(
    "bad",
    [
        '<p id="a"></p><p id="a"></p>',
        "<script>alert(1)</script>",
        '<script nonce="guessed">alert(1)</script>',
        '<script src="https://evil.example/static/x.js?v=1"></script>',
        '<p style="color:red"></p>',
        "<style>p{}</style>",
        '<p onclick="x()"></p>',
        '<a href="javascript:x">y</a>',
        '<img src="https://evil.example/x.png" alt="">',
        f'<form method="post">{TOKEN}</form>',
        '<form method="post" action="/x"></form>',
        f'<form method="post" action="https://evil.example">{TOKEN}</form>',
        f'<form action="/x">{TOKEN}</form>',
        '<input name="x" id="x">',
        "<h1>Second</h1>",
        "<p>Quillon Xystus</p></main></body><title>Quillon Xystus</title>",
        "<p><div></p>",
        "<span></div>",
    ],
)
def test_checks_find(bad: str) -> None:
    """The checks made of every page refuse what they are there to refuse, and nothing else of this page."""
    headers = {"Content-Security-Policy": f"script-src 'self' 'nonce-{'n' * 22}'"}

    def look(inside: str) -> None:
        tree = parse(GOOD.format(inside).encode())
        page = SimpleNamespace(tree=tree, headers=headers, title=tree.findtext(".//title"), errors={}, status=200)
        check(page, ["Quillon Xystus"])  # type: ignore[arg-type]

    look(f'<form method="post" action="/x">{TOKEN}<label for="x">X</label><input name="x" id="x"></form>')
    with pytest.raises((AssertionError, ParseError)):
        look(bad)
