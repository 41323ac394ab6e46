"""Photos made to test cleaning: a canary in each place where something can hide, and each kind of broken file."""

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from imagecodecs import jpeg8_encode
from PIL import Image, ImageChops, ImageStat

from capture.photos.sample import sample_exif, sample_photo

CANARY = b"CANARY-7f3a9c-51.5313N"
CORNERS = ("red", "green", "blue", "white")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt><rdf:li xml:lang="x-default">'
    + CANARY
    + b"</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x19" + struct.pack(">H", len(CANARY)) + CANARY  # keywords
PHOTOSHOP = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x30mdat" + CANARY.ljust(40, b"\0")


def segment(marker: int, body: bytes) -> bytes:
    """One JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


@cache
def _drawn(size: tuple[int, int]) -> bytes:
    return sample_photo(size=size)


def jpeg(size: tuple[int, int] = (160, 120), **save: object) -> bytes:
    """A small drawn photo as plain JPEG; what is drawn is the same each time."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(_drawn(size)))
    picture.info.clear()
    picture.save(buffer, "JPEG", **save)
    return buffer.getvalue()


def twelve_bit(im: Image.Image, **encode: Any) -> bytes:
    """`im` (L, RGB or CMYK) as a JPEG of 12 bits a sample, by libjpeg-turbo 3."""
    samples = np.asarray(ImageChops.invert(im) if im.mode == "CMYK" else im).astype(np.uint32)
    return bytes(jpeg8_encode(((samples * 273 + 8) // 17).astype(np.uint16), bitspersample=12, **{"level": 90, **encode}))


def insert(photo: bytes, *segments: bytes) -> bytes:
    """`segments` put right after SOI."""
    return photo[:2] + b"".join(segments) + photo[2:]


def everything() -> bytes:
    """A camera's photo with EXIF, GPS, thumbnail, XMP, IPTC, a comment, unknown blocks and a video behind it."""
    photo = sample_photo(size=(640, 480))
    return (
        insert(
            photo,
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
            segment(0xED, PHOTOSHOP),
            segment(0xFE, CANARY),
            segment(0xE5, b"maker\0" + CANARY),
        )
        + CANARY
        + VIDEO
    )


def four_corners(orientation: int, size: tuple[int, int], sampling: str = "4:2:0") -> bytes:
    """A JPEG that is upright `size` with red, green, blue, white corners once `orientation` is undone."""
    im = Image.new("RGB", size)
    half = size[0] // 2, size[1] // 2
    for number, colour in enumerate(CORNERS):
        left, top = half[0] * (number % 2), half[1] * (number // 2)
        im.paste(colour, (left, top, size[0] if number % 2 else half[0], size[1] if number // 2 else half[1]))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    if orientation != 1:
        im = im.transpose(undo[orientation])
    buffer = io.BytesIO()
    im.save(buffer, "JPEG", quality=92, subsampling=sampling, exif=sample_exif(orientation=orientation))
    return buffer.getvalue()


def corners(im: Image.Image) -> list[str]:
    """The names of the four corners' colours."""
    names = {(255, 0, 0): "red", (0, 128, 0): "green", (0, 0, 255): "blue", (255, 255, 255): "white"}
    rgb, width, height = im.convert("RGB"), im.width, im.height
    places = [
        (width // 8, height // 8),
        (width * 7 // 8, height // 8),
        (width // 8, height * 7 // 8),
        (width * 7 // 8, height * 7 // 8),
    ]
    found = []
    for place in places:
        pixel = rgb.getpixel(place)
        assert isinstance(pixel, tuple)
        found.append(min(names, key=lambda name: sum((a - b) ** 2 for a, b in zip(name, pixel, strict=True))))
    return [names[colour] for colour in found]


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean absolute difference of two pictures, 0 to 255."""
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def refusals() -> list[tuple[str, bytes, str]]:
    """(name, bytes, code) of what must be refused."""
    photo = jpeg()
    frame = photo.index(b"\xff\xc0")
    said_twelve = photo[: frame + 4] + b"\x0c" + photo[frame + 5 :]
    huge = photo[: frame + 5] + b"\xff\xff\xff\xff" + photo[frame + 9 :]
    scan = photo.index(b"\xff\xda")
    png_head = b"\x89PNG\r\n\x1a\n"
    bomb = png_head + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return [
        ("empty", b"", "empty"),
        ("text", b"a referral letter", "not-a-picture"),
        ("html", b"<html><body>photo</body></html>", "not-a-picture"),
        ("gif", b"GIF89a\1\0\1\0", "kind-gif"),
        ("bmp", b"BM" + struct.pack("<IHHI", 100, 0, 0, 54), "kind-bmp"),
        ("tiff", b"II*\0\x08\0\0\0", "kind-tiff"),
        ("big tiff", b"MM\0+\0\x08\0\0", "kind-tiff"),
        ("cr2", b"II*\0\x10\0\0\0CR\2\0", "kind-raw"),
        ("raf", b"FUJIFILMCCD-RAW 0201", "kind-raw"),
        ("cr3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "kind-raw"),
        ("svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "kind-svg"),
        ("bare svg", b"  <svg/>", "kind-svg"),
        ("pdf", b"%PDF-1.7\n", "kind-pdf"),
        ("pdf after a line", b"\n\n%PDF-1.7\n", "kind-pdf"),
        ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n", "kind-eps"),
        ("binary eps", b"\xc5\xd0\xd3\xc6\x20\0\0\0", "kind-eps"),
        ("mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "kind-video"),
        ("mov", b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "kind-video"),
        ("webm", b"\x1aE\xdf\xa3\x01\0\0\0", "kind-video"),
        ("jxl", b"\0\0\0\x0cJXL \r\n\x87\n", "kind-other"),
        ("psd", b"8BPS\0\1", "kind-other"),
        ("dicom", b"\0" * 128 + b"DICM", "kind-other"),
        ("jpeg cut in its header", photo[:100], "truncated"),
        ("jpeg cut in its scan", photo[: len(photo) * 2 // 3], "truncated"),
        ("jpeg with no picture", b"\xff\xd8" + segment(0xFE, b"x") + b"\xff\xd9", "damaged"),
        ("jpeg with rubbish between", photo[:20] + b"rubbish" + photo[20:], "damaged"),
        ("baseline jpeg that says 12 bits", said_twelve, "jpeg-kind"),
        ("jpeg of 65535 x 65535", huge, "too-many-pixels"),
        ("jpeg of 3000 comments", insert(photo, segment(0xFE, b"") * 3000), "too-complex"),
        ("jpeg of 200 scans", photo[:scan] + photo[scan:-2] * 200 + b"\xff\xd9", "too-complex"),
        ("png bomb", bomb + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""), "too-many-pixels"),
        ("png cut", bomb[:30], "truncated"),
        (
            "png of 30000 chunks",
            png_head + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + png_chunk(b"tEXt", b"a\0b") * 30_000,
            "too-complex",
        ),
        ("webp cut", b"RIFF\x64\0\0\0WEBPVP8 ", "truncated"),
        ("heic cut", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\1\0meta", "truncated"),
        ("heic with no picture", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged"),
    ]
