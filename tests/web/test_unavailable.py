"""When it cannot be done safely just now: no valid key, a busy database, a full disk. SECURITY 35 and the table of faults."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import event, text, update

from capture.services import Services
from capture.store.database import BUSY_SECONDS
from capture.store.key_tests import KeyTest
from capture.store.models import Bundle, Photo, Practice, RecipientRow, Request
from tests.builders import ARequest, agree_patient, make_member, make_practice, make_request, photo_bytes, photos_of, take_photo
from tests.web.conftest import session_of
from tests.web.html import Page, Visitor, patient, staff
from tests.web.test_patient import JSON
from tests.web.test_races import count_of
from tests.web.test_staff import FIELDS


def check_kind(page: Page) -> None:
    """The page that says so, and when to come back."""
    assert page.status == 503
    assert page.heading == "This service is not working at the moment"
    assert "Nothing was lost" in page.text
    assert page.headers["Retry-After"] == "10"


def ask(visitor: Visitor) -> Page:
    """Send the form that asks, as someone does who had it open already."""
    form = {"csrf_token": visitor.csrf("/staff/"), "key": "0" * 32, **FIELDS}
    return visitor.open("POST", "/staff/requests/new", data=form)


def test_practice_without_a_key(app: Flask, services: Services) -> None:
    """A practice that has no key yet cannot ask for photos, and is told kindly."""
    member = make_member(services, make_practice(services, with_keys=False))
    page = ask(staff(app, session_of(services, member)))
    assert (page.status, page.heading) == (503, "Your practice cannot ask for photos yet")
    assert count_of(services, Request) == [0]


def retire(services: Services, asked: ARequest) -> None:
    with services.database.write() as db:
        db.execute(update(RecipientRow).where(RecipientRow.practice_id == asked.practice.id).values(retired_at=services.clock()))


def swap_recipient(services: Services, asked: ARequest) -> None:
    with services.database.write() as db:
        theirs = make_practice_row(services)
        query = update(RecipientRow).where(RecipientRow.practice_id == asked.practice.id, RecipientRow.kind == "staff")
        db.execute(query.values(recipient=theirs.recipient, fingerprint=theirs.fingerprint))


def swap_row(services: Services, asked: ARequest) -> None:
    """Also with the other practice's MAC, which was good where it came from."""
    swap_recipient(services, asked)
    with services.database.write() as db:
        theirs = db.get_one(Practice, make_practice_row(services).practice_id)
        db.execute(update(Practice).where(Practice.id == asked.practice.id).values(recipients_mac=theirs.recipients_mac))


def delete(services: Services, asked: ARequest) -> None:
    with services.database.write() as db:
        db.query(KeyTest).delete()
        db.query(RecipientRow).filter_by(practice_id=asked.practice.id, kind="recovery").delete()


def make_practice_row(services: Services) -> RecipientRow:
    with services.database.read() as db:
        return db.query(RecipientRow).order_by(RecipientRow.created_at.desc()).filter_by(kind="staff").all()[-1]


def demote(services: Services, asked: ARequest) -> None:
    with services.database.write() as db:
        db.execute(update(RecipientRow).where(RecipientRow.kind == "recovery").values(kind="staff"))


@pytest.mark.parametrize("edit", [retire, swap_recipient, swap_row, delete, demote])
def test_edited_key(
    app: Flask, services: Services, asked: ARequest, desk: Visitor, edit: Callable[[Services, ARequest], None]
) -> None:
    """SECURITY 35: a key that was edited straight in the database is noticed; no link is issued, no photo taken, nothing sent."""
    make_practice(services)
    agreed = patient(app, asked, agree_patient(services, asked))
    take_photo(services, asked, "context")
    form, check = agreed.get("/photos/close-up"), agreed.get("/check")
    edit(services, asked)
    before = count_of(services, Photo, Bundle, Request)
    check_kind(agreed.send_photo(form, photo_bytes()))
    check_kind(agreed.submit(check))
    page = ask(desk)
    assert (page.status, page.heading) == (503, "Your practice cannot ask for photos now")
    assert count_of(services, Photo, Bundle, Request) == before
    assert len(list((services.settings.var / "blobs").rglob("*.age"))) == 1


