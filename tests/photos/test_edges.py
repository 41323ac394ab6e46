"""Rare and hostile headers: each is told before a decoder sees it, and named."""

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from capture.errors import PhotoRefused
from capture.photos import Preset, colour, containers, exif, heif, planes, turbo
from capture.photos import clean as cleaning
from capture.photos.clean import clean, warm
from capture.photos.found import Found
from capture.photos.sample import sample_exif, sample_photo

from . import corpus, hiding

needs_library = pytest.mark.skipif(turbo.load() is None, reason="libturbojpeg is not installed: apt install libturbojpeg0")


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


PNG = b"\x89PNG\r\n\x1a\n"
FTYP = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
BROKEN: list[tuple[str, Callable[[], bytes], str]] = [
    ("scan before frame", lambda: b"\xff\xd8" + corpus.segment(0xDA, b"\1\1\0\0\x3f\0") + b"\xff\xd9", "damaged"),
    ("two frames", lambda: _frame(lambda frame: frame + frame), "damaged"),
    ("short frame", lambda: _frame(lambda _: corpus.segment(0xC0, b"\x08\0")), "damaged"),
    ("frame without width", lambda: _frame(lambda frame: frame[:7] + b"\0\0" + frame[9:]), "damaged"),
    ("two components", lambda: _frame(lambda _: corpus.segment(0xC0, b"\x08\0\x10\0\x10\2\1\x11\0\2\x11\0")), "jpeg-kind"),
    ("sampling of 0", lambda: _frame(lambda frame: frame[:11] + b"\0" + frame[12:]), "damaged"),
    ("lossless", lambda: _frame(lambda frame: b"\xff\xc3" + frame[2:]), "jpeg-kind"),
    ("segment of length 0", lambda: corpus.insert(corpus.jpeg(), b"\xff\xe5\0\0"), "damaged"),
    ("end of scan lost", lambda: corpus.jpeg()[:-2], "truncated"),
    ("too large a profile", lambda: corpus.insert(corpus.jpeg(), *_profile_of(5 << 20)), "too-complex"),
    ("png with a wrong name", lambda: b"\x89PNG\r\n\x1a\n" + corpus.png_chunk(b"IH\0R", b""), "damaged"),
    ("png cut in a chunk", lambda: hiding._saved(hiding._drawn(), "PNG")[:60], "truncated"),
    ("png without a header", lambda: PNG + corpus.png_chunk(b"IHDR", b"") + corpus.png_chunk(b"IEND", b""), "damaged"),
    ("webp of many chunks", lambda: _webp(b"abcd\0\0\0\0" * 20_001), "too-complex"),
    ("webp cut in a chunk", lambda: _webp(b"VP8 \xff\0\0\0"), "truncated"),
    ("webp with no picture", lambda: _webp(b"abcd\0\0\0\0"), "damaged"),
    ("webp canvas too large", lambda: _webp(b"VP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\x3f" * 2), "too-many-pixels"),
    ("heic box of no size", lambda: FTYP + b"\0\0\0\4meta", "damaged"),
    ("heic of many boxes", lambda: FTYP + b"\0\0\0\x08free" * 20_001, "too-complex"),
    ("heic with a cut list", lambda: FTYP + _box(b"meta", bytes(4) + _box(b"iprp", _box(b"ipma", bytes(7) + b"\1"))), "truncated"),
]  # fmt: skip


def _frame(change: Callable[[bytes], bytes]) -> bytes:
    photo = corpus.jpeg()
    at = photo.index(b"\xff\xc0")
    end = at + 2 + int.from_bytes(photo[at + 2 : at + 4], "big")
    return photo[:at] + change(photo[at:end]) + photo[end:]


