"""Nothing left but the picture, upright and in its own colours."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from capture.errors import PhotoRefused
from capture.photos import Cleaner, Preset, Report
from capture.photos.clean import clean
from capture.photos.sample import sample_exif, sample_photo
from capture.photos.verify import verify

from . import corpus

PLAIN = {
    *("File:FileType", "File:FileTypeExtension", "File:MIMEType", "File:ImageWidth", "File:ImageHeight"),
    *("File:EncodingProcess", "File:BitsPerSample", "File:ColorComponents", "File:YCbCrSubSampling"),
    *("JFIF:JFIFVersion", "JFIF:ResolutionUnit", "JFIF:XResolution", "JFIF:YResolution"),
    *("Composite:ImageSize", "Composite:Megapixels"),
}


def test_photo_with_everything_comes_out_with_nothing(exiftool: Callable[[bytes], dict[str, Any]], cleaner: Cleaner) -> None:
    """GPS, XMP, IPTC, a comment, a thumbnail and trailing data are gone, and exiftool finds only the picture."""
    dirty = corpus.everything()
    before = exiftool(dirty)
    assert {"GPS:GPSLatitude", "XMP-dc:Description", "IPTC:Keywords", "File:Comment", "IFD1:ThumbnailImage"} <= set(before)
    photo = cleaner.clean(dirty, preview=True)
    assert set(exiftool(photo.jpeg)) - PLAIN == set()
    assert corpus.CANARY not in photo.jpeg
    assert corpus.CANARY not in photo.preview
    assert corpus.CANARY.decode() not in photo.report.to_json()
    names = {removed.name for removed in photo.report.removed}
    assert {"GPS position", "XMP", "IPTC", "comment", "thumbnail", "serial number"} <= names
    assert photo.report.taken_at == "2026-11-02T09:41:07+00:00"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    """A photo stored in any of the eight orientations comes out upright, by its pixels."""
    photo = clean(corpus.four_corners(orientation, (96, 64)), Preset())
    im = Image.open(io.BytesIO(photo.jpeg))
    assert im.size == (96, 64)
    assert corpus.corners(im) == ["red", "green", "blue", "white"]
    assert photo.report.orientation == orientation


def test_report_survives_json() -> None:
    """A certificate read back from its JSON is the same certificate."""
    report = clean(sample_photo(size=(320, 240)), Preset()).report
    assert Report.from_json(report.to_json()) == report


def test_photo_fits_the_preset() -> None:
    """A photo larger than the preset comes out within its bytes and its side, and still whole."""
    preset = Preset(max_bytes=40_000, max_side=900)
    photo = clean(sample_photo(size=(1600, 1200), quality=97), preset)
    verify(photo.jpeg, preset)
    assert max(photo.report.width, photo.report.height) <= 900
    assert photo.report.width * 3 == pytest.approx(photo.report.height * 4, abs=4)


@pytest.mark.parametrize(("name", "data", "code"), corpus.refusals(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_a_photo_we_take_is_refused_by_name(name: str, data: bytes, code: str) -> None:
    """SECURITY 16, 19: every other kind, and every broken file, is refused with its own code."""
    with pytest.raises(PhotoRefused) as refusal:
        clean(data, Preset())
    assert refusal.value.code == code
    assert refusal.value.status == 422


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "HEIF"])
def test_other_kinds_become_clean_jpeg(kind: str, exiftool: Callable[[bytes], dict[str, Any]]) -> None:
    """PNG, WebP, AVIF and HEIC come out as JPEG with the same picture and nothing else."""
    buffer = io.BytesIO()
    original = Image.open(io.BytesIO(sample_photo(size=(640, 480))))
    original.save(buffer, kind, exif=sample_exif(), quality=95)
    photo = clean(buffer.getvalue(), Preset())
    assert set(exiftool(photo.jpeg)) - PLAIN == set()
    assert photo.report.taken_at == "2026-11-02T09:41:07+00:00"
    assert corpus.difference(original, Image.open(io.BytesIO(photo.jpeg))) < 3
