"""A photo as it came, made into a photo that holds nothing but the picture.

Runs in the sandbox's child, and in unit tests. Whatever the bytes are, `clean` gives a `CleanPhoto` or raises PhotoRefused.
"""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image
from PIL.ImageCms import ImageCmsProfile, createProfile

from capture.errors import PhotoRefused
from capture.photos import colour, containers, jpeg
from capture.photos.decode import decode
from capture.photos.found import Found
from capture.photos.heif import heif
from capture.photos.quality import measure
from capture.photos.raster import PillowRaster, fit
from capture.photos.refusals import refused
from capture.photos.report import CleanPhoto, Preset, Removed, Report
from capture.photos.sniff import sniff

MAX_BYTES = 64 << 20
PREVIEW_SIDE, PREVIEW_BYTES = 640, 60_000


@dataclass
class Made:
    """The clean JPEG, its upright size in pixels, and how it was made."""

    jpeg: bytes
    size: tuple[int, int]
    space: str
    why: str


def clean(untrusted_bytes: bytes | bytearray | memoryview, preset: Preset) -> CleanPhoto:
    """Clean one photo within `preset`. Raises PhotoRefused and nothing else."""
    try:
        return _clean(bytes(untrusted_bytes), preset)
    except PhotoRefused:
        raise
    except MemoryError:
        raise refused("too-many-pixels") from None
    except Exception as error:  # decoders raise anything at all on bytes made to harm them
        raise refused("damaged") from error


def _clean(data: bytes, preset: Preset) -> CleanPhoto:
    kind = sniff(data)
    if len(data) > MAX_BYTES:
        raise refused("too-many-bytes")
    found, made = _jpeg(data, preset) if kind == "jpeg" else _other(kind, data, preset)
    small = _small(made)
    width, height = made.size
    return CleanPhoto(
        jpeg=made.jpeg,
        preview=_preview(small, made.space),
        report=Report(
            kind=kind,
            width=width,
            height=height,
            lossless=not made.why,
            why=made.why,
            orientation=found.orientation,
            colour=made.space,
            removed=tuple(Removed(name, count) for name, count in sorted(found.removed.items()) if count),
            taken_at=found.taken_at,
            quality=measure(small, width, height),
            sha256_before=hashlib.sha256(data).hexdigest(),
            sha256_after=hashlib.sha256(made.jpeg).hexdigest(),
        ),
    )


def _jpeg(data: bytes, preset: Preset) -> tuple[Found, Made]:
    found, _header = jpeg.look(data)
    return found, _encoded("jpeg", found, preset, "the library for lossless cleaning (libturbojpeg) is not installed")


def _other(kind: str, data: bytes, preset: Preset) -> tuple[Found, Made]:
    look = {"png": containers.png, "webp": containers.webp, "heic": heif, "avif": heif}[kind]
    found = look(data)
    return found, _encoded(kind, found, preset, f"was {kind.upper()}, not JPEG")


def _encoded(kind: str, found: Found, preset: Preset, why: str) -> Made:
    """Decoded, and encoded once."""
    im, space = decode(kind, found)
    raster = PillowRaster(im, "4:2:0" if kind == "heic" else "4:4:4")
    profile = colour.DISPLAY_P3 if space == "display-p3" else b""
    encoded, size = fit(raster, preset.max_bytes - len(profile) - 32, preset.max_side)
    return Made(jpeg.finish(encoded, profile), size, space, why)


def _small(made: Made) -> Image.Image:
    """The picture at 1:8, or at least about 400 pixels long, through the decoder's own scaling."""
    longest = max(made.size)
    scale = next((scale for scale in (8, 4, 2) if longest // scale >= 400), 1)
    im = Image.open(io.BytesIO(made.jpeg), formats=["JPEG"])
    im.draft(im.mode, (made.size[0] // scale, made.size[1] // scale))
    im.load()
    return im


def _preview(small: Image.Image, space: str) -> bytes:
    """A JPEG of at most 640 pixels and about 60 kB, to be shown back once."""
    shown = small.copy()
    shown.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    profile = colour.DISPLAY_P3 if space == "display-p3" else b""
    for quality in (80, 60, 40):
        encoded = PillowRaster(shown, "4:2:0").encode(quality)
        if len(encoded) <= PREVIEW_BYTES:
            break
    return jpeg.finish(encoded, profile)


def warm() -> None:
    """Clean one tiny picture of every kind, so that nothing is left to be imported once files are out of reach."""
    tiny = Image.new("RGB", (16, 16), "tan")
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
        buffer = io.BytesIO()
        tiny.save(buffer, kind, icc_profile=ImageCmsProfile(createProfile("sRGB")).tobytes())
        clean(buffer.getvalue(), Preset())
