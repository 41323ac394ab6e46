"""JPEG of 12 bits a sample: decoded once, dithered to 8 bits, and as clean, upright and whole as any other."""

import io
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
from imagecodecs import jpeg8_encode
from PIL import Image, ImageCms

from capture.errors import PhotoRefused
from capture.photos import Cleaner, CleanPhoto, Preset, turbo, twelve
from capture.photos.clean import clean
from capture.photos.colour import DISPLAY_P3
from capture.photos.sample import sample_exif
from tests.needs import program

from . import corpus, hiding

needs_library = pytest.mark.skipif(turbo.load() is None, reason="libturbojpeg is not installed: apt install libturbojpeg0")
FRAMES = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2", b"\xff\xc9", b"\xff\xca")
DRAWN = corpus.jpeg()  # once: its grain is drawn by chance


def _drawn(mode: str = "RGB") -> Image.Image:
    return Image.open(io.BytesIO(DRAWN)).convert(mode)


def _seen(photo: CleanPhoto) -> Image.Image:
    return Image.open(io.BytesIO(photo.jpeg))


def _recoded(photo: bytes, *options: str) -> bytes:
    """A 12-bit photo in another code: jpegtran is told of 8 bits, which its lossless work never looks at."""
    jpegtran = program("jpegtran", install="apt install libjpeg-turbo-progs")
    at = photo.index(b"\xff\xc1")
    eight = photo[: at + 4] + b"\x08" + photo[at + 5 :]
    other = subprocess.run([jpegtran, *options], input=eight, capture_output=True, check=True).stdout
    at = min(other.index(frame + b"\0") for frame in FRAMES if frame + b"\0" in other)
    frame = other[at : at + 2].replace(b"\xc0", b"\xc1")
    return other[:at] + frame + other[at + 2 : at + 4] + b"\x0c" + other[at + 5 :]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_twelve_bits_come_out_as_eight(cleaner: Cleaner, mode: str) -> None:
    """A 12-bit photo in grey, colour or CMYK is taken by the confined child, looks the same, and the certificate says why."""
    photo = cleaner.clean(corpus.twelve_bit(_drawn(mode)))
    assert corpus.difference(_seen(photo), _drawn(mode)) < 2
    assert photo.report.why == "it had 12 bits a sample"
    assert (photo.report.kind, photo.report.lossless) == ("jpeg", False)


def test_rgb_components_keep_their_colours() -> None:
    """Components that Adobe's marker names as red, green and blue are not taken for luma and chroma."""
    photo = clean(corpus.twelve_bit(_drawn(), outcolorspace="RGB"), Preset())
    assert corpus.difference(_seen(photo), _drawn()) < 2


@pytest.mark.parametrize(
    "options", [["-progressive"], ["-arithmetic"], ["-arithmetic", "-progressive"], ["-restart", "2"]], ids=" ".join
)
def test_every_code_of_twelve_bits_is_read(options: list[str]) -> None:
    """Progressive, arithmetic and restarted codes hold the same picture as the plain one."""
    plain = corpus.twelve_bit(_drawn(), level=60)
    photo, other = (clean(data, Preset()) for data in (plain, _recoded(plain, *options)))
    assert corpus.difference(_seen(photo), _seen(other)) < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_twelve_bits_is_undone(orientation: int) -> None:
    """A 12-bit photo is turned upright from each of the eight orientations, at odd sizes too."""
    stored = Image.open(io.BytesIO(corpus.four_corners(orientation, (97, 65)))).convert("RGB")
    source = corpus.insert(corpus.twelve_bit(stored), corpus.segment(0xE1, sample_exif(orientation=orientation)))
    photo = clean(source, Preset())
    assert (photo.report.orientation, _seen(photo).size) == (orientation, (97, 65))
    assert corpus.corners(_seen(photo)) == list(corpus.CORNERS)


