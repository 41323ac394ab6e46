"""Photos in pieces, many at once: SECURITY 11, 12, 15 and 21, with real threads on a real database."""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Event, Thread

import pytest
from flask import Flask

from capture.actions.cancel import cancel
from capture.errors import Unavailable
from capture.photos.arriving import Arriving
from capture.sealing.contents import Manifest
from capture.sealing.records import from_json
from capture.services import Services
from capture.store.models import Photo
from tests.builders import ARequest, agree_patient, bundle_of, photo_bytes, photos_of, take_photo
from tests.conftest import Clock
from tests.web.html import Page, patient
from tests.web.phone import Phone, refused
from tests.web.test_races import app_in_which, at_once, count_of

PHOTO = photo_bytes()
SIZE = 8_000


def phones(app: Flask, services: Services, asked: ARequest, count: int) -> list[Phone]:
    """As many browsers with one session."""
    cookie = agree_patient(services, asked)
    return [Phone(patient(app, asked, cookie)) for _ in range(count)]


def test_same_piece_at_once(app: Flask, services: Services, asked: ARequest) -> None:
    """Of two that send the same piece one gets 204 and the other the place to go on; the photo that arrives is the one sent."""
    two = phones(app, services, asked, 2)
    photo_id = two[0].begin(PHOTO)
    for offset in range(0, len(PHOTO), SIZE):
        pages = at_once(2, lambda number: two[number].patch(photo_id, offset, PHOTO[offset : offset + SIZE]))  # noqa: B023 - done before the next turn
        taken, other = sorted(pages, key=lambda page: page.status)
        end = min(offset + SIZE, len(PHOTO))
        assert (taken.status, taken.headers["Upload-Offset"]) == (204, str(end))
        assert other.status in ({409} if end < len(PHOTO) else {409, 503})
        assert other.status == 503 or other.headers["Upload-Offset"] == str(end)
    assert [photo.id for photo in photos_of(services, asked)] == [photo_id]


def test_pieces_do_not_mix(app: Flask, services: Services, asked: ARequest) -> None:
    """Eight that all try to send a whole photo, each on its own, send one photo, byte for byte (SECURITY 12)."""
    eight, photo_id = phones(app, services, asked, 8), secrets.token_hex(16)

    def send(number: int) -> None:
        phone = eight[number]
        assert phone.create(photo_id, len(PHOTO)).status == 201
        while (offset := phone.offset(photo_id)) < len(PHOTO):
            page = phone.patch(photo_id, offset, PHOTO[offset : offset + SIZE])
            assert page.status in {204, 409, 503}

    at_once(8, send)
    assert [photo.id for photo in photos_of(services, asked)] == [photo_id]
    assert count_of(services, Photo) == [1]


