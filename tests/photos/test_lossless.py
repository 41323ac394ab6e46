"""JPEG: the source's own coefficients, upright, where that is exact; the right reason where it is not."""

import io
import itertools
import subprocess
from typing import Any

import pytest
from PIL import Image

from capture.errors import PhotoRefused
from capture.photos import Preset, jpeg, turbo
from capture.photos import clean as cleaning
from capture.photos.clean import clean
from capture.photos.sample import sample_exif, sample_photo
from tests.needs import program

from . import corpus

LIBRARY = turbo.load()
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libturbojpeg is not installed: apt install libturbojpeg0")
SIZES = {"even": (96, 64), "odd": (99, 67)}
SAMPLINGS = {"4:4:4": 8, "4:2:2": 16, "4:2:0": 16}
INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


@pytest.mark.parametrize(("orientation", "size", "sampling"), list(itertools.product(range(1, 9), SIZES, SAMPLINGS)), ids=str)
def test_orientation_size_and_sampling(orientation: int, size: str, sampling: str) -> None:
    """Every orientation, size and sampling comes out upright; exactly where the blocks allow it."""
    source = corpus.four_corners(orientation, SIZES[size], sampling)
    photo = clean(source, Preset())
    im = Image.open(io.BytesIO(photo.jpeg))
    assert im.size == SIZES[size]
    assert corpus.corners(im) == list(corpus.CORNERS)
    assert photo.report.lossless == (size == "even" or orientation in {1, 5})
    if photo.report.lossless:
        assert _coefficients(photo.jpeg, INVERSE[orientation]) == _coefficients(source, 1)
    else:
        assert "edges" in photo.report.why


def _coefficients(photo: bytes, orientation: int) -> bytes:
    """A picture's coefficients in canonical form: the scan that the encoder writes for them, turned first."""
    assert LIBRARY
    recoded, _ = LIBRARY.recode(photo, orientation)
    header = jpeg.walk(recoded)
    at = next(end for marker, _start, end in header.segments if marker == jpeg.SOS)
    return recoded[at : header.end]


@pytest.mark.parametrize("form", ["progressive", "grey", "restart", "optimised"])
def test_other_forms_stay_lossless(form: str) -> None:
    """Progressive, grey and optimised photos, and those with restart markers, keep their coefficients too."""
    buffer = io.BytesIO()
    im = Image.open(io.BytesIO(corpus.jpeg()))
    options: dict[str, dict[str, Any]] = {
        "progressive": {"progressive": True},
        "restart": {"restart_marker_blocks": 3},
        "optimised": {"optimize": True},
    }
    (im.convert("L") if form == "grey" else im).save(buffer, "JPEG", **options.get(form, {}))
    photo = clean(buffer.getvalue(), Preset())
    assert photo.report.lossless
    assert _coefficients(photo.jpeg, 1) == _coefficients(buffer.getvalue(), 1)


@pytest.mark.mass
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_luma_from_block_averages_is_the_picture(orientation: int, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small picture that comes from the coefficients is the same as one that is decoded, for every orientation."""
    im = Image.open(io.BytesIO(sample_photo("close-up scale", size=(3264, 2447)))).convert(mode)
    buffer = io.BytesIO()
    sampling = {} if mode == "L" else {"subsampling": "4:4:4"}
    im.crop((0, 0, 3264, 2440)).save(buffer, "JPEG", quality=90, exif=sample_exif(orientation=orientation), **sampling)
    measured: list[Image.Image] = []

    def measure(small: Image.Image, _width: int, _height: int) -> dict[str, float]:
        measured.append(small)
        return {}

    monkeypatch.setattr(cleaning, "measure", measure)
    photo = cleaning.clean(buffer.getvalue(), Preset(max_bytes=20_000_000), preview=False)
    assert photo.report.lossless
    assert photo.preview == b""
    whole = Image.open(io.BytesIO(photo.jpeg)).convert("L")
    assert measured[0].size == (-(-whole.width // 8), -(-whole.height // 8))
    assert corpus.difference(whole.resize(measured[0].size, Image.Resampling.BOX), measured[0]) < 1


def test_preview_is_small_and_in_colour() -> None:
    """What is shown back is the picture in its colours, at most 640 pixels and 60 kB."""
    photo = clean(sample_photo("close-up scale", size=(3264, 2448)), Preset())
    preview, whole = (Image.open(io.BytesIO(data)) for data in (photo.preview, photo.jpeg))
    assert (preview.mode, max(preview.size) <= 640, len(photo.preview) <= 60_000) == ("RGB", True, True)
    assert corpus.difference(whole.resize(preview.size, Image.Resampling.BOX), preview) < 2.5


def test_surplus_bytes_before_the_end_are_tolerated() -> None:
    """Some cameras pad the end of the picture with zeros: the photo is taken, without them."""
    photo = corpus.jpeg()
    padded = photo[:-2] + b"\0" * 8 + photo[-2:]
    assert clean(padded, Preset()).jpeg == clean(photo, Preset()).jpeg


def test_more_surplus_is_damage() -> None:
    """A hundred surplus bytes are not padding."""
    photo = corpus.jpeg()
    with pytest.raises(PhotoRefused) as refusal:
        clean(photo[:-2] + b"\0" * 100 + photo[-2:], Preset())
    assert refusal.value.code == "damaged"


@pytest.mark.parametrize("lost", [200, 1500])
@pytest.mark.parametrize("form", ["lossless", "odd and turned", "CMYK"])
def test_picture_with_a_hole_is_refused(form: str, lost: int) -> None:
    """Pixels missing in the middle, with a proper end, are noticed on every way through."""
    if form == "CMYK":
        buffer = io.BytesIO()
        Image.open(io.BytesIO(corpus.jpeg())).convert("CMYK").save(buffer, "JPEG")
        photo = buffer.getvalue()
    else:
        photo = corpus.jpeg()
        if form == "odd and turned":
            photo = corpus.insert(corpus.jpeg((161, 121)), corpus.segment(0xE1, sample_exif(orientation=6)))
    with pytest.raises(PhotoRefused) as refusal:
        clean(photo[: -2 - lost] + photo[-2:], Preset())
    assert refusal.value.code == "damaged"


def test_arithmetic_code_is_taken() -> None:
    """A photo in arithmetic code, which hardly anything else opens, comes out in Huffman code with the same coefficients."""
    jpegtran = program("jpegtran", install="apt install libjpeg-turbo-progs")
    photo = corpus.jpeg()
    coded = subprocess.run([jpegtran, "-arithmetic"], input=photo, capture_output=True, check=True).stdout
    assert b"\xff\xc9" in coded
    cleaned = clean(coded, Preset())
    assert cleaned.report.lossless
    assert _coefficients(cleaned.jpeg, 1) == _coefficients(photo, 1)


def test_arithmetic_code_that_is_none_is_refused() -> None:
    """A frame that says arithmetic coding but is not is refused, not shown as noise."""
    photo = corpus.jpeg()
    frame = photo.index(b"\xff\xc0")
    with pytest.raises(PhotoRefused):
        clean(photo[:frame] + b"\xff\xc9" + photo[frame + 2 :], Preset())
