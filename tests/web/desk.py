"""What members do at the inbox and with a request, for the tests of following."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import event

from capture.domain.requests import State
from capture.services import Services
from capture.store.models import AuditEvent, Request, new_id
from capture.store.requests import Details, insert_request
from tests.builders import (
    APractice,
    ARequest,
)
from tests.web.html import Page, Visitor


def state_of(services: Services, asked: ARequest) -> str:
    with services.database.read() as db:
        return db.get_one(Request, asked.id).state


def events_of(services: Services, asked: ARequest) -> list[str]:
    with services.database.read() as db:
        return [row.action for row in db.query(AuditEvent).filter_by(subject=asked.id).order_by(AuditEvent.number)]


def act(desk: Visitor, asked: ARequest, name: str, **fields: object) -> Page:
    """Press a button of the request's page."""
    data = {"csrf_token": desk.csrf("/staff/"), **fields}
    return desk.open("POST", f"/staff/requests/{asked.id}/{name}", data=data)


def new_link(desk: Visitor, asked: ARequest) -> Page:
    """Fill in the form that makes a new link."""
    return desk.submit(desk.get(f"/staff/requests/{asked.id}/resend"))


def link_on(page: Page, asked: ARequest) -> ARequest:
    """The request whose link this page shows."""
    request_id = page.link("See this request").rpartition("/")[2]
    return replace(asked, id=request_id, link=page.find("input", id="link").get("value", ""))


@contextmanager
def counting(services: Services) -> Iterator[list[str]]:
    """The statements that are run inside the block."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            said.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", note)
    yield said
    event.remove(services.database.engine, "before_cursor_execute", note)


def add_many(services: Services, practice: APractice, count: int, first: int = 0) -> None:
    """That many requests, the state of each another one than that of the one before, all within one year."""
    states, now = [State(state) for state in State], services.clock()
    with services.database.write() as db:
        for number in range(first, first + count):
            at = now - timedelta(minutes=number)
            row = Request(id=new_id(), practice_id=practice.id, issue_key=new_id(), token_hash=new_id(), dob_hash="no hash")
            row.state, row.receipt, row.submitted_at = states[number % len(states)], f"{number:07}", at
            row.issued_at = row.changed_at = at
            row.expires_at = at + timedelta(days=40)
            details = Details(f"Patient {number}", f"REF-{number}", "scalp", "", "lesion", "Dr Sam Okafor")
            insert_request(db, row, details)


def rows_on(page: Page) -> list[str]:
    """The names in the list, from the top."""
    return ["".join(one.itertext()) for one in page.tree.iter("a") if one.get("data-row") is not None]


def search(desk: Visitor, typed: str) -> Page:
    return desk.open("POST", "/staff/search", data={"q": typed, "csrf_token": desk.csrf("/staff/")})


def ask_again(desk: Visitor, asked: ARequest, **fields: object) -> Page:
    """Fill in the form that asks for a photo again."""
    page = desk.get(f"/staff/requests/{asked.id}/again")
    return desk.submit(page, {"views": ["close-up"], "reason": "blurred", **fields})
