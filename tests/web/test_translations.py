"""The catalogues: they hold every sentence a patient can meet, Welsh lacks none, and each translation fits its sentence."""

import json
import re
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask, template_rendered
from PIL import Image
from werkzeug.exceptions import default_exceptions

from capture import errors
from capture.actions.collect import collect
from capture.actions.deliver import deliver_next
from capture.services import Services
from capture.settings import ROOT
from tests.builders import (
    APractice,
    ARequest,
    agree_patient,
    bundle_of,
    make_request,
    photo_bytes,
    take_photo,
)
from tests.conftest import Clock
from tests.web import brackets
from tests.web.conftest import app_with
from tests.web.html import ORIGIN, Page, Visitor, patient
from translations import messages

JSON = {"Accept": "application/json", "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|%\{\w+\}|\{\w*\}|</?[a-z][^>]*>")
ADULT, YOUNG, CHILD = date(1957, 8, 23), date(2009, 1, 1), date(2015, 1, 1)
PAGES = {
    str(path.relative_to(ROOT / "templates"))
    for path in (ROOT / "templates").rglob("*.jinja")
    if "staff" not in path.parts and '{% extends "base.jinja" %}' in path.read_text("utf-8")
}


class Reader:
    """Goes through the pages in the language in which every known sentence stands in brackets; keeps what stands outside."""

    def __init__(self, app: Flask, services: Services, clock: Clock, practice: APractice) -> None:
        self.app, self.services, self.clock, self.practice = app, services, clock, practice
        self.outside: dict[str, list[str]] = {}

    def ask(self, born: date = ADULT, protocol: str = "lesion") -> ARequest:
        return make_request(self.services, self.practice, born=born, protocol=protocol)

    def visitor(self, asked: ARequest, cookie: str = "") -> Visitor:
        visitor = patient(self.app, asked, cookie)
        visitor.set_cookie("language", brackets.CODE)
        return visitor

    def agreed(self, asked: ARequest) -> Visitor:
        return self.visitor(asked, agree_patient(self.services, asked))

    def read(self, page: Page) -> Page:
        if words := brackets.outside(page, self.practice.name, f"{ORIGIN}/h/"):
            self.outside[f"{page.response.request.method} {page.response.request.path} {page.status}"] = words
        return page


def read_first_pages(reader: Reader) -> None:
    """Link, date of birth and what may be wrong with it, agreement and its problems at each age."""
    for born in (ADULT, YOUNG, CHILD):
        asked = reader.ask(born)
        visitor = reader.visitor(asked)
        start = reader.read(visitor.get(asked.path))
        wrong: list[dict[str, str]] = [{}, {"day": "1"}, {"day": "x", "month": "1", "year": "1"}, {**asked.form, "year": "57"}]
        for values in [*wrong, {**asked.form, "month": "13"}, {**asked.form, "year": "2090"}, asked.wrong]:
            assert reader.read(visitor.submit(start, values)).status == 422
        page = reader.read(visitor.follow(visitor.submit(start, asked.form)))
        for values in ({}, {"who": "me"}, {"who": "other"}):
            assert reader.read(visitor.submit(page, values)).status == 422


def read_closed_links(reader: Reader) -> None:
    """A link that waits, one that is unknown, one whose time is over, before and after the date of birth was given."""
    asked = reader.ask()
    visitor, late = reader.visitor(asked), reader.agreed(reader.ask())
    start = visitor.get(asked.path)
    statuses = [reader.read(visitor.submit(start, asked.wrong)).status for _ in range(7)]
    assert statuses[-1] == 429
    assert reader.read(visitor.get("/r/nothing")).status == 404
    reader.clock.forward(days=8)
    assert reader.read(visitor.get(asked.path)).status == 410
    assert reader.read(late.get("/photos")).status in {404, 410}


def read_photo_pages(reader: Reader) -> None:
    """The list, every photo's page with its guidance, before and after it was taken, why one cannot be taken, the check page."""
    catalogue = reader.services.catalogue
    for protocol in [name for name, one in catalogue.protocols.items() if one.views]:
        visitor = reader.agreed(reader.ask(protocol=protocol))
        views = catalogue.views_of(protocol)
        reader.read(visitor.get("/photos"))
        for view in views:
            reader.read(visitor.get(f"/photos/{view.id}"))
        first = visitor.get(f"/photos/{views[0].id}")
        assert reader.read(visitor.send_photo(first, b"no photo")).status == 422
        assert reader.read(visitor.send_photo(first, photo_bytes())).status == 201
        for path in ("/photos", f"/photos/{views[0].id}", "/check"):
            reader.read(visitor.get(path))
        cannot = reader.read(visitor.get(f"/photos/{views[1].id}/cannot"))
        assert reader.read(visitor.submit(cannot, {"words": "x" * 300})).status == 422
        visitor.submit(cannot, {"reason": "reach"})
        reader.read(visitor.get("/photos"))
        assert reader.read(visitor.submit(visitor.get("/check"), {"note": "x" * 2_000})).status == 422
        assert reader.read(visitor.get("/photos/nothing")).status == 404


