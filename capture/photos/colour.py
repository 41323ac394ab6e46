"""Colour profiles: told by their numbers, never by their names; kept, replaced or converted.

Source: ICC.1:2022 (sections 7, 9 and 10) and SMPTE EG 432-1 (Display P3). The canonical profile below is our own.
"""

import io
import struct

from PIL import Image, ImageCms

from capture.photos.refusals import refused

MAX_PROFILE = 4 << 20

# Columns adapted to D50, as s15Fixed16: the profile connection space's X, Y, Z of full red, green and blue.
_PRIMARIES = {
    "srgb": ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)),
    "display-p3": ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)),
}
_NEAR = 0.003


def _s15(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def _display_p3() -> bytes:
    """Our own Display P3 profile: ICC version 4, display class, matrix and one parametric curve."""
    head = b"\0\0\0\0"
    text = b"mluc" + head + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 4, 28) + "P3".encode("utf-16-be")
    curve = b"para" + head + struct.pack(">HH", 3, 0) + _s15(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    adapt = _s15(1.0479, 0.0229, -0.0502, 0.0296, 0.9905, -0.0171, -0.0092, 0.0151, 0.7517)
    red, green, blue = (b"XYZ " + head + _s15(*column) for column in _PRIMARIES["display-p3"])
    white = b"XYZ " + head + _s15(0.9642, 1.0, 0.8249)
    blocks = [
        (b"desc cprt", text),
        (b"wtpt", white),
        (b"chad", b"sf32" + head + adapt),
        (b"rXYZ", red),
        (b"gXYZ", green),
        (b"bXYZ", blue),
        (b"rTRC gTRC bTRC", curve),
    ]
    table, body = b"", b""
    first = 128 + 4 + 12 * sum(len(names.split()) for names, _ in blocks)
    for names, block in blocks:
        for name in names.split():
            table += struct.pack(">4sII", name, first + len(body), len(block))
        body += block
    size = first + len(body)
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIQI12s48x",
        size, b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ", 2026, 1, 1, 0, 0, 0,
        b"acsp", b"\0\0\0\0", 0, 0, 0, 0, 0, white[8:20],
    )  # fmt: skip
    return header[:128] + struct.pack(">I", len(table) // 12) + table + body


DISPLAY_P3 = _display_p3()


def recognise(profile: bytes) -> str | None:
    """ "srgb" or "display-p3" for an RGB matrix profile with those primaries and the sRGB curve, else None."""
    tags = _tags(profile)
    if profile[16:20] != b"RGB " or profile[20:24] != b"XYZ " or b"A2B0" in tags:
        return None
    columns = [_xyz(tags.get(name, b"")) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    if not all(_like_srgb(tags.get(name, b"")) for name in (b"rTRC", b"gTRC", b"bTRC")):
        return None
    for name, wanted in _PRIMARIES.items():
        if all(
            column and all(abs(a - b) <= _NEAR for a, b in zip(column, numbers, strict=True))
            for column, numbers in zip(columns, wanted, strict=True)
        ):
            return name
    return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The profile's tags by signature; those that point outside it are left out."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return {}
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [
        struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(min(count, 100, (len(profile) - 132) // 12))
    ]
    return {name: profile[offset : offset + size] for name, offset, size in entries}


def _xyz(tag: bytes) -> tuple[float, ...]:
    return tuple(n / 65536 for n in struct.unpack_from(">3i", tag, 8)) if len(tag) >= 20 else ()


def _like_srgb(tag: bytes) -> bool:
    """Whether a tone curve is sRGB's, by its value at a tenth, a half and nine tenths."""
    return all(
        (value := _curve(tag, at)) is not None and abs(value - ((at + 0.055) / 1.055) ** 2.4) < 0.002 for at in (0.1, 0.5, 0.9)
    )


def _curve(tag: bytes, at: float) -> float | None:
    """A `curv` table or a `para` function of type 3 or 4 (which adds two terms), at a number from 0 to 1; None for any other."""
    if tag[:4] == b"curv" and len(tag) >= 16:
        (count,) = struct.unpack_from(">I", tag, 8)
        if count < 2 or len(tag) < 12 + 2 * count:
            return None
        place = at * (count - 1)
        low, high = struct.unpack_from(">2H", tag, 12 + 2 * min(int(place), count - 2))
        return float(low + (high - low) * (place - min(int(place), count - 2))) / 65535
    form = tag[8:10] if tag[:4] == b"para" else b""
    if (form == b"\0\x03" and len(tag) >= 32) or (form == b"\0\x04" and len(tag) >= 40):
        more = tag[32:40] if form == b"\0\x04" else bytes(8)
        g, a, b, c, d, e, f = (n / 65536 for n in struct.unpack(">7i", tag[12:32] + more))
        return float(abs(a * at + b) ** g + e) if at >= d else c * at + f
    return None


def to_srgb(im: Image.Image, profile: bytes) -> Image.Image:
    """`im` (mode L, RGB or CMYK) converted by littleCMS; a profile that does not fit the picture counts as none."""
    wanted = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}[im.mode]
    if profile[16:20] == wanted:
        try:
            converted = ImageCms.profileToProfile(
                im,
                io.BytesIO(profile),
                ImageCms.createProfile("sRGB"),
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                "RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except ImageCms.PyCMSError:
            converted = None
        if converted is not None:
            return converted
    return im if im.mode in {"L", "RGB"} else im.convert("RGB")


def check_size(size: int) -> None:
    """Refuse a profile larger than any real one before it is decompressed or read."""
    if size > MAX_PROFILE:
        raise refused("too-complex")