@contextmanager
def on_checkout(services: Services, *pragmas: str) -> Iterator[None]:
    """Say this to SQLite on every connection for a while."""

    def say(connection: sqlite3.Connection, *_: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    event.listen(services.database.engine, "checkout", say)
    try:
        yield
    finally:
        event.remove(services.database.engine, "checkout", say)


@contextmanager
def locked(services: Services) -> Iterator[None]:
    """Another process holds the database's write lock; ours waits 0.2 s for it instead of BUSY_SECONDS."""
    other = sqlite3.connect(services.settings.var / "capture.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with on_checkout(services, "busy_timeout=200"):
        yield
    other.execute("ROLLBACK")
    other.close()
    services.database.engine.dispose()


def test_wait_is_bounded(services: Services) -> None:
    """A transaction waits for another as long as BUSY_SECONDS says, and that is no longer than five seconds."""
    with services.database.read() as db:
        assert db.execute(text("PRAGMA busy_timeout")).scalar() == BUSY_SECONDS * 1000
    assert BUSY_SECONDS <= 5


def test_busy_database(app: Flask, services: Services, asked: ARequest) -> None:
    """The table of faults: while the database is locked whoever writes gets a 503, whoever reads a page; then it goes on."""
    agreed = patient(app, asked, agree_patient(services, asked))
    take_photo(services, asked, "context")
    form, check, other = agreed.get("/photos/close-up"), agreed.get("/check"), make_request(services, asked.practice)
    stranger = patient(app, other)
    start = stranger.get(other.path)
    with locked(services):
        check_kind(agreed.send_photo(form, photo_bytes()))
        check_kind(agreed.submit(check))
        check_kind(stranger.submit(start, other.form))
        told = agreed.open("POST", "/check", data={"csrf_token": check.form()[1]["csrf_token"]}, headers=JSON)
        assert (told.status, told.json["error"]["code"]) == (503, "unavailable")
        assert agreed.get("/photos").status == stranger.get(other.path).status == 200
    assert agreed.send_photo(form, photo_bytes()).status == 201
    assert stranger.submit(start, other.form).status == 303
    assert agreed.submit(check).location == "/sent"
    assert count_of(services, Photo, Bundle) == [2, 1]


def test_full_database(app: Flask, services: Services, asked: ARequest) -> None:
    """The table of faults: a disk that is full under the database is a 503, nothing is acknowledged, and it goes on afterwards."""
    agreed = patient(app, asked, agree_patient(services, asked))
    forms = [agreed.get("/photos/close-up") for _ in range(18)]
    with on_checkout(services, "max_page_count=1"):  # no more than it has now
        pages = [agreed.send_photo(form, photo_bytes()) for form in forms]
    services.database.engine.dispose()
    statuses = [page.status for page in pages]
    refused = statuses.index(503)
    check_kind(pages[refused])
    assert count_of(services, Photo) == [statuses.count(201)]
    assert agreed.send_photo(forms[refused], photo_bytes()).status == 201


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["open", "fsync"])
def test_full_disk(
    services: Services, agreed: Visitor, asked: ARequest, monkeypatch: pytest.MonkeyPatch, call: str, fault: int
) -> None:
    """The table of faults: no space, or an error of the disk, is a 503; nothing is acknowledged or left behind; then it goes on."""
    form = agreed.get("/photos/close-up")

    def fail(*_: object, **__: object) -> int:
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as broken:
        broken.setattr(f"capture.sealing.files.os.{call}", fail)
        check_kind(agreed.send_photo(form, photo_bytes()))
        data = {"csrf_token": form.form()[1]["csrf_token"], "photo_id": "0" * 32}
        told = agreed.open("POST", "/photos/close-up", data={**data, "photo": (BytesIO(photo_bytes()), "a")}, headers=JSON)
        assert told.status == 503
        assert told.json["error"]["code"] == ("unavailable" if fault == errno.EIO else "no-space")
        assert told.headers["Retry-After"]
    assert photos_of(services, asked) == []
    assert list(services.blobs.names()) == []
    assert agreed.send_photo(form, photo_bytes()).status == 201


def test_health(app: Flask, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The health page says 200 while the database answers, and 503 when it does not."""
    assert Visitor(app).get("/healthz").json == {"ok": True}
    services.database.engine.dispose()
    (services.settings.var / "capture.db").rename(services.settings.var / "elsewhere.db")
    (services.settings.var / "capture.db").mkdir()
    page = Visitor(app).get("/healthz")
    assert (page.status, page.headers["Retry-After"]) == (503, "10")


def test_security_txt(app: Flask, services: Services) -> None:
    """SECURITY 44: the file says whom to tell of a weakness, and has not run out."""
    lines = dict(line.split(": ", 1) for line in Visitor(app).get("/.well-known/security.txt").data.decode().splitlines())
    assert lines["Contact"] == services.settings.security_contact
    assert lines["Canonical"] == f"{services.settings.origin}/.well-known/security.txt"
    assert lines["Expires"] > services.clock().isoformat()