def test_profiles_of_twelve_bits() -> None:
    """Display P3 stays as it is under our own profile; another profile is converted."""
    profiled = {
        name: clean(corpus.insert(corpus.twelve_bit(_drawn()), corpus.segment(0xE2, b"ICC_PROFILE\0\1\1" + profile)), Preset())
        for name, profile in {"p3": DISPLAY_P3, "swapped": hiding._swapped(hiding.SRGB)}.items()
    }
    assert _seen(profiled["p3"]).info["icc_profile"] == DISPLAY_P3
    assert corpus.difference(_seen(profiled["p3"]), _drawn()) < 2
    assert "icc_profile" not in _seen(profiled["swapped"]).info
    wanted = ImageCms.profileToProfile(
        _drawn(), io.BytesIO(hiding._swapped(hiding.SRGB)), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert wanted
    assert corpus.difference(_seen(profiled["swapped"]), wanted) < 3


def test_slopes_stay_smooth() -> None:
    """A slope finer than 8 bits keeps its mean along the way: it is dithered, and black and white stay what they are."""
    slope = np.tile(np.linspace(1000, 1040, 256).round().astype(np.uint16), (256, 1))
    for value, wanted in ((0, 0), (4095, 255)):
        flat = np.full((64, 64), value, np.uint16)
        assert set(np.unique(np.asarray(twelve.decode(bytes(jpeg8_encode(flat, level=100, bitspersample=12)))))) == {wanted}
    eight = np.asarray(twelve.decode(bytes(jpeg8_encode(slope, level=100, bitspersample=12))))
    assert np.abs(eight.mean(axis=0) - slope[0] / 4095 * 255).max() < 0.2


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda photo: photo[: len(photo) // 2], "truncated"),
    "cut, with an end put on": (lambda photo: photo[: len(photo) // 2] + b"\xff\xd9", "damaged"),
    "with a hole": (lambda photo: photo[: len(photo) - 300] + photo[-2:], "damaged"),
    "of 60 megapixels": (lambda photo: _sized(photo, 10_000, 6_000), "too-many-pixels"),
    "of no width": (lambda photo: _sized(photo, 0, 10), "damaged"),
    "that is baseline": (lambda photo: photo.replace(b"\xff\xc1", b"\xff\xc0"), "jpeg-kind"),
}


def _sized(photo: bytes, width: int, height: int) -> bytes:
    at = photo.index(b"\xff\xc1") + 5
    return photo[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + photo[at + 4 :]


@needs_library
@pytest.mark.parametrize("name", SPOILT)
def test_twelve_bits_that_are_not_whole_are_refused(name: str) -> None:
    """SECURITY 18, 19: a 12-bit photo that is cut, holed, too large or impossible is refused with its code."""
    spoil, code = SPOILT[name]
    with pytest.raises(PhotoRefused) as refusal:
        clean(spoil(corpus.twelve_bit(_drawn())), Preset())
    assert refusal.value.code == code


def test_memory_of_many_scans_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 18: a progressive 12-bit photo whose coefficients and samples would not fit together is refused beforehand."""
    photo = corpus.twelve_bit(_drawn(), level=60)
    monkeypatch.setattr(twelve, "MOST", 160 * 120 * 12)
    assert clean(photo, Preset()).report.width == 160
    with pytest.raises(PhotoRefused) as refusal:
        clean(_recoded(photo, "-progressive"), Preset())
    assert refusal.value.code == "too-many-pixels"


def test_surplus_bytes_before_the_end_are_cut_off() -> None:
    """A camera's padding before the end is tolerated, as with 8 bits."""
    photo = corpus.twelve_bit(_drawn())
    padded = photo[:-2] + bytes(12) + photo[-2:]
    assert corpus.difference(_seen(clean(padded, Preset())), _drawn()) < 2


def test_large_photo_of_twelve_bits_fits_the_child(cleaner: Cleaner) -> None:
    """A 12-bit photo of 48 megapixels is decoded within the child's memory."""
    slope = np.broadcast_to(np.linspace(0, 4095, 8000).astype(np.uint16)[None, :, None], (6000, 8000, 3))
    report = cleaner.clean(bytes(jpeg8_encode(np.ascontiguousarray(slope), level=80, bitspersample=12))).report
    assert (report.width, report.height) == (8000, 6000)
