"""Photos in pieces: the rules of tus 1.0 and of docs/uploads.md, with SECURITY 9, 12, 19, 20 and 29 for them."""

import secrets
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from capture.app import create_app
from capture.photos.arriving import Arriving
from capture.services import Services
from capture.store.models import Request
from tests.builders import ARequest, agree_patient, confirm_patient, make_request, photo_bytes, photos_of
from tests.conftest import Clock
from tests.web.html import Visitor, patient
from tests.web.phone import CHUNK, Phone, refused

PHOTO = photo_bytes()
NOBODY = "0" * 32


@pytest.fixture
def phone(agreed: Visitor) -> Phone:
    return Phone(agreed)


def free(services: Services) -> int:
    return services.arriving.free


def test_a_photo_in_pieces(phone: Phone, services: Services, asked: ARequest) -> None:
    """A photo that comes in pieces is durable once the last of them got its 204, and nothing of it is left in memory."""
    photo_id, before = secrets.token_hex(16), free(services)
    page = phone.send(PHOTO, photo_id, size=30_000)
    assert (page.status, page.headers["Upload-Offset"], page.data) == (204, str(len(PHOTO)), b"")
    assert "Upload-Expires" not in page.headers
    assert [photo.id for photo in photos_of(services, asked)] == [photo_id]
    assert free(services) == before


def test_what_options_say(phone: Phone, services: Services) -> None:
    """OPTIONS names the version, the extensions and the largest photo, whatever version the client speaks."""
    for version in ("", "0.2.2"):
        page = phone.ask("OPTIONS", "/uploads", Tus_Resumable=version)
        assert page.status == 204
        assert page.headers["Tus-Version"] == "1.0.0"
        assert set(page.headers["Tus-Extension"].split(",")) == {"creation", "termination", "expiration"}
        assert page.headers["Tus-Max-Size"] == str(services.settings.max_upload_bytes)


def test_version_on_every_answer(phone: Phone) -> None:
    """Every answer under /uploads names the version, refusals too; none of them may be stored."""
    photo_id = phone.begin(PHOTO)
    pages = [
        phone.head(photo_id),
        phone.head(NOBODY),
        phone.patch(photo_id, 7, b"x"),
        phone.create(NOBODY, 0),
        phone.ask("PUT", "/uploads"),
        phone.ask("POST", "/uploads", X_CSRFToken=""),
        phone.delete(photo_id),
    ]
    assert [page.status for page in pages] == [200, 404, 409, 422, 405, 400, 204]
    for page in pages:
        assert page.headers["Tus-Resumable"] == "1.0.0"
        assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("version", ["", "0.2.2", "1.0", "1.0.0, 1.0.0", "2.0.0"])
def test_another_version(phone: Phone, version: str) -> None:
    """A request of another version is not looked at: 412, and the version to use."""
    photo_id, path = phone.begin(PHOTO), "/uploads/"
    for method, where in (("POST", "/uploads"), ("HEAD", path + photo_id), ("PATCH", path + photo_id), ("DELETE", path + photo_id)):
        page = phone.ask(method, where, Tus_Resumable=version)
        refused(page, 412)
        assert page.headers["Tus-Version"] == "1.0.0"
    assert phone.offset(photo_id) == 0


def test_creation(phone: Phone, clock: Clock) -> None:
    """Creating answers 201 with the place of the photo on this server and when it is given up."""
    photo_id = secrets.token_hex(16)
    page = phone.create(photo_id, len(PHOTO))
    assert (page.status, page.location, page.headers["Upload-Offset"]) == (201, f"/uploads/{photo_id}", "0")
    assert page.headers["Upload-Expires"] == "Sun, 22 Nov 2026 10:30:00 GMT"
    page = phone.head(photo_id)
    assert (page.status, page.headers["Upload-Offset"], page.headers["Upload-Length"]) == (200, "0", str(len(PHOTO)))
    clock.forward(minutes=5)
    assert phone.patch(photo_id, 0, PHOTO[:9]).headers["Upload-Expires"] == "Sun, 22 Nov 2026 10:35:00 GMT"


def test_creating_again_goes_on(phone: Phone, services: Services) -> None:
    """The same photo created again goes on where it was and takes no more memory (SECURITY 12)."""
    photo_id, left = phone.begin(PHOTO, come=1_000), free(services)
    page = phone.create(photo_id, len(PHOTO))
    assert (page.status, page.headers["Upload-Offset"]) == (201, "1000")
    assert phone.offset(photo_id) == 1_000
    assert free(services) == left
    assert phone.patch(photo_id, 1_000, PHOTO[1_000:]).status == 204


