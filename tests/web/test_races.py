"""Many at once: SECURITY 5, 10, 11 and 12, with real threads on a real database."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from threading import Barrier
from typing import TypeVar

from flask import Flask

from capture.actions.cancel import cancel
from capture.app import create_app
from capture.photos import Cleaner, CleanPhoto, Preset
from capture.sealing.contents import Manifest
from capture.sealing.records import from_json
from capture.services import Services
from capture.store.models import Bundle, Delivery, Photo, Request
from tests.builders import ARequest, agree_patient, bundle_of, photo_bytes, photos_of, take_photo
from tests.conftest import Clock
from tests.web.html import Page, Visitor, patient

T = TypeVar("T")


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Do it in that many threads, all let go at the same moment."""
    start = Barrier(count)

    def run(number: int) -> T:
        start.wait(timeout=20)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def count_of(services: Services, *tables: type) -> list[int]:
    with services.database.read() as db:
        return [db.query(table).count() for table in tables]


class Waiting(Cleaner):
    """The real cleaner; before it answers, something else happens."""

    def __init__(self, cleaner: Cleaner, meanwhile: Callable[[], object]) -> None:
        self.cleaner, self.meanwhile = cleaner, meanwhile

    def clean(
        self, untrusted_bytes: bytes | bytearray | memoryview, preset: Preset | None = None, *, preview: bool = False
    ) -> CleanPhoto:
        clean = self.cleaner.clean(untrusted_bytes, preset, preview=preview)
        self.meanwhile()
        return clean


def app_in_which(services: Services, meanwhile: Callable[[], object]) -> Flask:
    """The application, in which something happens while a photo is being cleaned."""
    return create_app(replace(services, cleaner=Waiting(services.cleaner, meanwhile)))


