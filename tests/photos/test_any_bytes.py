"""Any bytes at all give a clean photo or a refusal, within the limits of time and memory."""

import io
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from capture.errors import PhotoRefused
from capture.photos import REFUSALS, Cleaner, Preset, turbo
from capture.photos.clean import clean
from capture.photos.sample import sample_exif
from capture.photos.turbo import Plane
from capture.photos.verify import verify

from . import corpus, hiding

SEEDS = [
    corpus.everything(),
    *(
        hiding.photos()[name]
        for name in (
            "jpeg progressive: EXIF",
            "jpeg: CMYK",
            "jpeg: 4:2:2",
            "jpeg 12-bit: EXIF",
            "png: foreign profile",
            "png: transparent palette",
            "webp: alpha",
            "webp: animation",
            "heic: EXIF",
            "avif: EXIF",
        )
    ),
]
HEADS = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A photo with some of its bytes changed, lost, doubled or cut off; mostly near its beginning, where the headers are."""
    photo = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        reach = draw(st.sampled_from([64, 600, len(photo)]))
        at = draw(st.integers(0, max(0, min(reach, len(photo)) - 1)))
        match draw(st.sampled_from(["change", "lose", "double", "cut", "length"])):
            case "change":
                photo[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "lose":
                del photo[at : at + draw(st.integers(1, 40))]
            case "double":
                photo[at:at] = photo[at : at + draw(st.integers(1, 400))]
            case "cut" if at > 600:
                del photo[at:]
            case _:
                photo[at : at + 4] = struct.pack(">I", draw(st.sampled_from([0, 1, 7, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000])))
    return bytes(photo)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=damaged() | st.builds(lambda head, rest: head + rest, st.sampled_from(HEADS), st.binary(max_size=300)))
def test_any_bytes_give_a_clean_photo_or_a_refusal(cleaner: Cleaner, data: bytes) -> None:
    """SECURITY 17, 18, 19: whatever comes in, out comes a photo that verifies or a refusal with a known code."""
    try:
        photo = cleaner.clean(data)
    except PhotoRefused as refusal:
        known = refusal.code in REFUSALS.keys() - {"too-slow"} and bool(refusal.sentence)
    else:
        known = verify(photo.jpeg, Preset()).width == photo.report.width
    assert known


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_cut_anywhere_is_never_an_error(seed: int) -> None:
    """SECURITY 19: a photo that stops at any of thirty places is refused, or shown if the picture was whole by then."""
    for part in range(30):
        try:
            photo = clean(SEEDS[seed][: len(SEEDS[seed]) * part // 30], Preset())
        except PhotoRefused as refusal:
            code = refusal.code
        else:
            code = "damaged" if verify(photo.jpeg, Preset()).width else ""
        assert code in REFUSALS


def _large(megapixels: int) -> bytes:
    """A JPEG of grey slopes, made by the library because Pillow would hold it several times."""
    library = turbo.load()
    if library is None:
        pytest.skip("libturbojpeg is not installed: apt install libturbojpeg0")
    width = int((megapixels * 1e6 * 4 / 3) ** 0.5) // 16 * 16
    size = width, width * 3 // 4 // 16 * 16
    slope = Image.linear_gradient("L").resize((size[0], 64)).tobytes()
    planes = [Plane(slope * (h // 64) + slope[: w * (h % 64)], w, h) for w, h in library.plane_sizes(size, (2, 2))]
    planes = [Plane(plane.samples[: plane.width * plane.height], plane.width, plane.height) for plane in planes]
    return library.encode(planes, size, (2, 2), 90)


@pytest.mark.parametrize("megapixels", [12, 48, 108, 200])
def test_large_photos_pass(cleaner: Cleaner, megapixels: int) -> None:
    """Photos of 12, 48, 108 and 200 megapixels are taken, within the child's memory."""
    photo = cleaner.clean(_large(megapixels))
    assert photo.report.width * photo.report.height >= min(megapixels, 24) * 0.95e6
    assert photo.report.width / photo.report.height == pytest.approx(4 / 3, abs=0.01)


def test_other_kinds_than_jpeg_have_a_limit(cleaner: Cleaner) -> None:
    """SECURITY 18: a PNG of 60 megapixels is refused before it is decoded; one of 24 is taken."""
    for size, code in (((10_000, 6_000), "too-many-pixels"), ((6_000, 4_000), "")):
        buffer = io.BytesIO()
        Image.new("L", size, 120).save(buffer, "PNG", compress_level=1)
        if code:
            with pytest.raises(PhotoRefused) as refusal:
                cleaner.clean(buffer.getvalue())
            assert refusal.value.code == code
        else:
            assert cleaner.clean(buffer.getvalue()).report.width == size[0]


BOMBS = {name: (data, code) for name, data, code in corpus.refusals() if code in {"too-many-pixels", "too-complex"}}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_next_to_nothing(name: str) -> None:
    """SECURITY 18: too many pixels, scans, segments or chunks are refused in well under a second and 20 MB."""
    data, code = BOMBS[name]
    begun = time.process_time()
    found, peak = _peak(data)
    assert found == code
    assert peak < 20 << 20
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_packed_bombs_are_never_unpacked(kind: bytes) -> None:
    """SECURITY 18: text that would unpack to 200 MB is left packed and goes; a profile of that size is refused."""
    head = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"x\0\0"}[kind]
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    plain = hiding._saved(hiding._drawn(), "PNG")
    code, peak = _peak(plain[:33] + corpus.png_chunk(kind, head + packed) + plain[33:])
    assert code == ("too-complex" if kind == b"iCCP" else "")
    assert peak < 20 << 20


def _peak(data: bytes) -> tuple[str, int]:
    """The code of the refusal, if it is one, and the most bytes that Python held meanwhile."""
    tracemalloc.start()
    code = ""
    try:
        clean(data, Preset())
    except PhotoRefused as refusal:
        code = refusal.code
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return code, most


@pytest.mark.parametrize("orientation", [1, 6])
def test_48_megapixels_take_less_than_350_mb(orientation: int, tmp_path: Path) -> None:
    """A phone's largest photo, upright or turned, is cleaned by a child of less than 350 MB in all."""
    if sys.platform != "linux":
        pytest.skip("memory of ended children is told in other units: run on Linux")
    photo = _large(48)
    (tmp_path / "photo.jpg").write_bytes(corpus.insert(photo, corpus.segment(0xE1, sample_exif(orientation=orientation))))
    script = (
        "import resource, sys; from pathlib import Path; from capture.photos import Cleaner\n"
        "cleaner = Cleaner(workers=1); report = cleaner.clean(Path(sys.argv[1]).read_bytes()).report; cleaner.close()\n"
        "print(report.width * report.height, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "photo.jpg")]
    ran = subprocess.run(command, capture_output=True, check=True, text=True)
    pixels, megabytes = map(int, ran.stdout.split())
    assert pixels > 47e6
    assert 50 < megabytes < 350