def test_creating_what_has_arrived(phone: Phone, services: Services, asked: ARequest) -> None:
    """A photo that is durable is created again without a byte: its offset is its length, and there is one photo (SECURITY 12)."""
    photo_id = secrets.token_hex(16)
    for _ in range(2):
        assert phone.create(photo_id, len(PHOTO)).status == 201
        if phone.offset(photo_id) == 0:
            assert phone.patch(photo_id, 0, PHOTO).status == 204
    assert phone.offset(photo_id) == len(PHOTO)
    assert phone.patch(photo_id, len(PHOTO), b"").status == 204
    refused(phone.patch(photo_id, 0, PHOTO), 409, "wrong-offset")
    refused(phone.delete(photo_id), 409, "conflict")
    assert [photo.id for photo in photos_of(services, asked)] == [photo_id]


@pytest.mark.parametrize("come", [1_000, len(PHOTO)])
def test_id_of_another_photo(phone: Phone, app: Flask, services: Services, asked: ARequest, come: int) -> None:
    """An id that was used is refused for another view, another length and another link, on its way or arrived (SECURITY 12)."""
    other = make_request(services, asked.practice)
    stranger, photo_id = Phone(patient(app, other, agree_patient(services, other))), phone.begin(PHOTO, come=come)
    refused(phone.create(photo_id, len(PHOTO), view="context"), 422, "photo-id-used")
    refused(phone.create(photo_id, len(PHOTO) + 1), 422, "photo-id-used")
    refused(stranger.create(photo_id, len(PHOTO)), 409, "conflict")
    for page in (stranger.head(photo_id), stranger.patch(photo_id, come, b"x"), stranger.delete(photo_id)):
        refused(page, 404)
    refused(stranger.ask("GET", f"/uploads/{photo_id}"), 404)
    assert phone.offset(photo_id) == come


def test_wrong_offset(phone: Phone) -> None:
    """A piece that does not go on where the last one ended is refused with the place to go on from, and changes nothing."""
    photo_id = phone.begin(PHOTO, come=1_000)
    for offset in (0, 999, 1_001, len(PHOTO), 10**14):
        page = phone.patch(photo_id, offset, PHOTO[:50])
        refused(page, 409, "wrong-offset")
        assert page.headers["Upload-Offset"] == "1000"
    assert phone.offset(photo_id) == 1_000
    assert phone.patch(photo_id, 1_000, PHOTO[1_000:]).status == 204


def test_more_than_was_announced(phone: Phone, services: Services, asked: ARequest) -> None:
    """A photo that turns out longer than its phone said is refused and forgotten."""
    before = free(services)
    photo_id = phone.begin(PHOTO, come=1_000)
    refused(phone.patch(photo_id, 1_000, PHOTO), 422, "upload-too-long")
    refused(phone.head(photo_id), 404)
    assert (free(services), photos_of(services, asked)) == (before, [])


def test_largest_piece(phone: Phone) -> None:
    """A piece of 512 kB is taken; of one byte more nothing is, and the sentence says why (SECURITY 20, 23)."""
    photo = bytes(2 * CHUNK + 2)
    photo_id = phone.begin(photo)
    assert "too large" in refused(phone.patch(photo_id, 0, photo[: CHUNK + 1]), 413)
    assert phone.patch(photo_id, 0, photo[:CHUNK]).headers["Upload-Offset"] == str(CHUNK)


def test_largest_photo(phone: Phone, services: Services) -> None:
    """A photo above the limit is refused before any of it comes, with a sentence (SECURITY 20); an empty one is too."""
    most = services.settings.max_upload_bytes
    assert "too large" in refused(phone.create(NOBODY, most + 1), 413)
    assert "empty" in refused(phone.create(NOBODY, 0), 422, "empty")
    assert phone.create(NOBODY, most).status == 201


@pytest.mark.parametrize("kind", ["", "image/jpeg", "application/octet-stream", "application/offset+octet-stream; x=y"])
def test_type_of_a_piece(phone: Phone, kind: str) -> None:
    """A piece says that it is one; anything else is refused and changes nothing."""
    photo_id = phone.begin(PHOTO)
    refused(phone.patch(photo_id, 0, PHOTO[:1_000], Content_Type=kind), 415)
    assert phone.offset(photo_id) == 0


def test_what_is_not_a_photo(phone: Phone, services: Services, asked: ARequest) -> None:
    """What turns out to be no photo is refused at its last piece, counted (SECURITY 20), forgotten; the id may be used again."""
    photo_id, before = secrets.token_hex(16), free(services)
    page = phone.send(b"%PDF-" + bytes(5_000), photo_id, size=1_000)
    assert "PDF" in refused(page, 422, "kind-pdf")
    refused(phone.head(photo_id), 404)
    assert free(services) == before
    with services.database.read() as db:
        asked_for = db.get_one(Request, asked.id)
        assert (asked_for.refusals, asked_for.received_bytes) == (1, 5_005)
    assert phone.send(PHOTO, photo_id).status == 204


