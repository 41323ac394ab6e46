"""Colours come out as they went in: Display P3 kept under our own profile, everything else as sRGB."""

import io
import struct
import zlib

import pillow_heif
import pytest
from PIL import Image, ImageCms

from capture.errors import PhotoRefused
from capture.photos import Preset, colour, containers, heif, turbo
from capture.photos.clean import clean
from capture.photos.containers import MAX_CHUNKS
from capture.photos.decode import decode

from . import corpus
from .hiding import SRGB, _described, _swapped

PATCH = (200, 120, 90)


def _photo(profile: bytes | None, mode: str = "RGB", kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    im = Image.new("RGB", (64, 64), PATCH).convert(mode)
    im.save(buffer, kind, icc_profile=profile, quality=98)
    return buffer.getvalue()


def _seen(jpeg: bytes) -> tuple[int, ...]:
    """The middle pixel as a screen of sRGB shows it, by littleCMS."""
    im: Image.Image = Image.open(io.BytesIO(jpeg))
    if profile := im.info.get("icc_profile"):
        im = ImageCms.profileToProfile(im, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB") or im
    pixel = im.convert("RGB").getpixel((32, 32))
    assert isinstance(pixel, tuple)
    return tuple(int(part) for part in pixel)


def _near(one: tuple[int, ...], other: tuple[int, ...], most: int = 3) -> bool:
    return all(abs(a - b) <= most for a, b in zip(one, other, strict=True))


def test_own_profile_is_display_p3() -> None:
    """Our canonical profile is small, opens in littleCMS, and its primaries are those of SMPTE EG 432-1."""
    assert len(colour.DISPLAY_P3) <= 480
    profile = ImageCms.ImageCmsProfile(io.BytesIO(colour.DISPLAY_P3)).profile
    assert profile.xcolor_space.strip() == "RGB"
    chromaticities = {"red": (0.680, 0.320), "green": (0.265, 0.690), "blue": (0.150, 0.060)}
    white, adapted = _matrix((0.3127, 0.3290), chromaticities)
    assert white == pytest.approx((0.9505, 1.0, 1.0891), abs=0.001)
    for name, column in zip(("red", "green", "blue"), adapted, strict=True):
        found, _ = getattr(profile, f"{name}_colorant")
        assert found == pytest.approx(column, abs=0.0005), name


def _matrix(
    white: tuple[float, float], primaries: dict[str, tuple[float, float]]
) -> tuple[tuple[float, ...], list[tuple[float, ...]]]:
    """White and the D50-adapted (Bradford) columns of an RGB space, from chromaticities alone."""
    columns = [(x / y, 1.0, (1 - x - y) / y) for x, y in primaries.values()]
    goal = (white[0] / white[1], 1.0, (1 - sum(white)) / white[1])
    scales = _solve(columns, goal)
    columns = [tuple(part * scale for part in column) for column, scale in zip(columns, scales, strict=True)]  # type: ignore[misc]
    bradford = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))

    def cones(xyz: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sum(a * b for a, b in zip(row, xyz, strict=True)) for row in bradford)

    ratio = [new / old for new, old in zip(cones((0.9642, 1.0, 0.8249)), cones(goal), strict=True)]
    back = [tuple(row[index] for row in bradford) for index in range(3)]
    adapted = [_solve(back, tuple(part * by for part, by in zip(cones(column), ratio, strict=True))) for column in columns]
    return goal, adapted