def read_hints(reader: Reader) -> None:
    """A photo that is small and too dark, the first time, again, and as script asks."""
    visitor, dark = reader.agreed(reader.ask()), BytesIO()
    Image.new("RGB", (400, 300), (9, 8, 8)).save(dark, "JPEG")
    for _ in range(2):
        page = reader.read(visitor.send_photo(visitor.get("/photos/close-up"), dark.getvalue()))
        assert page.text.count("window") == 1, page.text
    data = {"csrf_token": visitor.csrf("/photos/close-up"), "photo_id": "0" * 32, "photo": (BytesIO(dark.getvalue()), "a.jpg")}
    answer = reader.read(visitor.open("POST", "/photos/context", data=data, headers=JSON))
    assert answer.json["hints"]


def read_the_end(reader: Reader) -> None:
    """The code for another phone, the page there, a code that was used; the receipt, before and after the photos were collected."""
    asked = reader.ask()
    visitor, other = reader.agreed(asked), reader.visitor(asked)
    code = reader.read(visitor.submit(reader.read(visitor.get("/another-phone"))))
    link = re.search(rf"{ORIGIN}(/h/\w+)", code.text)
    assert link
    there = reader.read(other.get(link[1]))
    assert other.submit(there).status == 303
    assert reader.read(other.get(link[1])).status == 404
    for view in ("context", "close-up"):
        take_photo(reader.services, asked, view)
    sent = reader.read(visitor.follow(visitor.submit(visitor.get("/check"))))
    assert asked.receipt in sent.text
    assert deliver_next(reader.services)
    collect(reader.services, reader.practice.id, bundle_of(reader.services, asked).id, actor="robin")
    assert reader.read(visitor.get("/sent")).status == 200


def read_errors(reader: Reader) -> None:
    """Every error of ours and every status of HTTP, as page and as JSON; the front page."""
    kinds = [kind for name, kind in vars(errors).items() if name in messages.KINDS]
    raised = [kind(60) if kind in {errors.GuessingLimited, errors.WrongOffset} else kind() for kind in kinds]
    raised += [kind() for kind in default_exceptions.values()]
    visitor = Visitor(reader.app)
    visitor.set_cookie("language", brackets.CODE)
    shown, health = reader.read, reader.app.view_functions["ops.health"]
    for error in raised:
        reader.app.view_functions["ops.health"] = _raising(error)
        for headers in ({}, {"Accept": "application/json"}):
            assert shown(visitor.get("/healthz", headers=headers)).status >= 400
    reader.app.view_functions["ops.health"] = health
    assert shown(visitor.get("/nowhere")).status == 404
    assert shown(visitor.get("/")).status == 200


def _raising(error: Exception) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


@pytest.fixture
def reader(services: Services, clock: Clock, practice: APractice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    brackets.write_catalogue(tmp_path / "translations")
    monkeypatch.setattr("capture.web.languages.TRANSLATIONS", tmp_path / "translations")
    return Reader(app_with(services, languages=("en", brackets.CODE)), services, clock, practice)


def test_no_sentence_is_forgotten(reader: Reader) -> None:
    """On every page for patients, in every state, each word is part of a sentence that stands in the catalogues."""
    rendered = set()
    with template_rendered.connected_to(lambda _, template, **__: rendered.add(template.name), reader.app):
        read_first_pages(reader)
        read_photo_pages(reader)
        read_hints(reader)
        read_the_end(reader)
        read_errors(reader)
        read_closed_links(reader)
    assert reader.outside == {}, json.dumps(reader.outside, indent=1)
    assert rendered == PAGES


def test_what_is_looked_up_is_written_in_full() -> None:
    """Templates give `_` whole sentences, never a variable: a per cent sign or a `<` in one would break the page."""
    for path in (ROOT / "templates").rglob("*.jinja"):
        assert not re.search(r"\b_\((?!\s*[\"']|service_name)", path.read_text("utf-8")), path.name