def _profile_of(size: int) -> list[bytes]:
    parts = -(-size // 65_000)
    return [corpus.segment(0xE2, b"ICC_PROFILE\0" + bytes([number + 1, parts]) + bytes(65_000)) for number in range(parts)]


def _webp(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


@pytest.mark.parametrize(("name", "make", "code"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_broken_header_is_named(name: str, make: Callable[[], bytes], code: str) -> None:
    """SECURITY 18, 19: a header that is not right is refused with its code."""
    with pytest.raises(PhotoRefused) as refusal:
        clean(make(), Preset())
    assert refusal.value.code == code


@pytest.mark.parametrize(("error", "code"), [(MemoryError(), "too-many-pixels"), (struct.error("x"), "damaged")])
def test_any_failure_is_a_refusal(error: Exception, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 19: whatever a decoder raises, the patient gets a sentence."""

    def fail(*_arguments: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr(cleaning, "_jpeg", fail)
    with pytest.raises(PhotoRefused) as refusal:
        clean(corpus.jpeg(), Preset())
    assert refusal.value.code == code


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 20: a file beyond the limit is refused before it is walked."""
    monkeypatch.setattr(cleaning, "MAX_BYTES", 1000)
    with pytest.raises(PhotoRefused) as refusal:
        clean(corpus.jpeg(), Preset())
    assert refusal.value.code == "too-many-bytes"


def test_warming_cleans_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The zygote cleans one picture of each kind before it is confined."""
    kinds = []
    real = cleaning.clean
    monkeypatch.setattr(cleaning, "clean", lambda data, preset: kinds.append(real(data, preset).report.kind))
    warm()
    assert kinds == ["jpeg", "png", "webp", "avif", "heic"]


@needs_library
@pytest.mark.parametrize(
    ("preset", "why"),
    [
        (Preset(max_side=100), "wider"),
        (Preset(max_bytes=len(corpus.jpeg()) - 300), "bytes"),
        (Preset(max_bytes=1500), "bytes"),
    ],
)
def test_certificate_says_why_it_is_not_lossless(preset: Preset, why: str) -> None:
    """When the coefficients cannot stay, the certificate says why, and the photo fits."""
    photo = clean(corpus.jpeg(), preset)
    assert not photo.report.lossless
    assert why in photo.report.why
    assert len(photo.jpeg) <= preset.max_bytes


@needs_library
def test_photo_larger_than_the_room_is_scaled_by_its_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo whose planes would not fit in memory is decoded at a half or less; a progressive one is refused."""
    monkeypatch.setattr(planes, "ROOM", 130_000)
    source = corpus.insert(corpus.jpeg((320, 240)), corpus.segment(0xE1, sample_exif(orientation=6)))
    photo = clean(source, Preset())
    assert (photo.report.width, photo.report.height) == (120, 160)
    with pytest.raises(PhotoRefused) as refusal:
        clean(corpus.jpeg((640, 480), progressive=True), Preset())
    assert refusal.value.code == "too-many-pixels"


@needs_library
@pytest.mark.parametrize("orientation", [1, 6])
def test_odd_photo_is_scaled_with_its_colours(orientation: int) -> None:
    """A photo of odd size is made smaller without a seam at its edges."""
    source = corpus.four_corners(orientation, (401, 301))
    photo = clean(source, Preset(max_side=201))
    im = Image.open(io.BytesIO(photo.jpeg)).convert("RGB")
    assert im.size in {(201, 150), (201, 151)}
    assert corpus.corners(im) == list(corpus.CORNERS)
    edge, inside = im.getpixel((im.width - 1, im.height - 1)), im.getpixel((im.width - 20, im.height - 20))
    assert isinstance(edge, tuple)
    assert isinstance(inside, tuple)
    assert max(abs(a - b) for a, b in zip(edge, inside, strict=True)) < 12


def test_what_can_never_fit_is_refused() -> None:
    """A preset smaller than any picture is an honest refusal, not an endless search."""
    with pytest.raises(PhotoRefused) as refusal:
        clean(corpus.jpeg(), Preset(max_bytes=300))
    assert refusal.value.code == "cannot-fit"


def test_quality_search_comes_close_to_the_limit() -> None:
    """A photo that must shrink uses the room that it has: more than four fifths of the bytes, and all pixels."""
    source = sample_photo(size=(1600, 1200), quality=97)
    limit = len(source) // 3
    photo = clean(source, Preset(max_bytes=limit))
    assert photo.report.width == 1600
    assert 0.8 * limit < len(photo.jpeg) <= limit


@pytest.mark.parametrize("gamma", [None, 2.2])
def test_profile_with_a_table_is_recognised_by_its_curve(gamma: float | None) -> None:
    """A profile with sRGB's curve as a table is sRGB; the same primaries with another curve are not."""
    levels = [n / 255 for n in range(256)]
    curve = [x**gamma if gamma else (x / 12.92 if x < 0.04045 else ((x + 0.055) / 1.055) ** 2.4) for x in levels]
    table = b"curv\0\0\0\0" + struct.pack(">I256H", 256, *(round(65535 * y) for y in curve))
    profile = bytearray(hiding.SRGB)
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        if bytes(profile[at : at + 4]) in {b"rTRC", b"gTRC", b"bTRC"}:
            profile[at + 4 : at + 12] = struct.pack(">II", len(hiding.SRGB), len(table))
    assert colour.recognise(bytes(profile) + table) == (None if gamma else "srgb")
    assert colour.recognise(bytes(profile) + table[:300]) is None
    assert colour.recognise(bytes(profile) + b"curv\0\0\0\0\0\0\0\1\2\x33\0\0") is None
    assert colour.recognise(bytes(profile) + b"abcd" * 10) is None


def test_times_that_are_not_times() -> None:
    """A camera's time is taken over only if it is one; its offset only if it is one."""
    tiff = sample_exif()
    assert exif.read(tiff).taken_at == "2026-11-02T09:41:07+00:00"
    assert exif.read(tiff.replace(b"+00:00", b"nonsen")).taken_at == "2026-11-02T09:41:07"
    assert exif.read(tiff.replace(b"2026:11:02", b"0000:00:00")).taken_at is None
    assert exif.read(tiff.replace(b"2026:11:02 09:41:07", b"yesterday afternoon")).taken_at is None
    assert exif.read(tiff[:60]).taken_at is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_in_both_byte_orders(order: str) -> None:
    """EXIF is read in both byte orders, and an orientation of 9 is none."""
    for written, read in ((6, 6), (9, 1)):
        mark = b"II*\0" if order == "<" else b"MM\0*"
        tiff = mark + struct.pack(order + "IHHHIHxxI", 8, 1, 0x0112, 3, 1, written, 0)
        assert exif.read(tiff).orientation == read


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_other_kinds_come_out_upright(kind: str, orientation: int) -> None:
    """Orientation is undone once in every container: by EXIF in PNG and WebP, by irot and imir in HEIC and AVIF."""
    stored = Image.open(io.BytesIO(corpus.four_corners(orientation, (96, 64))))
    buffer = io.BytesIO()
    stored.save(buffer, kind, exif=sample_exif(orientation=orientation), quality=95)
    im = Image.open(io.BytesIO(clean(buffer.getvalue(), Preset()).jpeg))
    assert im.size == (96, 64)
    assert corpus.corners(im) == list(corpus.CORNERS)


def test_display_p3_by_code_points() -> None:
    """AVIF and HEIC may name their colours by number (ITU-T H.273) instead of a profile."""
    found = Found(1, 1)
    heif._property(found, b"colr", b"nclx" + struct.pack(">HHHB", 12, 13, 6, 0x80))
    assert found.profile == colour.DISPLAY_P3
    other = Found(1, 1)
    heif._property(other, b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80))
    assert not other.profile


def test_wide_numbers_of_heif_are_read() -> None:
    """Boxes with 64-bit sizes, 32-bit item numbers and 15-bit property numbers are read as the standard says."""
    infe = _box(b"infe", b"\3\0\0\0" + struct.pack(">IH", 70_000, 0) + b"hvc1\0")
    ipma = _box(b"ipma", b"\1\0\0\1" + struct.pack(">IIBH", 1, 70_000, 1, 0x8001))
    ispe = _box(b"ispe", bytes(4) + struct.pack(">II", 640, 480))
    body = b"".join([
        bytes(4),
        _box(b"pitm", b"\1\0\0\0" + struct.pack(">I", 70_000)),
        _box(b"iinf", b"\1\0\0\0" + struct.pack(">I", 1) + infe),
        _box(b"iref", bytes(4) + _box(b"thmb", b"")),
        _box(b"iprp", _box(b"ipco", ispe) + ipma),
    ])  # fmt: skip
    found = heif.heif(FTYP + struct.pack(">I4sQ", 1, b"meta", 16 + len(body)) + body)
    assert (found.width, found.height) == (640, 480)
    assert found.removed == {"thumbnail": 1}


def test_webp_without_a_canvas_has_its_frame_size() -> None:
    """Plain and lossless WebP state their size in the frame's own header."""
    for options in ({"lossless": True}, {"lossless": False}):
        plain: dict[str, Any] = options
        found = containers.webp(hiding._saved(hiding._drawn(), "WEBP", **plain))
        assert (found.width, found.height) == (120, 90)


@needs_library
def test_library_that_has_no_memory_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the library cannot even begin, the photo is refused as too large for the child."""
    library = turbo.load()
    assert library
    monkeypatch.setattr(library._library, "tjInitTransform", lambda: 0)
    with pytest.raises(PhotoRefused) as refusal:
        clean(corpus.jpeg(), Preset())
    assert refusal.value.code == "too-many-pixels"


def test_missing_library_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library there is no error, and the certificate says what to install."""
    monkeypatch.setattr(turbo, "_NAMES", ("libnothing.so.0",))
    assert turbo.load.__wrapped__() is None
    monkeypatch.setattr(turbo, "load", lambda: None)
    assert "libturbojpeg" in clean(corpus.jpeg(), Preset()).report.why


def test_blocks_that_do_not_follow_each_other_have_no_averages() -> None:
    """If the library ever kept its coefficients in pieces, the small picture is decoded instead."""
    assert turbo._averages([1000, 2000, 3500], 2) == []
    assert math.isclose(planes.ROOM, 300 << 20)