def _solve(columns: list[tuple[float, ...]] | list[tuple[float, float, float]], goal: tuple[float, ...]) -> tuple[float, ...]:
    """x of sum(x[i] * columns[i]) = goal, by Cramer's rule."""

    def determinant(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
        return a[0] * (b[1] * c[2] - b[2] * c[1]) - b[0] * (a[1] * c[2] - a[2] * c[1]) + c[0] * (a[1] * b[2] - a[2] * b[1])

    a, b, c = columns
    whole = determinant(a, b, c)
    return determinant(goal, b, c) / whole, determinant(a, goal, c) / whole, determinant(a, b, goal) / whole


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_display_p3_stays_as_it_looks(kind: str) -> None:
    """A Display P3 photo of any kind keeps its pixels, under our own profile, told by its primaries."""
    renamed = colour.DISPLAY_P3.replace("P3".encode("utf-16-be"), "zz".encode("utf-16-be"))
    photo = clean(_photo(renamed, kind=kind), Preset())
    im = Image.open(io.BytesIO(photo.jpeg))
    assert im.info["icc_profile"] == colour.DISPLAY_P3
    assert Image.open(io.BytesIO(photo.preview)).info["icc_profile"] == colour.DISPLAY_P3
    assert photo.report.colour == "display-p3"
    pixel = im.getpixel((32, 32))
    assert isinstance(pixel, tuple)
    assert _near(tuple(map(int, pixel)), PATCH)
    if kind == "JPEG" and turbo.load():
        assert photo.report.lossless


def test_srgb_under_any_name_needs_no_profile() -> None:
    """sRGB is told by its numbers: no profile is written and the pixels are untouched."""
    photo = clean(_photo(_described(SRGB)), Preset())
    assert "icc_profile" not in Image.open(io.BytesIO(photo.jpeg)).info
    assert photo.report.colour == "srgb"
    assert _near(_seen(photo.jpeg), PATCH)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_other_profiles_are_converted(kind: str) -> None:
    """A profile with other primaries is converted: what a screen shows stays the same."""
    source = _photo(_swapped(SRGB), kind=kind)
    photo = clean(source, Preset())
    assert "icc_profile" not in Image.open(io.BytesIO(photo.jpeg)).info
    assert not photo.report.lossless
    assert _near(_seen(photo.jpeg), _seen(source))
    assert not _near(_seen(photo.jpeg), PATCH, 20)


def test_profile_in_many_segments_is_put_together() -> None:
    """A profile split over several segments, even out of order, is one profile."""
    parts = [colour.DISPLAY_P3[at : at + 100] for at in range(0, len(colour.DISPLAY_P3), 100)]
    segments = [
        corpus.segment(0xE2, b"ICC_PROFILE\0" + bytes([number + 1, len(parts)]) + part) for number, part in enumerate(parts)
    ]
    assert clean(corpus.insert(_photo(None), *segments[::-1]), Preset()).report.colour == "display-p3"


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_look_the_same(mode: str) -> None:
    """Grey and CMYK without a profile look as every decoder shows them."""
    source = _photo(None, mode)
    photo = clean(source, Preset())
    assert corpus.difference(Image.open(io.BytesIO(source)), Image.open(io.BytesIO(photo.jpeg))) < 3


def test_profile_that_does_not_fit_is_no_profile() -> None:
    """An RGB profile on a grey photo, and a broken profile on a colour photo, change nothing."""
    assert clean(_photo(colour.DISPLAY_P3, "L"), Preset()).report.colour == "srgb"
    broken = clean(_photo(b"\0" * 16 + b"RGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 100), Preset())
    assert _near(_seen(broken.jpeg), PATCH)


def test_grey_profile_is_converted() -> None:
    """A grey photo with a grey profile is converted by it."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 0x0100) + b"\0\0"  # gamma 1.0
    head = bytearray(colour.DISPLAY_P3[:128])
    head[16:20] = b"GRAY"
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    table = struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, 16)
    profile = bytes(head) + table + white + curve
    profile = struct.pack(">I", len(profile)) + profile[4:]
    source = _photo(profile, "L")
    photo = clean(source, Preset())
    assert not photo.report.lossless
    assert _near(_seen(photo.jpeg), _seen(source), 4)
    darkest, _lightest = Image.open(io.BytesIO(source)).convert("L").getextrema()
    assert isinstance(darkest, int | float)
    assert _seen(photo.jpeg)[0] > darkest + 20


def test_transparent_becomes_white() -> None:
    """What is transparent comes out white, not black."""
    for mode in ("RGBA", "LA"):
        buffer = io.BytesIO()
        Image.new(mode, (32, 32), (10, 20, 30, 0)[: len(mode)] if mode == "RGBA" else (10, 0)).save(buffer, "PNG")
        im = Image.open(io.BytesIO(clean(buffer.getvalue(), Preset()).jpeg)).convert("L")
        assert im.getextrema() == (255, 255)


def test_sixteen_bits_of_grey_stay_smooth() -> None:
    """A slope of 16-bit grey is dithered: its mean is kept to a fraction of one of 256 steps."""
    buffer = io.BytesIO()
    Image.new("I;16", (128, 128), 30_000).save(buffer, "PNG")
    im = Image.open(io.BytesIO(clean(buffer.getvalue(), Preset()).jpeg)).convert("L")
    mean = sum(level * count for level, count in enumerate(im.histogram())) / (128 * 128)
    assert mean == pytest.approx(30_000 / 257, abs=0.2)


@pytest.mark.parametrize(("kind", "alpha"), [(2, b""), (6, b"\xff\xff"), (4, b"\xff\xff")], ids=["RGB", "RGBA", "LA"])
def test_sixteen_bits_of_colour_stay_smooth(kind: int, alpha: bytes) -> None:
    """16-bit colour, with or without alpha, is dithered too: between two of 256 steps it comes out between them, not cut."""
    level, size = 117 * 257 + 180, (160, 300)  # seven tenths of the way to the next step; more rows than one strip
    pixel = struct.pack(">H", level) * (1 if kind == 4 else 3) + alpha
    header = struct.pack(">IIBBBBB", *size, 16, kind, 0, 0, 0)
    rows = zlib.compress((b"\0" + pixel * size[0]) * size[1])
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        corpus.png_chunk(name, body) for name, body in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )
    found = containers.png(png)
    im, _space = decode("png", found)
    assert im.size == size
    for band in im.split():
        counts = band.histogram()
        assert sum(counts[117:119]) == size[0] * size[1]
        assert counts[118] / sum(counts) == pytest.approx(180 / 257, abs=0.02)
    assert clean(png, Preset()).report.width == size[0]


@pytest.mark.parametrize("mode", ["RGB;16", "RGBA;16"])
@pytest.mark.parametrize("bits", [10, 12])
def test_ten_and_twelve_bits_of_heic_stay_smooth(bits: int, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HEIC of more than 8 bits is dithered: its colour comes out between two of 256 steps where it was between them."""
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    size, level = (160, 300), 117 * 257 + 128
    pixels = struct.pack("<3H", level, level, level) + b"\xff\xff" * (mode == "RGBA;16")
    buffer = io.BytesIO()
    pillow_heif.from_bytes(mode, size, pixels * (size[0] * size[1])).save(buffer, quality=-1, chroma=444)
    im, _space = decode("heic", heif.heif(buffer.getvalue()))
    assert (im.mode, im.size) == ("RGB", size)
    for band in im.split():
        counts = band.histogram()
        assert sum(counts[117:119]) > 0.98 * size[0] * size[1]
        assert 0.2 < counts[118] / sum(counts) < 0.8


def test_large_profiles_are_refused() -> None:
    """SECURITY 18: a profile that unpacks to more than any real one is refused before it is unpacked whole."""
    plain = _photo(None, kind="PNG")
    bomb = corpus.png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(50 << 20)))
    with pytest.raises(PhotoRefused) as refusal:
        clean(plain[:33] + bomb + plain[33:], Preset())
    assert refusal.value.code == "too-complex"
    assert MAX_CHUNKS >= 10_000


def test_display_p3_is_known_as_browsers_write_it() -> None:
    """A canvas of Chromium writes sRGB's curve with two more terms, both zero: it is the same curve."""
    terms = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    short = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + colour._s15(*terms)
    long = b"para" + bytes(4) + struct.pack(">HH", 4, 0) + colour._s15(*terms, 0.0, 0.0)
    raised = b"para" + bytes(4) + struct.pack(">HH", 4, 0) + colour._s15(*terms, 0.1, 0.1)
    assert colour._like_srgb(short)
    assert colour._like_srgb(long)
    assert not colour._like_srgb(raised)
    assert not colour._like_srgb(long[:36])