def test_twenty_guesses_at_once(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 5: of thirty wrong dates at once five are looked at and counted; the others wait, and none gets a 503."""
    visitors = [patient(app, asked) for _ in range(30)]
    forms = [visitor.get(asked.path) for visitor in visitors]
    pages = at_once(30, lambda number: visitors[number].submit(forms[number], asked.wrong))
    assert Counter(page.status for page in pages) == {422: 5, 429: 25}
    with services.database.read() as db:
        assert db.get_one(Request, asked.id).guesses == 5


def test_last_guesses_at_once(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 5: twenty in all, even if the last ones come together: one is looked at, and the link is closed."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).guesses = 19
    visitors = [patient(app, asked) for _ in range(8)]
    forms = [visitor.get(asked.path) for visitor in visitors]
    pages = at_once(8, lambda number: visitors[number].submit(forms[number], asked.wrong))
    assert Counter(page.status for page in pages)[422] == 1
    assert {page.status for page in pages} <= {422, 429, 404}
    with services.database.read() as db:
        request = db.get_one(Request, asked.id)
        assert (request.guesses, request.state) == (20, "locked")
    assert patient(app, asked).get(asked.path).status == 404


def test_sending_twenty_times(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 10: twenty presses of send at once, and one more later, give one bundle, one delivery and one receipt."""
    cookie = agree_patient(services, asked)
    take_photo(services, asked)
    visitors = [patient(app, asked, cookie) for _ in range(20)]
    forms = [visitor.get("/check") for visitor in visitors]
    pages = at_once(20, lambda number: visitors[number].submit(forms[number], {"note": f"note {number}"}))
    assert {(page.status, page.location) for page in pages} == {(303, "/sent")}
    assert visitors[0].submit(forms[0]).location == "/sent"
    assert {visitor.get("/sent").data.count(asked.receipt.encode()) for visitor in visitors[:3]} == {1}
    assert count_of(services, Bundle, Delivery) == [1, 1]


def test_same_photo_twenty_times(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 12: the same photo under the same id, sent twenty times at once, is one photo; all are told that it has arrived."""
    cookie = agree_patient(services, asked)
    visitors = [patient(app, asked, cookie) for _ in range(20)]
    forms = [visitor.get("/photos/close-up") for visitor in visitors]
    photo_id, photo = secrets.token_hex(16), photo_bytes()

    def send(number: int) -> Page:
        values = {"photo_id": photo_id, "photo": (BytesIO(photo), "IMG_0001.JPG")}
        return visitors[number].submit(forms[number], values, content_type="multipart/form-data")

    assert Counter(page.status for page in at_once(20, send)) == {201: 20}
    assert [photo.id for photo in photos_of(services, asked)] == [photo_id]
    assert count_of(services, Photo) == [1]
    assert len(list((services.settings.var / "blobs").rglob("*.age"))) == 1


def test_upload_that_races_the_sending(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 11: photos on their way while send is pressed are in the bundle if they got a 201, and refused if not."""
    cookie = agree_patient(services, asked)
    take_photo(services, asked, "context")
    uploads = [patient(app, asked, cookie) for _ in range(4)]
    sender = patient(app, asked, cookie)
    views = ("close-up", "close-up-scale") * 2
    forms = [visitor.get(f"/photos/{view}") for visitor, view in zip(uploads, views, strict=True)]
    check = sender.get("/check")

    def act(number: int) -> Page:
        if number == 4:
            return sender.submit(check)
        return uploads[number].send_photo(forms[number], photo_bytes(views[number]))

    pages = at_once(5, act)
    assert pages[4].location == "/sent"
    bundle = from_json(Manifest, bundle_of(services, asked).manifest, "bundle.json")
    sealed = {photo.view: photo.sealed_sha256 for photo in photos_of(services, asked)}
    accepted = {view for view, page in zip(views, pages, strict=False) if page.status == 201}
    assert {page.status for page in pages[:4]} <= {201, 409}
    assert {part.sha256 for part in bundle.photo_parts} == set(sealed.values())
    assert set(sealed) == accepted | {"context"}
    stored = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (services.settings.var / "blobs").rglob("*.age")}
    assert stored == set(sealed.values())


def upload_while(services: Services, asked: ARequest, meanwhile: Callable[[], object]) -> Page:
    """An upload during whose cleaning something else happens."""
    visitor = patient(app_in_which(services, meanwhile), asked, agree_patient(services, asked))
    return visitor.send_photo(visitor.get("/photos/close-up"), photo_bytes())


def test_upload_overtaken_by_the_sending(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 11: a photo whose cleaning ends after the sending is refused, and its ciphertext is not kept."""

    def send() -> None:
        sender = patient(app, asked, agree_patient(services, asked))
        take_photo(services, asked, "context")
        assert sender.submit(sender.get("/check")).location == "/sent"

    page = upload_while(services, asked, send)
    assert page.status == 409
    assert len(from_json(Manifest, bundle_of(services, asked).manifest, "bundle.json").photo_parts) == 1
    assert len(list((services.settings.var / "blobs").rglob("*.age"))) == 1


def test_upload_overtaken_by_a_cancellation(services: Services, asked: ARequest) -> None:
    """SECURITY 11: a photo whose request is cancelled while it is cleaned is refused, and its ciphertext is not kept."""
    page = upload_while(services, asked, lambda: cancel(services, asked.practice.id, asked.id, actor="operator"))
    assert page.status == 409
    assert photos_of(services, asked) == []
    assert list((services.settings.var / "blobs").rglob("*.age")) == []


def test_upload_overtaken_by_the_expiry(services: Services, asked: ARequest, clock: Clock) -> None:
    """SECURITY 11: nor is one whose time ends while it is cleaned."""
    page = upload_while(services, asked, lambda: clock.forward(days=7, minutes=30))
    assert page.status == 410
    assert photos_of(services, asked) == []
    assert list((services.settings.var / "blobs").rglob("*.age")) == []


def test_upload_overtaken_by_a_retake(app: Flask, services: Services, asked: ARequest, clock: Clock) -> None:
    """A photo that was given up for a later one never takes the later one's place, however long it was on its way."""

    def retake() -> None:
        clock.forward(seconds=5)
        take_photo(services, asked, "close-up")

    assert upload_while(services, asked, retake).status == 201
    (photo,) = photos_of(services, asked)
    assert photo.arrived_at == clock()
    assert len(list((services.settings.var / "blobs").rglob("*.age"))) == 1


def test_quota_at_once(services: Services, asked: ARequest) -> None:
    """SECURITY 20: photos sent together cannot pass the quota between looking and counting."""
    app = create_app(replace(services, settings=replace(services.settings, max_photos=2)))
    cookie = agree_patient(services, asked)
    visitors = [patient(app, asked, cookie) for _ in range(6)]
    forms = [visitor.get("/photos/close-up") for visitor in visitors]
    pages = at_once(6, lambda number: visitors[number].send_photo(forms[number], photo_bytes()))
    assert Counter(page.status for page in pages) == {201: 2, 429: 4}
    assert count_of(services, Photo) == [2]


def test_same_form_twice_issues_one_link(services: Services, desk: Visitor) -> None:
    """Pressing the button twice issues one link; the second answer says that it was shown once."""
    form = desk.get("/staff/requests/new")
    before = count_of(services, Request)
    fields = {"label": "A B", "day": "1", "month": "2", "year": "1990", "site": "scalp", "protocol": "rash", "days": "1"}
    answers = [desk.submit(form, fields).status for _ in range(2)]
    assert answers == [201, 409]
    assert count_of(services, Request) == [before[0] + 1]
