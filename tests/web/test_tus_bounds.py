"""Photos in pieces, bounded: quotas of a link, memory of all, and what is kept while nothing can be stored (SECURITY 20, 21)."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from capture.app import create_app
from capture.errors import Unavailable
from capture.photos.arriving import PER_REQUEST, Arriving
from capture.services import Services
from capture.store.models import Photo, Request
from tests.builders import ARequest, agree_patient, photo_bytes, photos_of
from tests.conftest import Clock
from tests.web.conftest import app_with
from tests.web.html import Visitor, patient
from tests.web.phone import Phone, refused

PHOTO = photo_bytes()
NOBODY = "0" * 32


@pytest.fixture
def phone(agreed: Visitor) -> Phone:
    return Phone(agreed)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"max_photos": 1}, "as many photos"),
        ({"max_refusals": 1}, "could not be used"),
        ({"max_link_bytes": 2 * len(PHOTO) - 1}, "smaller"),
    ],
)
def test_quotas(services: Services, asked: ARequest, settings: dict[str, int], sentence: str) -> None:
    """Photos, refused files and bytes of a link are bounded, told before any of a photo comes; a form is told too (SECURITY 20)."""
    visitor = patient(app_with(services, **settings), asked, agree_patient(services, asked))
    phone = Phone(visitor)
    waiting = phone.begin(PHOTO)
    form = visitor.get("/photos/context")
    if "max_refusals" in settings:
        assert phone.send(b"GIF89a" + bytes(100)).status == 422
    else:
        assert phone.send(PHOTO, view="context").status == 204
    for page in (phone.create(NOBODY, len(PHOTO)), phone.patch(waiting, 0, PHOTO)):
        assert sentence in refused(page, 429, "too-many")
        assert "Retry-After" not in page.headers
    assert visitor.send_photo(form, PHOTO).status == 429


def test_bytes_are_counted_in_the_database(phone: Phone, services: Services, asked: ARequest) -> None:
    """The bytes of a link are those of its files, however they came and however often they were asked for (SECURITY 20)."""
    photo_id = secrets.token_hex(16)
    phone.send(PHOTO, photo_id, size=10_000)
    phone.send(PHOTO, photo_id)
    assert phone.visitor.send_photo(phone.visitor.get("/photos/context"), PHOTO).status == 201
    phone.begin(PHOTO, come=5_000)
    with services.database.read() as db:
        assert db.get_one(Request, asked.id).received_bytes == 2 * len(PHOTO)
        assert db.query(Photo).count() == 2


def with_memory(services: Services, asked: ARequest, memory: int) -> tuple[Phone, Arriving]:
    """A phone whose server has so much memory for photos on their way."""
    arriving = Arriving(memory=memory, lifetime=timedelta(minutes=30), clock=services.clock)
    app = create_app(replace(services, arriving=arriving))
    return Phone(patient(app, asked, agree_patient(services, asked))), arriving


@pytest.mark.parametrize("end", [Phone.delete, lambda phone, photo_id: phone.patch(photo_id, 0, PHOTO)])
def test_memory_of_all(services: Services, asked: ARequest, end: Callable[[Phone, str], object]) -> None:
    """When photos on their way take all the memory the next is told to come again, until one of them is gone (SECURITY 21)."""
    phone, arriving = with_memory(services, asked, 2 * len(PHOTO) + 10)
    first, _ = phone.begin(PHOTO), phone.begin(PHOTO)
    page = phone.create(NOBODY, len(PHOTO))
    refused(page, 503, "no-memory")
    assert page.headers["Retry-After"] == "10"
    end(phone, first)
    assert phone.create(NOBODY, len(PHOTO)).status == 201
    assert arriving.free == 10


def test_too_many_of_one_link(phone: Phone, services: Services, clock: Clock) -> None:
    """Of one link few photos are on their way at once: the one that has been silent longest makes way."""
    before, ids = services.arriving.free, []
    for _ in range(PER_REQUEST):
        ids.append(phone.begin(PHOTO))
        clock.forward(seconds=1)
    assert phone.patch(ids[0], 0, PHOTO[:10]).status == 204
    phone.begin(PHOTO)
    assert [phone.head(photo_id).status for photo_id in ids] == [200, 404, 200, 200]
    assert services.arriving.free == before - PER_REQUEST * len(PHOTO)


class Failing:
    """A cleaner or a store that is out of order for a while."""

    def __init__(self, real: object) -> None:
        self.real, self.out_of_order = real, True

    def __getattr__(self, name: str) -> object:
        if self.out_of_order and name in {"clean", "put"}:
            raise Unavailable(code="no-space")
        return getattr(self.real, name)


@pytest.mark.parametrize("part", ["cleaner", "blobs"])
@pytest.mark.parametrize("again", ["the last piece", "an empty piece before it", "an empty piece behind it"])
def test_unavailable_keeps_what_came(services: Services, asked: ARequest, part: str, again: str) -> None:
    """When a photo cannot be stored just now its last piece is not acknowledged, nothing is lost, and asking again is enough."""
    failing = Failing(getattr(services, part))
    app = create_app(replace(services, **{part: failing}))  # type: ignore[arg-type]
    phone, before = Phone(patient(app, asked, agree_patient(services, asked))), services.arriving.free
    photo_id = phone.begin(PHOTO, come=1_000)
    for _ in range(2):
        page = phone.patch(photo_id, 1_000, PHOTO[1_000:])
        refused(page, 503, "no-space")
        assert page.headers["Retry-After"]
        assert phone.offset(photo_id) == 1_000
        refused(phone.ask("GET", f"/uploads/{photo_id}"), 404)
    failing.out_of_order = False
    offset, piece = {
        "the last piece": (1_000, PHOTO[1_000:]),
        "an empty piece before it": (1_000, b""),
        "an empty piece behind it": (len(PHOTO), b""),
    }[again]
    assert phone.patch(photo_id, offset, piece).headers["Upload-Offset"] == str(len(PHOTO))
    assert [photo.id for photo in photos_of(services, asked)] == [photo_id]
    assert services.arriving.free == before
