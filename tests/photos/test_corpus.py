"""Every hiding place, with the system's libturbojpeg and without it."""

import io
import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from capture.errors import PhotoRefused
from capture.photos import CleanPhoto, Preset, turbo
from capture.photos.clean import clean
from capture.photos.found import MAX_VIDEOS, Found
from capture.photos.verify import verify
from tests.needs import program

from . import corpus, hiding
from .conftest import EXIFTOOL

PHOTOS = hiding.photos()
MAY_BE_REFUSED = {"jpeg: canary before EOI", "png: bytes after the pixels"}  # damage, or something hidden: either will do


@pytest.fixture(scope="module", params=["libturbojpeg", "Pillow alone"])
def cleaned(request: pytest.FixtureRequest) -> Iterator[dict[str, CleanPhoto]]:
    """The whole corpus, cleaned."""
    patch = pytest.MonkeyPatch()
    if request.param == "Pillow alone":
        patch.setattr(turbo, "load", lambda: None)
    elif turbo.load() is None:
        pytest.skip("libturbojpeg is not installed: apt install libturbojpeg0")
    made, refused = {}, dict[str, PhotoRefused]()
    for name, photo in PHOTOS.items():
        try:
            made[name] = clean(photo, Preset())
        except PhotoRefused as refusal:
            refused[name] = refusal
    assert set(refused) <= MAY_BE_REFUSED, refused
    yield made
    patch.undo()


def test_corpus_is_not_small() -> None:
    """The corpus holds at least 120 photos, and the canary is really in them."""
    assert len(PHOTOS) >= 120
    visible = [name for name, photo in PHOTOS.items() if corpus.CANARY in photo or corpus.CANARY[:20] in photo]
    assert len(visible) > 90


def test_no_canary_survives(cleaned: dict[str, CleanPhoto]) -> None:
    """SECURITY 16: whatever was hidden anywhere, no byte of it is in the photo, the preview or the certificate."""
    for name, photo in cleaned.items():
        for data in (photo.jpeg, photo.preview, photo.report.to_json().encode()):
            assert corpus.CANARY[:12] not in data, name
        verify(photo.jpeg, Preset())
        verify(photo.preview, Preset(max_bytes=70_000, max_side=640))


def test_outside_opinion_finds_only_the_picture(cleaned: dict[str, CleanPhoto], tmp_path: Path) -> None:
    """exiftool finds a picture and nothing else in every cleaned photo."""
    exiftool = program("exiftool", install=EXIFTOOL)
    for number, photo in enumerate(cleaned.values()):
        (tmp_path / f"{number:03}.jpg").write_bytes(photo.jpeg)
    command = [exiftool, "-j", "-a", "-u", "-G0", "-ee", "-api", "RequestAll=0", str(tmp_path)]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert len(found) == len(cleaned)
    for name, tags in zip(cleaned, sorted(found, key=lambda tags: str(tags["SourceFile"])), strict=True):
        groups = {tag.partition(":")[0] for tag in tags if tag != "SourceFile"}
        allowed = {"ExifTool", "File", "JFIF", "Composite"}
        if cleaned[name].report.colour == "display-p3":
            allowed.add("ICC_Profile")
        assert groups <= allowed, name
        assert "File:Comment" not in tags, name


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the metadata that came in
def test_picture_is_the_same(cleaned: dict[str, CleanPhoto]) -> None:
    """No picture was lost on the way: what comes out looks like what a decoder shows of what came in."""
    different = {"foreign profile", "long Adobe", "16-bit", "transparent", "Adobe RGB", "CMYK", "12-bit"}  # have tests of their own
    for name, photo in cleaned.items():
        if any(words in name for words in different):
            continue
        before, after = (Image.open(io.BytesIO(data)) for data in (PHOTOS[name], photo.jpeg))
        assert after.size == before.size, name
        assert corpus.difference(before, after) < (5 if "mode P" in name else 3), name


def test_jpeg_stays_lossless(cleaned: dict[str, CleanPhoto]) -> None:
    """With the library an ordinary JPEG keeps its coefficients; without it the certificate says why not."""
    report = cleaned["jpeg baseline: EXIF"].report
    assert report.lossless is (turbo.load() is not None)
    assert bool(report.why) is not report.lossless


def test_what_was_removed_is_named(cleaned: dict[str, CleanPhoto]) -> None:
    """The certificate names what was there, in plain words and with counts."""

    def names(photo: str) -> dict[str, int]:
        return {removed.name: removed.count for removed in cleaned[photo].report.removed}

    assert names("jpeg baseline: two comments")["comment"] == 2
    assert names("jpeg baseline: EXIF")["GPS position"] >= 4
    assert names("jpeg baseline: EXIF thumbnail")["thumbnail"] == 1
    assert names("jpeg baseline: JFIF thumbnail")["thumbnail"] == 1
    assert names("jpeg progressive: video behind") == {"video": 1}
    assert names("jpeg progressive: picture behind") == {"further picture": 1}
    assert names("jpeg baseline: bytes behind") == {"data after the picture": 1}
    assert names("jpeg baseline: content credentials") == {"content credentials": 1}
    assert names("png: text") == {"text": 1}
    assert names("png: animation")["animation"] == 1
    assert names("webp: XMP") == {"XMP": 1}
    assert names("heic: EXIF")["serial number"] == 1
    assert names("avif: XMP")["XMP"] == 1
    assert names("heic: mpvd box")["video"] == 1


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("kind", ["JPEG", "HEIF"])
def test_video_is_named_with_its_length(version: int, kind: str) -> None:
    """The video of a motion photo is named with how long it plays, from either form of its header; never with a date."""
    form = ">IIII" if version == 0 else ">QQIQ"
    header = b"mvhd" + bytes([version, 0, 0, 0]) + struct.pack(form, 3_870_000_000, 3_870_000_000, 30_000, 54_321)
    movie = corpus.VIDEO + struct.pack(">I", 16 + len(header)) + b"moov" + struct.pack(">I", 4 + len(header)) + header
    photo = io.BytesIO()
    Image.open(io.BytesIO(corpus.jpeg())).save(photo, kind)
    behind = movie if kind == "JPEG" else struct.pack(">I", 8 + len(movie)) + b"mpvd" + movie
    report = clean(photo.getvalue() + behind, Preset()).report
    assert [(removed.name, removed.count) for removed in report.removed] == [("video of 1.8 s", 1)]


@pytest.mark.parametrize("scale", [0, 1, 0xFFFFFFFF])
def test_length_that_cannot_be_is_not_told(scale: int) -> None:
    """A video whose header is cut, or says nonsense, is a video and nothing more; a thousand of them are soon counted."""
    found = Found(1, 1)
    found.video(b"mvhd" + bytes(12) + struct.pack(">II", scale, 0xFFFFFFFF if scale < 2 else 0))
    found.video(b"mvhd\1")
    found.trailing(b"ftypisom" * 1000)
    assert found.removed["video"] == 2 + MAX_VIDEOS
    assert set(+found.removed) == {"video"}
