"""Photos in pieces: whatever a header says, the answer is a sentence and never a fault (SECURITY 19)."""

import base64
import logging
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capture.services import Services
from tests.builders import ARequest, photo_bytes, photos_of
from tests.web.html import Visitor
from tests.web.phone import TYPE, Phone, refused

PHOTO = photo_bytes()
NOBODY = "0" * 32
WRONG_SIZES = ["", "-1", "+5", "5.0", "0x5", "5 ", "5, 5", "1_000", "٥", "9" * 16, "9" * 4_000, "NaN", "five"]
text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
pairs = st.lists(
    st.tuples(st.sampled_from(["view", "photo", "request", "anyway", "filename", ""]) | text, st.binary(max_size=40) | text)
)


@pytest.fixture
def phone(agreed: Visitor) -> Phone:
    return Phone(agreed)


def encoded(value: bytes | str) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("size", WRONG_SIZES)
def test_sizes(phone: Phone, size: str) -> None:
    """A length or an offset that is missing, or no plain count of bytes, is refused with a sentence."""
    photo_id = phone.begin(PHOTO, come=10)
    refused(phone.ask("POST", "/uploads", Upload_Length=size, Upload_Metadata=phone.about(NOBODY)), 400)
    refused(phone.ask("PATCH", f"/uploads/{photo_id}", b"x", Upload_Offset=size, Content_Type=TYPE), 400)
    assert phone.offset(photo_id) == 10


def test_length_that_is_not_known_yet(phone: Phone) -> None:
    """A photo whose length the phone does not know yet cannot be begun."""
    refused(phone.ask("POST", "/uploads", Upload_Defer_Length="1", Upload_Metadata=phone.about(NOBODY)), 400)


@pytest.mark.parametrize("missing", ["view", "photo", "request"])
def test_what_must_be_named(phone: Phone, missing: str) -> None:
    """View, photo and request must be named; names that say nothing here, such as the file's, are let pass (SECURITY 22)."""
    refused(phone.create(NOBODY, 5, **{missing: ""}), 409 if missing == "request" else 400)
    assert phone.create(NOBODY, 5, filename="../../etc/passwd", anyway="").status == 201


@pytest.mark.parametrize(
    "wrong",
    [
        {"photo": "0" * 31},
        {"photo": "A" * 32},
        {"photo": "0" * 32 + "\n"},
        {"photo": "../" + "0" * 29},
        {"anyway": "yes"},
        {"view": "close-up\0"},
        {"view": "x" * 5_000},
    ],
)
def test_named_wrongly(phone: Phone, wrong: dict[str, str]) -> None:
    """An id that is none, a view that was not asked for, and an answer that is neither yes nor no are refused."""
    refused(phone.create("1" * 32, 5, **wrong), 404 if "view" in wrong else 400)


@pytest.mark.parametrize(
    "about", ["view", "view !!!!", "view Y2xvc2UtdXA=,view Y2xvc2UtdXA=", "view Y2xvc2UtdXA=,,", "view /w==", ","]
)
def test_metadata_that_is_none(phone: Phone, about: str) -> None:
    """Metadata that are no base64, no UTF-8, twice there or empty are refused with a sentence."""
    for value in (about, f"{about},{phone.about(NOBODY, view='')}"):
        assert 400 <= phone.ask("POST", "/uploads", Upload_Length="5", Upload_Metadata=value).status < 500
    refused(phone.head(NOBODY), 404)


@pytest.mark.parametrize("path", ["/uploads/x", "/uploads/" + "0" * 33, "/uploads/" + "A" * 32, "/uploads/%00", "/uploadsx"])
def test_addresses_that_are_none(phone: Phone, path: str) -> None:
    """An address that no photo can have is answered like any that is not there, in JSON."""
    for method in ("HEAD", "GET", "PATCH", "DELETE", "POST"):
        refused(phone.ask(method, path), 404)


def test_piece_that_is_cut_off(phone: Phone) -> None:
    """A piece that ends before its length is refused and not counted as come."""
    photo_id = phone.begin(PHOTO, come=10)
    page = phone.visitor.open(
        "PATCH",
        f"/uploads/{photo_id}",
        input_stream=BytesIO(PHOTO[10:500]),
        environ_overrides={"CONTENT_LENGTH": "1000"},
        headers={"Tus-Resumable": "1.0.0", "X-CSRFToken": phone.token, "Upload-Offset": "10", "Content-Type": TYPE},
    )
    refused(page, 400)
    assert phone.offset(photo_id) == 10


@pytest.mark.mass
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["POST", "HEAD", "GET", "PATCH", "DELETE", "OPTIONS", "PUT"]),
    there=st.booleans(),
    headers=st.dictionaries(
        st.sampled_from(["Tus_Resumable", "Upload_Length", "Upload_Offset", "Content_Type", "Upload_Defer_Length", "Accept"]),
        text | st.integers(-10, 10**18).map(str) | st.sampled_from(["1.0.0", TYPE, "image/jpeg", "application/json"]),
    ),
    about=text | pairs.map(lambda found: ",".join(f"{name} {encoded(value)}" for name, value in found)),
    body=st.binary(max_size=64),
)
def test_any_header(
    phone: Phone,
    services: Services,
    asked: ARequest,
    caplog: pytest.LogCaptureFixture,
    method: str,
    there: bool,
    headers: dict[str, str],
    about: str,
    body: bytes,
) -> None:
    """No value of any header makes the service fail: an answer is a success, or a sentence in JSON, and nothing arrives by it."""
    photo_id = phone.begin(PHOTO)
    path = "/uploads" if method in {"POST", "OPTIONS"} else f"/uploads/{photo_id if there else NOBODY}"
    with caplog.at_level(logging.ERROR):
        page = phone.ask(method, path, body, **{"Upload_Metadata": about, "Content_Type": TYPE} | headers)
    assert page.status < 500
    assert not caplog.records
    if page.status >= 400:
        refused(page, page.status)
    phone.delete(photo_id)
    assert photos_of(services, asked) == []
