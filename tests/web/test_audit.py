"""The audit trail as managers see it: searched, page by page, as CSV, and whether it is whole."""

import csv
import io
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import event, text

from capture.services import Services
from capture.store import audit
from tests.builders import APractice, ARequest, make_member, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.html import Page, Visitor, staff

TRAIL = "/staff/practice/audit"


def look(desk: Visitor, **wanted: object) -> Page:
    return desk.get(f"{TRAIL}?{urlencode(wanted)}")


def lines(page: Page) -> list[list[str]]:
    """What the table on the page says, line by line."""
    body = next(page.tree.iter("tbody"))
    return [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in body]


def write(services: Services, practice: APractice, count: int, **facts: str) -> None:
    with services.database.write() as db:
        for number in range(count):
            audit.append(db, practice.id, actor="operator", action="counted", subject=f"s{number}", at=services.clock(), **facts)


def test_who_did_what_to_which_request(services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 40: each line says when, who by name, what, which request by receipt, with a way there; no patient is named."""
    make_submitted(services, asked)
    token = desk.csrf(f"/staff/requests/{asked.id}")
    bundle = desk.get("/staff/").link("Open photos")
    desk.open("POST", f"{bundle}/collected", data={"csrf_token": token})
    page = desk.get(TRAIL)
    found = lines(page)
    assert any("Robin Reception" in row[1] and row[2].endswith("Photos opened") and asked.receipt in row[3] for row in found)
    assert any(
        "The patient" in row[1] and "A photo arrived and was sealed" in row[2] and "photo: Close-up" in row[4] for row in found
    )
    assert page.find("option", value="photo arrived").text == "A photo arrived and was sealed"
    assert page.link(asked.receipt) == f"/staff/requests/{asked.id}"
    assert not any(secret in page.data.decode() for secret in (*asked.private, asked.token))


def test_searching(services: Services, desk: Visitor, practice: APractice, member: object, asked: ARequest, clock: Clock) -> None:
    """By kind, by who, by receipt and by day, each alone and together; the address names members by id and nobody else."""
    other = make_request(services, practice, label="Zed Other")
    clock.forward(days=2)
    desk.set_cookie("staff", session_of(services, member))  # type: ignore[arg-type]
    with services.database.write() as db:
        audit.append(db, practice.id, actor=member.id, action="template saved", subject="t", at=clock())  # type: ignore[attr-defined]
    assert {row[2].removeprefix("What ") for row in lines(look(desk, action="request sent"))} == {"Link issued"}
    assert len(lines(look(desk, actor=member.id))) == 1  # type: ignore[attr-defined]
    by_receipt = lines(look(desk, receipt=asked.receipt.lower().replace("-", "")))
    assert {row[3].removeprefix("About ") for row in by_receipt} == {asked.receipt}
    assert len(lines(look(desk, since="2026-11-24", until="2026-11-24"))) == 1
    assert "Nothing like this" in look(desk, since="2026-11-25").text
    assert len(lines(look(desk, until="2026-11-22", receipt=other.receipt, action="request sent"))) == 1
    assert "Show all" in look(desk, action="request sent").text


@pytest.mark.parametrize(
    ("wanted", "field", "said"),
    [
        ({"receipt": "KX7-P3Q"}, "receipt", "no request with this receipt"),
        ({"receipt": "x"}, "receipt", "no request with this receipt"),
        ({"since": "yesterday"}, "since", "Enter a day"),
        ({"until": "0001-01-01"}, "until", "Enter a day"),
        ({"until": "9999-12-31"}, "until", "Enter a day"),
        ({"since": "2026-11-23", "until": "2026-11-22"}, "until", "not be before"),
    ],
)
def test_a_search_that_cannot_be(desk: Visitor, wanted: dict[str, str], field: str, said: str) -> None:
    """What cannot be searched for is told at its field, on the page and where a download was asked for; what was typed stays."""
    for path in (TRAIL, f"{TRAIL}/audit.csv"):
        page = desk.get(f"{path}?{urlencode(wanted)}")
        assert page.status == 422
        assert said in page.errors[field]
        assert page.find("input", id=field).get("value") == wanted[field]
    assert "Audit downloaded" not in desk.get(TRAIL).text


def test_another_practices_receipt(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 28: neither the receipt nor the events of another practice are found."""
    theirs = make_request(services, make_practice(services, name="Oak Surgery"))
    assert look(desk, receipt=theirs.receipt).status == 422
    page = desk.get(TRAIL)
    assert theirs.receipt not in page.text
    assert look(desk, receipt=asked.receipt).status == 200


def test_pages_of_fifty(services: Services, desk: Visitor, practice: APractice) -> None:
    """Each event is on one page, fifty on each, the newest first, in the same number of statements however many there are."""
    write(services, practice, 120)
    statements: list[str] = []
    event.listen(services.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    page, seen = desk.get(TRAIL), []
    first = len(statements)
    while True:
        seen += [row[4] + row[0] + row[2] for row in lines(page)]
        assert len(lines(page)) <= 50
        if "Older events" not in page.text:
            break
        page = desk.get(page.link("Older events"))
    with services.database.read() as db:
        count, *_ = audit.span(db, practice.id)
    assert len(seen) == count > 120
    assert first <= 32
    assert "Newest" in page.text


def test_whether_the_chain_is_whole(services: Services, desk: Visitor, practice: APractice) -> None:
    """SECURITY 39: the page says from when to when the trail is unbroken; an event that was edited is named instead."""
    assert "Unbroken from 22 November 2026, 10:00am to 22 November 2026, 10:00am" in desk.get(TRAIL).text
    with services.database.write() as db:
        db.execute(text("UPDATE audit SET actor = 'nobody' WHERE practice_id = :id AND number = 2"), {"id": practice.id})
    page = desk.get(TRAIL)
    assert "The trail was tampered with: event 2 was altered." in page.text
    assert "Unbroken" not in page.text


def test_csv(services: Services, desk: Visitor, practice: APractice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds every event searched for, with its hash, in batches that fit together; that it was taken is on record."""
    monkeypatch.setattr("capture.web.audit.BATCH", 7)
    write(services, practice, 30)
    page = desk.get(f"{TRAIL}/audit.csv?action=counted")
    assert page.headers["Content-Disposition"] == f'attachment; filename="audit-{practice.ods}.csv"'
    assert page.headers["Content-Type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(page.data.decode()))
    assert head == ["Number", "Time (UTC)", "Who", "What", "About", "Details", "Hash"]
    numbers = [int(row[0]) for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 30
    assert {(row[1], row[2], row[3]) for row in rows} == {("2026-11-22 10:00:00", "The operator", "Counted")}
    assert all(len(row[6]) == 64 for row in rows)
    assert lines(look(desk, action="audit downloaded"))[0][1].endswith("Robin Reception")
    everything = list(csv.reader(io.StringIO(desk.get(f"{TRAIL}/audit.csv").data.decode())))
    with services.database.read() as db:
        assert len(everything) - 1 == audit.span(db, practice.id)[0]


@pytest.mark.parametrize("nasty", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(app: Flask, services: Services, practice: APractice, nasty: str) -> None:
    """SECURITY 30: whatever a member is called, a spreadsheet reads text; on the page it is text as well."""
    member = make_member(services, practice, name="A Name")
    with services.database.write() as db:
        db.execute(text("UPDATE members SET name = :name WHERE id = :id"), {"name": f"{nasty}<b>", "id": member.id})
        audit.append(db, practice.id, actor=member.id, action="counted", subject="s", at=services.clock())
    desk = staff(app, session_of(services, member))
    _, *rows = csv.reader(io.StringIO(desk.get(f"{TRAIL}/audit.csv?action=counted").data.decode(), newline=""))
    assert [row[2] for row in rows] == [f"'{nasty}<b>"]
    assert "<b>" in desk.get(TRAIL).text


def test_only_managers(app: Flask, services: Services, practice: APractice) -> None:
    """Readers and requesters see neither the trail nor its file."""
    for role in ("reader", "requester"):
        visitor = staff(app, session_of(services, make_member(services, practice, role=role)))
        assert [visitor.get(path).status for path in (TRAIL, f"{TRAIL}/audit.csv", "/staff/practice")] == [403, 403, 403]
