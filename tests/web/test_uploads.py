"""What an upload may be: SECURITY 15, 19, 20, 22 and 23, on the one route that takes a file."""

import secrets
from io import BytesIO
from unittest.mock import ANY

import pytest
from flask import Flask, request
from werkzeug.test import EnvironBuilder

from capture.errors import NotFound
from capture.photos.sample import sample_photo
from capture.services import Services
from tests.builders import ARequest, agree_patient, make_request, photo_bytes, photos_of, take_photo
from tests.web.conftest import app_with
from tests.web.html import ORIGIN, Visitor, patient

NAMES = [
    "../../../etc/passwd",
    "C:\\Windows\\win.ini",
    '"><script>alert(1)</script>.jpg',
    "a\r\nSet-Cookie: x=y.jpg",
    "\0.jpg",
    "x" * 5_000,
    "=cmd.jpg",
    "Quillon Xystus.jpg",
]


@pytest.mark.parametrize("name", NAMES)
def test_name_of_the_file(agreed: Visitor, services: Services, asked: ARequest, name: str) -> None:
    """SECURITY 22: the name that a phone gives a file reaches no path, no header, no page and no database."""
    page = agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes(), name)
    assert page.status == (422 if "\r" in name else 201)  # no browser sends a bare line end there
    paths = "\n".join(str(path) for path in services.settings.var.rglob("*"))
    written = b"".join(path.read_bytes() for path in services.settings.var.rglob("*") if path.is_file())
    for told in (paths, str(page.headers), page.data.decode(), written.decode("latin-1")):
        assert name not in told
        assert name.partition("\r\n")[2] not in told or not name.partition("\r\n")[2]


