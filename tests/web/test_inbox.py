"""The inbox: groups, pages, searching; few statements however many requests there are; what each event is called."""

import ast

import pytest
from flask import Flask

from capture.domain.following import EVENTS, GROUPS, QUIET
from capture.domain.requests import State
from capture.services import Services
from capture.settings import ROOT
from tests.builders import (
    APractice,
    ARequest,
    make_member,
    make_practice,
    make_request,
    make_submitted,
)
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.desk import add_many, counting, rows_on, search
from tests.web.html import Visitor, staff


def test_groups_count_what_people_see(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """Each group says how many there are and leads to them; a link whose time is over counts as closed before anything notes it."""
    make_submitted(services, make_request(services, asked.practice, label="Came back"))
    page = desk.get("/staff/")
    counts = {group.title: page.link(group.title) for group in GROUPS}
    shown = {title: desk.get(path) for title, path in counts.items()}
    assert rows_on(shown["Waiting for you"]) == ["Came back"]
    assert rows_on(shown["Link not opened"]) == [asked.label]
    assert rows_on(shown["Closed"]) == []
    assert "Link not opened 1" in page.text
    clock.forward(days=8)
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    assert rows_on(desk.get(counts["Closed"])) == [asked.label]
    assert "Link not opened 0" in desk.get("/staff/?show=nothing-like-it").text
    assert "Link expired" in desk.get(counts["Closed"]).text


@pytest.mark.mass
def test_ten_thousand_requests(services: Services, desk: Visitor, practice: APractice) -> None:
    """A page of the inbox shows at most 50 requests, and runs as many statements for ten thousand as for a dozen."""
    add_many(services, practice, 12)
    with counting(services) as few:
        desk.get("/staff/")
    add_many(services, practice, 9_988, first=12)
    with counting(services) as many:
        page = desk.get("/staff/")
    assert len(many) == len(few) <= 24, many
    assert len(rows_on(page)) == 100  # 50 that wait, 50 others
    assert "Page 1 of 151" in page.text
    last = desk.get("/staff/?page=99999")
    assert "Page 151 of 151" in last.text
    assert len(rows_on(desk.get("/staff/?show=waiting&page=2"))) == 50
    assert rows_on(desk.get(page.link("Older requests")))[0] not in rows_on(page)
    for typed in ("0", "-1", "x", "٣", "9" * 30):
        assert "Page 1 of" in desk.get(f"/staff/?page={typed}").text
    with counting(services) as searching:
        found = search(desk, "ref 123")
    assert len(searching) <= 40  # two pages: the one that has the form, and the one that answers
    assert "Only the newest 5000 of 10001" in found.text


@pytest.mark.parametrize("typed", ["quillon", "XYSTUS quill", "ag-77-1234", "AG 77", "771234", "{0}", "{1}"])
def test_search(desk: Visitor, asked: ARequest, typed: str) -> None:
    """A request is found by part of its name, its reference or its receipt, however they are spelt and spaced."""
    page = search(desk, typed.format(asked.receipt, asked.receipt.lower().replace("-", " ")))
    assert page.status == 200
    assert rows_on(page) == [asked.label]
    assert "1 request for" in page.text


def test_search_finds_nothing(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 28: what does not fit, is empty, or belongs to another practice is not found, and the page says so."""
    other = staff(app, session_of(services, make_member(services, make_practice(services))))
    for page in (search(desk, "Nobody"), search(other, asked.label), search(other, asked.receipt)):
        assert "Nothing was found" in page.text
        assert rows_on(page) == []
    for typed in ("", " ", "-", "\x00"):
        assert rows_on(search(desk, typed)) == []


def test_search_says_when_there_are_more(services: Services, desk: Visitor, practice: APractice) -> None:
    """More than one page of matches: the newest are shown, and the page says how many fit."""
    add_many(services, practice, 70)
    page = search(desk, "patient")
    assert len(rows_on(page)) == 50
    assert "70 requests fit" in page.text


def test_old_receipt(services: Services, desk: Visitor, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole receipt finds its request also where the search by name does not reach any more."""
    monkeypatch.setattr("capture.store.listings.search.__defaults__", ("", 0))
    assert rows_on(search(desk, asked.receipt)) == [asked.label]
    assert rows_on(search(desk, asked.label)) == []


def test_looking_changes_nothing(services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 1 and 7: lists, filters, searching and a request's page write nothing, and no address holds what was typed."""
    make_submitted(services, asked)
    desk.get("/staff/")
    with counting(services) as said:
        for path in ("/staff/", "/staff/?show=closed", f"/staff/requests/{asked.id}", f"/staff/requests/{asked.id}/again"):
            assert desk.get(path).status == 200
        page = search(desk, asked.label)
    assert not [one for one in said if not one.startswith(("SELECT", "PRAGMA"))]
    assert "label" not in str([one.get("href") for one in page.tree.iter("a")]).lower()


def test_repeats_are_one_line(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Looking at the page of locked photos again and again is one line of the timeline, with how often."""
    make_submitted(services, asked)
    bundle = desk.get("/staff/").link("Open photos")
    for _ in range(3):
        desk.get(bundle)
    shown = desk.get(f"/staff/requests/{asked.id}").text
    assert shown.count("looked at") == 1
    assert "Photos page, still locked, looked at by Robin Reception, 3 times" in shown


def test_every_event_of_a_request_has_words() -> None:
    """Whatever is written about a request in the audit trail is told in its timeline in plain words, or by the event beside it."""
    written = {f"request {state}" for state in State}
    for path in (ROOT / "capture").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            words = {word.arg: ast.unparse(word.value) for word in node.keywords}
            subject, action = words.get("subject", ""), words.get("action", "")
            if subject in {"request.id", "request_id", "bundle.request_id", "asked.id"} and action.startswith("'"):
                written.add(ast.literal_eval(action))
    assert len(written) > 20
    assert written - EVENTS.keys() - QUIET == set()
