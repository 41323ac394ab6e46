"""What an EXIF block says, read without trusting it: bounded, and never an exception.

Source: TIFF 6.0 section 2 and CIPA DC-008 (Exif 3.0). Only the orientation and the time are read as values; everything
else is only counted, by name.
"""

import contextlib
import struct
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

MAX_DIRECTORIES = 12
MAX_ENTRIES = 512

_POINTERS = {0x8769: "exif", 0x8825: "gps", 0xA005: "interop", 0x014A: "sub"}
_NAMES = {
    "camera make and model": (0x010F, 0x0110, 0xC614, 0xC615),
    "software": (0x0131, 0x013C, 0x000B, 0xA401),
    "author and copyright": (0x013B, 0x8298, 0xA436, 0xA437, 0xA438),
    "title, comment or keywords": (0x010E, 0x9286, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, 0x4746, 0x4749),
    "serial number": (0xA431, 0xA435, 0xC62F),
    "lens": (0xA432, 0xA433, 0xA434),
    "owner's name": (0xA430,),
    "unique picture number": (0xA420,),
    "maker's notes": (0x927C,),
    "date and time": (0x0132, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292),
    "orientation": (0x0112,),
    "XMP": (0x02BC,),
    "IPTC": (0x83BB, 0x8649),
}
_NAME_OF = {tag: name for name, tags in _NAMES.items() for tag in tags}


@dataclass
class Exif:
    """What matters of an EXIF block. `removed` counts tags by plain name."""

    orientation: int = 1
    taken_at: str | None = None
    removed: Counter[str] = field(default_factory=Counter)


def read(untrusted_tiff: bytes) -> Exif:
    """Read a TIFF structure (with or without the "Exif\\0\\0" that goes before it in a JPEG)."""
    tiff = untrusted_tiff[6:] if untrusted_tiff[:6] == b"Exif\0\0" else untrusted_tiff
    exif, texts = Exif(), dict[int, str]()
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        exif.removed["camera settings"] += bool(tiff)
        return exif
    waiting, seen = [("main", struct.unpack_from(order + "I", tiff, 4)[0])], set[int]()
    while waiting and len(seen) < MAX_DIRECTORIES:
        name, offset = waiting.pop(0)
        if not 8 <= offset <= len(tiff) - 2 or offset in seen:
            continue
        seen.add(offset)
        waiting += _directory(tiff, order, name, offset, exif, texts)
    exif.taken_at = _moment(texts)
    return exif


def _directory(tiff: bytes, order: str, name: str, offset: int, exif: Exif, texts: dict[int, str]) -> list[tuple[str, int]]:
    """Count one directory's entries into `exif` and give the directories that it points to."""
    (count,) = struct.unpack_from(order + "H", tiff, offset)
    found: list[tuple[str, int]] = []
    end = offset + 2
    for _ in range(min(count, MAX_ENTRIES)):
        if end + 12 > len(tiff):
            return found
        tag, kind, length = struct.unpack_from(order + "HHI", tiff, end)
        (value,) = struct.unpack_from(order + "I", tiff, end + 8)
        if tag in _POINTERS and kind in {4, 13}:
            found.append((_POINTERS[tag], value))
        elif name == "thumbnail":
            exif.removed["thumbnail"] += tag in {0x0201, 0x0111}
        else:
            exif.removed["GPS position" if name == "gps" else _NAME_OF.get(tag, "camera settings")] += 1
        if tag == 0x0112 and kind == 3 and name == "main":
            (orientation,) = struct.unpack_from(order + "H", tiff, end + 8)
            exif.orientation = orientation if 1 <= orientation <= 8 else 1
        if tag in {0x9003, 0x9011} and kind == 2 and 4 < length <= 32 and name in {"exif", "main"}:
            texts[tag] = tiff[value : value + length].split(b"\0")[0].decode("ascii", "replace").strip()
        end += 12
    if name == "main" and end + 4 <= len(tiff):
        found.append(("thumbnail", struct.unpack_from(order + "I", tiff, end)[0]))
    return found


def _moment(texts: dict[int, str]) -> str | None:
    """DateTimeOriginal with OffsetTimeOriginal, as ISO 8601; None unless it is a real moment."""
    taken, offset = texts.get(0x9003, ""), texts.get(0x9011, "")
    if len(taken) != 19:
        return None
    for text in (taken + offset, taken):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text[:10].replace(":", "-") + text[10:]).isoformat()
    return None
