"""A photo as it came, made into a photo that holds nothing but the picture.

Runs in the sandbox's child, and in unit tests. Whatever the bytes are, `clean` gives a `CleanPhoto` or raises PhotoRefused.
"""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image
from PIL.ImageCms import ImageCmsProfile, createProfile

from capture.errors import PhotoRefused
from capture.photos import colour, containers, jpeg, planes, turbo, twelve
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
SMALL_SIDE = 400  # pixels at least on the long side of what quality is measured on, if the photo has them
_TOO_MANY_BYTES = "it had more bytes than the preset"


@dataclass
class Made:
    """The clean JPEG, its upright size in pixels, its colour space, why it is not lossless, and its luma at about 1:8."""

    jpeg: bytes
    size: tuple[int, int]
    space: str
    why: str
    small: Image.Image | None = None


def clean(
    untrusted_bytes: bytes | bytearray | memoryview, preset: Preset, *, hashes: bool = True, preview: bool = True
) -> CleanPhoto:
    """Clean one photo within `preset`. Raises PhotoRefused and nothing else.

    `hashes` may be left to the caller; `preview` is only made for who shows it.
    """
    try:
        return _clean(bytes(untrusted_bytes), preset, hashes=hashes, preview=preview)
    except PhotoRefused:
        raise
    except MemoryError:
        raise refused("too-many-pixels") from None
    except Exception as error:  # decoders raise anything at all on bytes made to harm them
        raise refused("damaged") from error


def _clean(data: bytes, preset: Preset, *, hashes: bool, preview: bool) -> CleanPhoto:
    kind = sniff(data)
    if len(data) > MAX_BYTES:
        raise refused("too-many-bytes")
    found, made = _jpeg(data, preset) if kind == "jpeg" else _other(kind, data, preset)
    width, height = made.size
    small = made.small or _small(made)
    return CleanPhoto(
        jpeg=made.jpeg,
        preview=_preview(_small(made) if made.small else small, made.space) if preview else b"",
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
            sha256_before=hashlib.sha256(data).hexdigest() if hashes else "",
            sha256_after=hashlib.sha256(made.jpeg).hexdigest() if hashes else "",
        ),
    )


def _jpeg(data: bytes, preset: Preset) -> tuple[Found, Made]:
    """Re-coded from its coefficients where that is exact and fits; else decoded and encoded once."""
    found, header = jpeg.look(data)
    library = turbo.load()
    if header.precision == 12:
        found.picture = twelve.checked(library, header, found.picture)
        return found, _encoded("jpeg12", found, preset, "it had 12 bits a sample")
    if library is None:
        return found, _encoded("jpeg", found, preset, "libturbojpeg is not installed")
    space = _space(found, header)
    if space is None or header.luma is None or (header.luma == (4, 1) and found.orientation >= 5):
        is_cmyk, size = len(header.sampling) == 4, (header.width, header.height)
        found.picture = turbo.strictly(lambda data: library.check(data, size, is_cmyk=is_cmyk), found.picture)
        return found, _encoded("jpeg", found, preset, "its colours are stored in another way")
    profile = colour.DISPLAY_P3 if space == "display-p3" else b""
    why = _inexact(header, found, preset)
    if not why:
        made = _recoded(library, found, header, space)
        if len(made.jpeg) <= preset.max_bytes:
            return found, made
        why = _TOO_MANY_BYTES
    raster = planes.decoded(library, header, found.picture, found.orientation)
    encoded, size = fit(raster, preset.max_bytes - jpeg.overhead(profile), preset.max_side)
    return found, Made(jpeg.finish(encoded, profile), size, space, why)


def _space(found: Found, header: jpeg.Header) -> str | None:
    """The colour space that the picture can stay in; None if its profile asks for conversion."""
    if not found.profile or (len(header.sampling) == 1 and found.profile[16:20] != b"GRAY"):
        return "srgb"
    return colour.recognise(found.profile)


def _inexact(header: jpeg.Header, found: Found, preset: Preset) -> str:
    """Why the coefficients cannot stay as they are; empty if they can."""
    copies = 1 if found.orientation == 1 else 2
    if preset.max_side and max(header.width, header.height) > preset.max_side:
        return "it was wider or higher than the preset"
    if len(found.picture) > preset.max_bytes * 1.15:  # so many that no other Huffman code would help
        return _TOO_MANY_BYTES
    if not header.is_whole(found.orientation):
        return "it was turned, and its edges cut through blocks of pixels"
    if copies * planes.coefficient_bytes(header) + 2 * len(found.picture) > planes.ROOM:
        return "it has more pixels than can be turned at once"
    return ""


def _recoded(library: turbo.TurboJpeg, found: Found, header: jpeg.Header, space: str) -> Made:
    """Lossless: the source's own coefficients, upright."""
    size = (header.width, header.height)
    if found.orientation >= 5:
        size = size[::-1]
    blocks = (-(-size[0] // 8), -(-size[1] // 8)) if max(size) >= 8 * SMALL_SIDE else None
    encoded, averages = turbo.strictly(lambda data: library.recode(data, found.orientation, blocks), found.picture)
    small = None if averages is None else planes.averaged(header, averages)
    profile = colour.DISPLAY_P3 if space == "display-p3" else b""
    return Made(jpeg.finish(encoded, profile), size, space, "", small)


def _other(kind: str, data: bytes, preset: Preset) -> tuple[Found, Made]:
    look = {"png": containers.png, "webp": containers.webp, "heic": heif, "avif": heif}[kind]
    found = look(data)
    return found, _encoded(kind, found, preset, f"it was {kind.upper()}, not JPEG")


def _encoded(kind: str, found: Found, preset: Preset, why: str) -> Made:
    """Decoded, and encoded once."""
    im, space = decode(kind, found)
    raster = PillowRaster(im, "4:2:0" if kind == "heic" else "4:4:4")
    profile = colour.DISPLAY_P3 if space == "display-p3" else b""
    encoded, size = fit(raster, preset.max_bytes - jpeg.overhead(profile), preset.max_side)
    return Made(jpeg.finish(encoded, profile), size, space, why)


def _small(made: Made) -> Image.Image:
    """The picture at 1:8, or at least about 400 pixels long, through the decoder's own scaling."""
    longest = max(made.size)
    scale = next((scale for scale in (8, 4, 2) if longest // scale >= SMALL_SIDE), 1)
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
