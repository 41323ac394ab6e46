"""PNG and WebP, walked within bounds before the decoder sees them; of PNG only what makes the picture goes on.

Sources: PNG third edition (W3C 2025) sections 5 and 11, RFC 9649 (WebP).
"""

import struct
import zlib
from collections.abc import Iterator

from capture.photos import exif
from capture.photos.colour import MAX_PROFILE, check_size
from capture.photos.found import Found, check_pixels
from capture.photos.refusals import refused

MAX_CHUNKS = 20_000
MAX_PIXELS = 52_000_000  # 48 megapixels and a little: other kinds than JPEG are decoded whole

_PNG_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_PNG_NAMES = {
    **dict.fromkeys((b"tEXt", b"zTXt", b"iTXt"), "text"),
    **dict.fromkeys((b"acTL", b"fcTL", b"fdAT"), "animation"),
    b"tIME": "date and time",
    b"pHYs": "print size",
    b"caBX": "content credentials",
}
_PNG_COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"cICP", b"mDCV", b"cLLI", b"hIST", b"sPLT"}


def png(data: bytes) -> Found:
    """Walk a PNG. Raises PhotoRefused: truncated, damaged, too-complex or too-many-pixels."""
    found, kept = Found(0, 0), [data[:8]]
    for name, at, end in _png_chunks(data):
        body = data[at + 8 : end - 4]
        if name == b"IHDR" and len(body) == 13:
            found.width, found.height = struct.unpack_from(">II", body)
            check_pixels(found.width, found.height, MAX_PIXELS)
        if name in _PNG_PICTURE:
            kept.append(data[at:end])
        elif name == b"eXIf":
            found.exif(exif.read(body))
        elif name == b"iCCP":
            found.profile = found.profile or _inflate(body.partition(b"\0")[2][1:])
            found.removed["colour profile"] = 1
        elif name not in _PNG_COLOUR:
            found.removed[_PNG_NAMES.get(name, "block of application data")] += 1
        if name == b"IEND":
            found.trailing(data[end:])
    if found.removed["animation"]:
        found.removed["animation"] = 1
    check_pixels(found.width, found.height, MAX_PIXELS)
    found.picture = b"".join(kept)
    return found


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each chunk, to IEND."""
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            raise refused("truncated")
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if length > 0x7FFFFFFF or not name.isalpha() or (at == 8 and name != b"IHDR"):
            raise refused("damaged")
        if end > len(data):
            raise refused("truncated")
        yield name, at, end
        if name == b"IEND":
            return
        at = end
    raise refused("too-complex")


def _inflate(packed: bytes) -> bytes:
    """A compressed profile, never more than the largest real one; b"" if it is not one."""
    try:
        unpacked = zlib.decompressobj().decompress(packed, MAX_PROFILE + 1)
    except zlib.error:
        return b""
    check_size(len(unpacked))
    return unpacked


def webp(data: bytes) -> Found:
    """Walk a WebP. Raises PhotoRefused: truncated, damaged, too-complex or too-many-pixels."""
    (size,) = struct.unpack_from("<I", data, 4)
    end = 8 + size
    if end > len(data):
        raise refused("truncated")
    found, at, count = Found(0, 0, picture=data[:end]), 12, 0
    while at + 8 <= end:
        count += 1
        if count > MAX_CHUNKS:
            raise refused("too-complex")
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + length]
        if len(body) < length or at + 8 + length > end:
            raise refused("truncated")
        _webp_chunk(found, name, body)
        at += 8 + length + length % 2
    check_pixels(found.width, found.height, MAX_PIXELS)
    if found.removed["animation"]:
        found.removed["animation"] = 1
    found.trailing(data[end:])
    return found


def _webp_chunk(found: Found, name: bytes, body: bytes) -> None:
    if name == b"VP8X" and len(body) >= 10:
        found.width = 1 + int.from_bytes(body[4:7], "little")
        found.height = 1 + int.from_bytes(body[7:10], "little")
    elif name == b"VP8 " and len(body) >= 10 and not found.width:
        found.width, found.height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    elif name == b"VP8L" and len(body) >= 5 and not found.width:
        (bits,) = struct.unpack_from("<I", body, 1)
        found.width, found.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif name == b"EXIF":
        found.exif(exif.read(body))
    elif name == b"ICCP":
        check_size(len(body))
        found.profile = found.profile or body
        found.removed["colour profile"] = 1
    elif name == b"XMP ":
        found.removed["XMP"] += 1
    elif name in {b"ANIM", b"ANMF"}:
        found.removed["animation"] += 1
    elif name not in {b"VP8 ", b"VP8L", b"ALPH", b"VP8X"}:
        found.removed["block of application data"] += 1