def test_stays_in_memory(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 15: a file of 9 MB is held in memory; Werkzeug's own way, a temporary file, is never taken."""

    def no_file(*_args: object, **_named: object) -> None:
        raise AssertionError("a temporary file")

    builder = EnvironBuilder(method="POST", data={"photo": (BytesIO(bytes(9_000_000)), "a.jpg")}, base_url=ORIGIN)
    environ = builder.get_environ()
    monkeypatch.setattr("tempfile.TemporaryFile", no_file)
    monkeypatch.setattr("tempfile.SpooledTemporaryFile", no_file)
    with app.request_context(environ):
        request.max_content_length = 10_000_000
        file = request.files["photo"]
        assert type(file.stream) is BytesIO
        assert len(file.stream.read()) == 9_000_000
    environ["wsgi.input"].close()
    builder.close()


def raw(
    visitor: Visitor, body: bytes, kind: str = "multipart/form-data; boundary=b", length: int | None = None, accept: str = "*/*"
) -> int:
    """An upload as bytes on the wire, with whatever length it claims: the status of the answer."""
    page = visitor.open(
        "POST",
        "/photos/close-up",
        input_stream=BytesIO(body),
        environ_overrides={"CONTENT_LENGTH": str(len(body) if length is None else length)},
        content_type=kind,
        headers={"X-CSRFToken": visitor.csrf("/photos/close-up"), "Accept": accept},
    )
    if page.status >= 400 and accept == "application/json":
        assert page.json == {"error": {"code": ANY, "sentence": ANY}}
    return page.status


def multipart(photo_id: str, photo: bytes, request_id: str = "") -> bytes:
    """The body that a browser sends."""
    parts = (
        f'--b\r\nContent-Disposition: form-data; name="request"\r\n\r\n{request_id}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="photo_id"\r\n\r\n{photo_id}\r\n'
        '--b\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return parts.encode() + photo + b"\r\n--b--\r\n"


def test_body_cut_off(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """SECURITY 19: an upload that ends early is never acknowledged; whole, it is."""
    photo_id, photo = secrets.token_hex(16), photo_bytes()
    body = multipart(photo_id, photo, asked.id)
    for cut in (10, 150, 400, len(body) // 2, len(body) - 60, len(body) - 9):
        assert 400 <= raw(agreed, body[:cut], length=len(body)) < 500, cut
        assert 400 <= raw(agreed, body[:cut]) < 500, cut
    assert photos_of(services, asked) == []
    assert raw(agreed, body) == 201


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_malformed_bodies(agreed: Visitor, services: Services, asked: ARequest, accept: str) -> None:
    """SECURITY 19: whatever the body is, the answer is one of 4xx with a sentence, and nothing is kept."""
    many = b"".join(b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n' for _ in range(200)) + b"--b--\r\n"
    bodies = [
        (b"", "multipart/form-data; boundary=b"),
        (b"\xff" * 100, "multipart/form-data; boundary=b"),
        (b"--b--", "multipart/form-data"),
        (b"--b\r\n\r\n\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (many, "multipart/form-data; boundary=b"),
        (b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n' + b"y" * 300_000, "multipart/form-data; boundary=b"),
        (b"photo=abc&photo_id=" + b"0" * 32, "application/x-www-form-urlencoded"),
        (b"%ff%fe=%00&photo_id=%ff", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (photo_bytes(), "image/jpeg"),
        (multipart("0" * 32, b"not a photo"), "multipart/form-data; boundary=b"),
        (multipart("\udcff".encode("utf-8", "surrogatepass").decode("latin-1"), photo_bytes()), "multipart/form-data; boundary=b"),
    ]
    for body, kind in bodies:
        assert 400 <= raw(agreed, body, kind, accept=accept) < 500, body[:60]
    assert photos_of(services, asked) == []


def test_claimed_length(agreed: Visitor, services: Services) -> None:
    """SECURITY 20 and 23: a body that only claims to be huge is refused before any of it is read."""
    assert raw(agreed, b"x", length=10**12) == 413
    assert raw(agreed, b"x", length=services.settings.max_upload_bytes + 20_000) == 413


def test_quota_of_photos(services: Services, asked: ARequest) -> None:
    """SECURITY 20: a link takes so many photos, retakes included, and then says so; what has arrived can still be sent."""
    visitor = patient(app_with(services, max_photos=2), asked, agree_patient(services, asked))
    for _ in range(2):
        assert visitor.send_photo(visitor.get("/photos/close-up"), photo_bytes()).status == 201
    page = visitor.send_photo(visitor.get("/photos/context"), photo_bytes("context"))
    assert page.status == 429
    assert "as many photos as this link can take" in page.text
    assert "Retry-After" not in page.headers
    assert visitor.submit(visitor.get("/check")).location == "/sent"


def test_quota_of_refused_files(services: Services, asked: ARequest) -> None:
    """SECURITY 20: so many files that cannot be used, and the link takes no more of any kind."""
    visitor = patient(app_with(services, max_refusals=2), asked, agree_patient(services, asked))
    for _ in range(2):
        assert visitor.send_photo(visitor.get("/photos/close-up"), b"%PDF-").status == 422
    page = visitor.send_photo(visitor.get("/photos/close-up"), photo_bytes())
    assert page.status == 429
    assert "Call the practice" in page.text
    assert photos_of(services, asked) == []


def test_quotas_are_per_link(services: Services, asked: ARequest) -> None:
    """SECURITY 20: one patient's quota is nothing to another's."""
    app, other = app_with(services, max_photos=1), make_request(services, asked.practice)
    first = patient(app, asked, agree_patient(services, asked))
    take_photo(services, asked)
    assert first.send_photo(first.get("/photos/context"), photo_bytes()).status == 429
    second = patient(app, other, agree_patient(services, other))
    assert second.send_photo(second.get("/photos/close-up"), photo_bytes()).status == 201


def test_view_that_was_not_asked_for(services: Services, asked: ARequest) -> None:
    """A photo of a view that the request does not ask for is refused by the action itself, not by the page alone."""
    agree_patient(services, asked)
    with pytest.raises(NotFound):
        take_photo(services, asked, "other-side")
    assert photos_of(services, asked) == []


def test_nothing_in_clear_is_kept(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """SECURITY 15: after an upload no file of the service holds a JPEG, nor anything that the phone wrote into it."""
    agreed.send_photo(agreed.get("/photos/close-up"), sample_photo(size=(640, 480)))
    for path in services.settings.var.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for trace in (b"\xff\xd8\xff\xe0\0\x10JFIF", b"Sample Phone", b"SN-0042"):  # shorter ones come by chance
                assert trace not in data, path