def test_deleting(phone: Phone, services: Services) -> None:
    """A photo that is deleted is gone at once, and can be begun anew under the same id."""
    before = free(services)
    photo_id = phone.begin(PHOTO, come=1_000)
    assert free(services) == before - len(PHOTO)
    assert phone.delete(photo_id).status == 204
    assert free(services) == before
    for page in (phone.head(photo_id), phone.patch(photo_id, 1_000, b"x"), phone.delete(photo_id)):
        refused(page, 404)
    assert phone.send(PHOTO, photo_id).status == 204


def test_time_to_live(phone: Phone, services: Services, clock: Clock) -> None:
    """Half an hour after its last piece what came of a photo is gone, but not before (SECURITY 15)."""
    before, photo_id = free(services), phone.begin(PHOTO)
    for offset in (0, 1_000, 2_000):
        clock.forward(minutes=29)
        assert phone.patch(photo_id, offset, PHOTO[offset : offset + 1_000]).status == 204
    clock.forward(minutes=30)
    services.arriving.sweep()  # as the server does every second
    assert free(services) == before
    refused(phone.patch(photo_id, 3_000, b"x"), 404)


def test_a_server_that_was_started_anew(phone: Phone, services: Services, asked: ARequest) -> None:
    """After a restart nothing is known of a photo that came in part; begun anew, it arrives."""
    photo_id = phone.begin(PHOTO, come=1_000)
    arriving = Arriving(memory=1 << 29, lifetime=timedelta(minutes=30), clock=services.clock)
    phone.visitor.client.application = create_app(replace(services, arriving=arriving))
    refused(phone.head(photo_id), 404)
    assert "again" in refused(phone.patch(photo_id, 1_000, PHOTO[1_000:]), 404)
    assert phone.send(PHOTO, photo_id).status == 204
    assert [photo.id for photo in photos_of(services, asked)] == [photo_id]


def test_what_a_script_is_told(phone: Phone, services: Services) -> None:
    """GET answers like the form's JSON once the photo is durable, also later, and shows nothing of the photo (SECURITY 9)."""
    photo_id = phone.begin(PHOTO)
    refused(phone.ask("GET", f"/uploads/{photo_id}", Tus_Resumable=""), 404)
    assert phone.patch(photo_id, 0, PHOTO).status == 204
    for _ in range(2):
        told = phone.ask("GET", f"/uploads/{photo_id}", Tus_Resumable="").json
        assert set(told) == {"id", "message", "hints", "next", "arrived", "total"}
        assert (told["id"], told["arrived"], told["message"]) == (photo_id, 1, f"1 of {told['total']} photos have arrived")
        assert told["next"].startswith("/photos/")


def test_sessions(phone: Phone, app: Flask, services: Services, asked: ARequest) -> None:
    """Nothing is answered without a session, before the agreement, or for another link than the browser's own."""
    photo_id = phone.begin(PHOTO)
    nobody, early = Phone(phone.visitor), Phone(phone.visitor)
    nobody.visitor, early.visitor = patient(app, asked), patient(app, asked, confirm_patient(services, asked))
    nobody.token = nobody.visitor.csrf("/staff/sign-in")
    refused(nobody.head(photo_id), 404)
    refused(nobody.create(NOBODY, 5), 404, "link-closed")
    refused(phone.create(NOBODY, 5, request="f" * 32), 409, "conflict")
    refused(phone.create(NOBODY, 5, view="other-side"), 404)
    other = make_request(services, asked.practice)
    confirmed = Phone(phone.visitor)
    confirmed.visitor = patient(app, other, confirm_patient(services, other))
    confirmed.token = confirmed.visitor.csrf("/agree")
    assert "Agree" in refused(confirmed.create(NOBODY, 5), 403, "not-allowed")


def test_csrf_and_origin(phone: Phone) -> None:
    """What changes something needs the token in the header, and may not come from another site (SECURITY 29)."""
    photo_id = phone.begin(PHOTO, come=10)
    for headers in (
        {"X_CSRFToken": ""},
        {"X_CSRFToken": "x"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        refused(phone.ask("POST", "/uploads", Upload_Length="5", Upload_Metadata=phone.about(NOBODY), **headers), 400)
        refused(phone.patch(photo_id, 10, b"x", **headers), 400)
        refused(phone.ask("DELETE", f"/uploads/{photo_id}", **headers), 400)
    assert phone.offset(photo_id) == 10


def test_method_override(phone: Phone) -> None:
    """X-HTTP-Method-Override changes no method: a POST stays one, and a photo has none."""
    photo_id = phone.begin(PHOTO, come=10)
    for method in ("PATCH", "DELETE"):
        refused(phone.ask("POST", f"/uploads/{photo_id}", X_HTTP_Method_Override=method), 405)
    assert phone.offset(photo_id) == 10
