"""The catalogues: they hold every sentence a patient can meet, Welsh lacks none, and each translation fits its sentence."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pytest
from babel import Locale
from flask import Flask, template_rendered
from flask_babel import force_locale
from PIL import Image
from werkzeug.exceptions import default_exceptions

from capture import errors
from capture.actions.collect import collect
from capture.actions.deliver import deliver_next
from capture.services import Services
from capture.settings import ROOT, load_settings
from capture.web.languages import plural_forms
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
        days = ("lundo", "vendredo")  # of the opening hours, as CLDR calls them
        if words := brackets.outside(page, self.practice.name, f"{ORIGIN}/h/", *days):
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


@pytest.mark.mass
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


# The catalogues are whole

CODES = sorted(messages.catalogues())


def forms(text: object) -> tuple[str, ...]:
    """A sentence, or its singular and plural; a translation, or one for each plural form."""
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text or ""),)


@pytest.mark.parametrize("code", CODES)
def test_catalogue_is_up_to_date(code: str) -> None:
    """Each catalogue has the sentences that are said now and no others, none of them a guess; `make messages` keeps it so."""
    english = {message.id for message in messages.template() if message.id}
    catalogue = messages.read(code)
    assert {message.id for message in catalogue if message.id} == english
    assert not [message.id for message in catalogue if message.id and message.fuzzy]


@pytest.mark.parametrize("code", CODES)
def test_catalogue_is_complete(code: str) -> None:
    """Every sentence has a translation, in as many forms as the language has plurals, so that no page mixes two languages."""
    catalogue = messages.read(code)
    for message in catalogue:
        wanted = catalogue.num_plurals if message.pluralizable else 1
        assert len(forms(message.string)) == wanted, message.id
        assert all(forms(message.string)), message.id


@pytest.mark.parametrize("code", CODES)
def test_translations_fit_their_sentences(code: str) -> None:
    """A translation has the placeholders and tags that its sentence has, and no other markup; else a page would break."""
    for message in messages.read(code):
        wanted = [sorted(PLACEHOLDER.findall(sentence)) for sentence in forms(message.id)]
        for translation in forms(message.string) if message.id else ():
            assert sorted(PLACEHOLDER.findall(translation)) in wanted, translation
            assert not re.search(r"[&<](?!/?strong>)|^\s|\s$", translation), translation


@pytest.mark.parametrize("code", CODES)
def test_catalogue_says_who_has_checked_it(code: str) -> None:
    """The head of each catalogue, and the table of docs/languages.md, say the same of who has checked it, or that nobody has."""
    head = messages.catalogues()[code].read_text("utf-8").partition("msgid")[0]
    (checked,) = re.findall(r"^# Checked by: (\S.*)$", head, re.M)
    table = (ROOT / "docs/languages.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{code}` \|.*$", table, re.M)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3] == checked
    assert (cells[2] == "right to left") == (Locale.parse(code).text_direction == "rtl")
    assert (cells[4] == "yes") == (code in load_settings({}).languages)


@pytest.mark.parametrize("code", CODES)
def test_plural_forms(app: Flask, code: str) -> None:
    """Script that counts gets one sentence for each plural form that browsers know of the language, with its own placeholder."""
    with app.test_request_context(), force_locale(code):
        found = plural_forms("You have %(count)s character remaining", "You have %(count)s characters remaining")
    assert set(found) == {*Locale.parse(code).plural_form.tags, "other"}
    assert all(sentence.count("%{count}") == 1 for sentence in found.values())


def test_dates_and_sizes_in_welsh(app: Flask) -> None:
    """Dates, times and sizes are written as the language of the page does, on the clocks of the UK."""
    when = datetime(2026, 7, 22, 15, 5, tzinfo=UTC)
    with app.test_request_context(), force_locale("cy"):
        shown = [app.jinja_env.filters[name](when) for name in ("date", "datetime")]
        assert shown == ["22 Gorffennaf 2026", "22 Gorffennaf 2026, 16:05"]
    with app.test_request_context(), force_locale("pl"):
        assert app.jinja_env.filters["filesize"](3_400_000) == "3,4 MB"


def test_updating_changes_nothing_that_is_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make messages` keeps translations, takes in new sentences without a guess, and lets go of what is no longer said."""
    path = tmp_path / "cy" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    shutil.copy(messages.catalogues()["cy"], path)
    monkeypatch.setattr(messages, "TRANSLATIONS", tmp_path)
    before = path.read_bytes()
    messages.update()
    assert path.read_bytes() == before
    path.write_text(before.decode().replace('msgid "Continue"', 'msgid "Continue please"'))
    messages.update()
    after = {message.id: message.string for message in messages.read("cy")}
    assert after["Continue"] == ""
    assert "Continue please" not in after


@pytest.mark.parametrize("language", ["cy"])
def test_pages_in_welsh_have_no_english(language: str, services: Services, practice: APractice) -> None:
    """In a language that is complete, a page shows none of the English sentences."""
    asked = make_request(services, practice)
    visitor = patient(app_with(services, languages=("en", language)), asked, agree_patient(services, asked))
    visitor.set_cookie("language", language)
    english = [message.id for message in messages.read(language) if isinstance(message.id, str) and " " in message.id]
    for path in ("/photos", "/photos/close-up", "/check", "/another-phone", "/photos/close-up/cannot"):
        page = visitor.follow(visitor.get(path))
        assert [sentence for sentence in english if sentence in page.text] == [], path