def test_same_photo_twenty_times(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 12: the same photo begun and sent twenty times at once, whole, is one photo and one sealed file."""
    twenty, photo_id, before = phones(app, services, asked, 20), secrets.token_hex(16), services.arriving.free
    pages = at_once(20, lambda number: twenty[number].send(PHOTO, photo_id))
    counted = Counter(page.status for page in pages)
    assert counted[204] >= 1
    assert set(counted) <= {204, 409, 503}
    assert {page.headers["Upload-Offset"] for page in pages if page.status == 409} <= {str(len(PHOTO))}
    assert all(phone.offset(photo_id) == len(PHOTO) for phone in twenty)
    assert count_of(services, Photo) == [1]
    assert len(list((services.settings.var / "blobs").rglob("*.age"))) == 1
    assert services.arriving.free == before


def while_cleaning(services: Services, asked: ARequest, meanwhile: Callable[[Phone, str], object]) -> Page:
    """The answer to a last piece, during whose cleaning something else happens to the photo."""
    phone = phones(app_in_which(services, lambda: meanwhile(phone, photo_id)), services, asked, 1)[0]
    photo_id = phone.begin(PHOTO, come=SIZE)
    return phone.patch(photo_id, SIZE, PHOTO[SIZE:])


def test_while_the_last_piece_is_worked_on(services: Services, asked: ARequest) -> None:
    """Until a photo is durable HEAD never says that all of it is here; the piece sent again and DELETE are told to come later."""
    seen = []

    def look(phone: Phone, photo_id: str) -> None:
        other = Phone(phone.visitor)
        seen.append(other.offset(photo_id))
        for page in (other.patch(photo_id, SIZE, PHOTO[SIZE:]), other.delete(photo_id)):
            refused(page, 503, "photo-busy")
            assert page.headers["Retry-After"]
        assert other.create(photo_id, len(PHOTO)).headers["Upload-Offset"] == str(SIZE)
        refused(other.ask("GET", f"/uploads/{photo_id}"), 404)

    assert while_cleaning(services, asked, look).status == 204
    assert seen == [SIZE]
    assert len(photos_of(services, asked)) == 1


def test_deleting_while_pieces_come(app: Flask, services: Services, asked: ARequest) -> None:
    """DELETE and PATCH at once: the photo arrives and DELETE is told so, or it is gone; never gone and arrived."""
    two, before = phones(app, services, asked, 2), services.arriving.free
    for _ in range(6):
        photo_id = two[0].begin(PHOTO, come=SIZE)
        acts = [partial(two[0].patch, photo_id, SIZE, PHOTO[SIZE:]), partial(two[1].delete, photo_id)]
        sent, deleted = at_once(2, lambda number: acts[number]())  # noqa: B023 - done before the next turn
        assert (sent.status, deleted.status) in {(204, 409), (204, 503), (404, 204)}
        assert (photo_id in {photo.id for photo in photos_of(services, asked)}) == (sent.status == 204)
    assert services.arriving.free == before


def test_overtaken_by_the_sending(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 11: a photo whose last piece is worked on while the patient sends is refused, and none of it is kept."""
    before = services.arriving.free

    def send(_phone: Phone, _photo_id: str) -> None:
        sender = patient(app, asked, agree_patient(services, asked))
        take_photo(services, asked, "context")
        assert sender.submit(sender.get("/check")).location == "/sent"

    page = while_cleaning(services, asked, send)
    refused(page, 409, "conflict")
    assert "Upload-Offset" not in page.headers
    assert len(from_json(Manifest, bundle_of(services, asked).manifest, "bundle.json").photo_parts) == 1
    assert len(list((services.settings.var / "blobs").rglob("*.age"))) == 1
    assert services.arriving.free == before


def test_overtaken_by_a_cancellation(services: Services, asked: ARequest) -> None:
    """SECURITY 11: nor is one whose request is taken back meanwhile."""
    before = services.arriving.free
    page = while_cleaning(services, asked, lambda *_: cancel(services, asked.practice.id, asked.id, actor="operator"))
    refused(page, 409, "conflict")
    assert photos_of(services, asked) == []
    assert list((services.settings.var / "blobs").rglob("*.age")) == []
    assert services.arriving.free == before


def test_overtaken_by_the_expiry(services: Services, asked: ARequest, clock: Clock) -> None:
    """SECURITY 11: nor is one whose time ends meanwhile."""
    page = while_cleaning(services, asked, lambda *_: clock.forward(days=7, minutes=30))
    refused(page, 410, "link-expired")
    assert photos_of(services, asked) == []


@pytest.mark.parametrize("closing", ["sent", "cancelled"])
def test_what_is_on_its_way_when_the_request_closes(app: Flask, services: Services, asked: ARequest, closing: str) -> None:
    """SECURITY 15: a request that was sent or taken back leaves nothing of any photo in memory, and takes no more."""
    phone, before = phones(app, services, asked, 1)[0], services.arriving.free
    photo_id = phone.begin(PHOTO, come=SIZE)
    if closing == "sent":
        take_photo(services, asked, "context")
        assert phone.visitor.submit(phone.visitor.get("/check")).location == "/sent"
    else:
        cancel(services, asked.practice.id, asked.id, actor="operator")
    assert services.arriving.free == before
    assert phone.patch(photo_id, SIZE, PHOTO[SIZE:]).status in {404, 409}
    assert 400 <= phone.create(photo_id, len(PHOTO)).status < 500


def test_sending_races_the_last_pieces(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 11: photos whose last piece comes as send is pressed are in the bundle if it got 204, and refused if not."""
    views = ("close-up", "close-up-scale")
    *senders, other = phones(app, services, asked, 3)
    take_photo(services, asked, "context")
    ids = [phone.begin(PHOTO, come=SIZE, view=view) for phone, view in zip(senders, views, strict=True)]
    check = other.visitor.get("/check")

    def act(number: int) -> Page:
        return other.visitor.submit(check) if number == 2 else senders[number].patch(ids[number], SIZE, PHOTO[SIZE:])

    pages = at_once(3, act)
    assert pages[2].location == "/sent"
    assert {page.status for page in pages[:2]} <= {204, 404, 409}
    bundle = from_json(Manifest, bundle_of(services, asked).manifest, "bundle.json")
    arrived = {view for view, page in zip(views, pages, strict=False) if page.status == 204}
    assert {photo.view for photo in photos_of(services, asked)} == arrived | {"context"}
    assert len(bundle.photo_parts) == len(arrived) + 1


def arriving_of(clock: Clock) -> Arriving:
    return Arriving(memory=1_000_000, lifetime=timedelta(minutes=30), clock=clock)


def test_what_is_held_is_not_forgotten(clock: Clock) -> None:
    """A photo that is being worked on outlives its time, its rivals and the end of its request until it is let go."""
    arriving = arriving_of(clock)
    arriving.begin("a", "r", "v", 10, sent_anyway=False)
    with arriving.hold("a", "r") as upload:
        assert upload
        clock.forward(hours=1)
        arriving.sweep()
        arriving.end_request("r")
        assert arriving.find("a", "r") is upload
        others = [arriving.begin(name, "r", "v", 10, sent_anyway=False) for name in "bcde"]
        assert [arriving.find(one.photo_id, "r") for one in others] == [None, *others[1:]]
    arriving.sweep()
    assert arriving.find("a", "r") is None
    arriving.end_request("r")
    assert arriving.free == 1_000_000


def test_all_that_are_held(clock: Clock) -> None:
    """When every photo of a link is worked on, the next one has to wait."""
    arriving = arriving_of(clock)
    for name in "abcd":
        arriving.begin(name, "r", "v", 10, sent_anyway=False).lock.acquire()
    with pytest.raises(Unavailable):
        arriving.begin("e", "r", "v", 10, sent_anyway=False)


def test_gone_while_one_waited(clock: Clock) -> None:
    """One that waited for a photo that is gone by then gets nothing of it."""
    arriving, waiting = arriving_of(clock), Event()
    upload = arriving.begin("a", "r", "v", 10, sent_anyway=False)
    got: list[object] = []

    def wait() -> None:
        waiting.set()
        with arriving.hold("a", "r") as found:
            got.append(found)

    with arriving.hold("a", "r"):
        thread = Thread(target=wait)
        thread.start()
        waiting.wait(5)
        time.sleep(0.1)
        arriving.end(upload)
    thread.join()
    assert got == [None]
    with arriving.hold("a", "r") as found:
        assert found is None


def test_what_may_finish(clock: Clock) -> None:
    """The server cleans in other threads than it answers pages: it is told which pieces may be the last of their photo."""
    arriving = arriving_of(clock)
    upload = arriving.begin("a", "r", "v", 10, sent_anyway=False)
    assert [arriving.may_finish("a", end) for end in (0, 9, 10, 11)] == [False, False, True, True]
    assert arriving.may_finish("unknown", 1)
    upload.put(0, b"x" * 10)
    assert arriving.may_finish("a", 0)
