"""The patient's pages in other languages: how one is chosen, that no sentence is forgotten, that the catalogues are whole."""

import re
from pathlib import Path

import pytest
from flask import Flask

from capture.actions.cancel import cancel
from capture.app import create_app
from capture.errors import SettingsError
from capture.services import Services
from tests.builders import (
    AMember,
    APractice,
    ARequest,
    make_request,
)
from tests.web.conftest import app_with
from tests.web.html import ORIGIN, Visitor, patient, staff


@pytest.mark.parametrize(
    ("accepted", "kept", "shown"),
    [
        ("", "", "en"),
        ("cy", "", "cy"),
        ("cy-GB,en;q=0.5", "", "cy"),
        ("fr-FR,fr;q=0.9,cy;q=0.8,en;q=0.7", "", "cy"),
        ("fr", "", "en"),
        ("*", "", "en"),
        ("pl,en;q=0.1", "", "en"),
        ("zh-CN,en;q=0.1", "", "zh-Hans"),
        ("zh-Hans-SG", "", "zh-Hans"),
        ("ar;q=0,cy;q=0.2", "", "cy"),
        ("en", "ar", "ar"),
        ("cy", "pl", "cy"),
        ("cy", "<script>", "cy"),
        (";;;q=x,,", "", "en"),
    ],
)
def test_choice(services: Services, asked: ARequest, accepted: str, kept: str, shown: str) -> None:
    """What the patient chose goes before what the browser asks for; of neither a language that is off is shown."""
    app = app_with(services, languages=("en", "cy", "ar", "zh_Hans"))
    visitor = patient(app, asked)
    if kept:
        visitor.set_cookie("language", kept)
    tree = visitor.get(asked.path, headers={"Accept-Language": accepted}).tree
    assert tree.get("lang") == shown
    assert tree.get("dir") == ("rtl" if shown == "ar" else "ltr")


def test_first_language_is_for_those_who_ask_for_none(services: Services, asked: ARequest) -> None:
    """Where Welsh comes first in the setting, a browser that asks for no language that is on gets Welsh."""
    visitor = patient(app_with(services, languages=("cy", "en")), asked)
    assert visitor.get(asked.path, headers={"Accept-Language": "fr"}).tree.get("lang") == "cy"


def test_choosing_works_without_script_and_stays(services: Services, asked: ARequest) -> None:
    """A link on the first page changes the language; the whole journey keeps it, its forms, refusals and JSON answers too."""
    visitor = patient(app_with(services, languages=("en", "ar")), asked)
    page = visitor.get(asked.path + visitor.get(asked.path).link("العربية"))
    assert (page.status, page.location) == (303, asked.path)
    cookie = page.headers["Set-Cookie"]
    assert re.fullmatch(r"__Host-language=ar; Secure; HttpOnly; Path=/; SameSite=Lax", cookie)
    page = visitor.follow(page)
    assert page.tree.get("lang") == "ar"
    page = visitor.follow(visitor.submit(page, asked.form))
    assert (page.status, page.tree.get("lang"), page.tree.get("dir")) == (200, "ar", "rtl")
    assert visitor.submit(page).tree.get("lang") == "ar"
    assert visitor.get("/nowhere").tree.get("lang") == "ar"
    assert page.link("English") == "?lang=en"
    assert visitor.follow(visitor.get("/agree?lang=en")).tree.get("lang") == "en"


def test_choosing_changes_nothing(visitor: Visitor, asked: ARequest, app: Flask) -> None:
    """SECURITY 1, 31: the choice is a cookie; it leads to the same page and nowhere else, and only to a language that is on."""
    assert visitor.get(f"{asked.path}?lang=cy&next=//evil.example").location == asked.path
    for query in ("lang=xx", "lang=", "lang=ar", "lang=en%0d%0aX:y"):
        page = visitor.get(f"{asked.path}?{query}")
        assert (page.status, "Set-Cookie" in page.headers and "language" in page.headers["Set-Cookie"]) == (200, False)
    for path in ("/nowhere?lang=cy", "//evil.example/?lang=cy", "/staff/sign-in?lang=cy", "/static/img/mark.svg?lang=cy"):
        page = Visitor(app).get(f"{ORIGIN}{path}")
        assert not (page.status == 303 and "evil" in page.location), path
        assert "language" not in page.headers.get("Set-Cookie", ""), path
    assert visitor.open("POST", f"{asked.path}?lang=cy").status == 400


def test_links_that_do_not_work_look_the_same_in_welsh(app: Flask, services: Services, practice: APractice) -> None:
    """SECURITY 2: choosing a language on an unknown link, or on one that was cancelled, gives the same answers."""
    asked = make_request(services, practice)
    cancel(services, practice.id, asked.id, actor="operator")
    answers = []
    for token in (asked.token, "2" * len(asked.token)):
        visitor = Visitor(app)
        chosen = visitor.get(f"/r/{token}?lang=cy")
        page = visitor.follow(chosen)
        answers.append((chosen.status, page.status, re.sub(rb'nonce="[^"]+"', b"", page.data), page.tree.get("lang")))
    assert answers[0] == answers[1]
    assert answers[0][3] == "cy"


def test_staff_read_english(services: Services, member: AMember, asked: ARequest) -> None:
    """Staff pages, and their errors, are in English whatever the browser asks for or the cookie says, and offer no other."""
    visitor = staff(app_with(services, languages=("cy", "en")), "", asked)
    visitor.set_cookie("language", "cy")
    for path in ("/staff/sign-in", "/staff/nowhere", "/staff/"):
        page = visitor.get(path, headers={"Accept-Language": "cy"})
        assert (page.status in {303, 404}) or page.tree.get("lang") == "en", path
        assert b"?lang=" not in page.data


def test_languages_are_offered_in_their_own_words(services: Services, asked: ARequest) -> None:
    """The menu names each other language as those who speak it do, marked as such; a page that only answers a form offers none."""
    visitor = patient(app_with(services, languages=("en", "cy", "ur", "zh_Hans")), asked)
    page = visitor.get(asked.path)
    links = {one.get("lang"): (one.get("dir"), "".join(one.itertext())) for one in page.tree.iter("a") if one.get("hreflang")}
    assert links == {"cy": ("ltr", "Cymraeg"), "ur": ("rtl", "اردو"), "zh-Hans": ("ltr", "中文 (简体)")}
    assert b"?lang=" in visitor.submit(page).data
    only = patient(app_with(services, languages=("en",)), asked)
    assert b"?lang=" not in only.get(asked.path).data


def test_what_is_not_compiled_stops_the_start(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patients are never shown English under the name of another language because a file is missing."""
    monkeypatch.setattr("capture.web.languages.TRANSLATIONS", tmp_path)
    with pytest.raises(SettingsError, match="the translation cy is not compiled") as caught:
        create_app(services)
    assert caught.value.hint == "make setup"


def test_headings_are_said_once(services: Services, asked: ARequest) -> None:
    """A component that takes its heading as text or as markup is given text: it would show a translated one as both."""
    page = patient(app_with(services, languages=("en", "cy")), asked).get(asked.path)
    assert page.data.count(b"If it is urgent, do not wait") == 1
