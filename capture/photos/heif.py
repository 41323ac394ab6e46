"""HEIC and AVIF, walked within bounds before the decoder sees them: the primary picture's properties, the other items.

Sources: ISO/IEC 23008-12 (HEIF) sections 6 and 9, ISO/IEC 14496-12 sections 4.2 and 8.11.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from capture.photos.colour import DISPLAY_P3, check_size
from capture.photos.containers import MAX_PIXELS
from capture.photos.found import Found, check_pixels
from capture.photos.refusals import refused

MAX_BOXES = 20_000

_ITEMS = {b"Exif": None, b"mime": "XMP", b"uri ": "block of application data", b"jpeg": "further picture"}
_REFERENCES = {b"thmb": "thumbnail", b"auxl": "depth map or other auxiliary picture"}
_P3_PRIMARIES, _SRGB_CURVE = 12, 13  # ITU-T H.273 tables 2 and 3


@dataclass
class _Meta:
    primary: int = -1
    items: dict[int, bytes] = field(default_factory=dict)
    references: list[bytes] = field(default_factory=list)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    of_primary: list[int] = field(default_factory=list)


def heif(data: bytes) -> Found:
    """Walk a HEIF file. Raises PhotoRefused: truncated, damaged, too-complex or too-many-pixels."""
    found, meta = Found(0, 0, picture=data), _Meta()
    for name, body in _boxes(data):
        if name == b"meta" and not meta.items:
            _meta(meta, body[4:])
        elif name in {b"moov", b"mpvd"}:
            found.video(body)
        elif name in {b"uuid", b"udta"}:
            found.removed["block of application data"] += 1
    if meta.primary not in meta.items:
        raise refused("damaged")
    for name, body in (meta.properties[at] for at in meta.of_primary if at < len(meta.properties)):
        _property(found, name, body)
    for name in meta.items.values():
        if plain := _ITEMS.get(name):
            found.removed[plain] += 1
    for name in meta.references:
        if plain := _REFERENCES.get(name):
            found.removed[plain] += 1
    check_pixels(found.width, found.height, MAX_PIXELS)
    return found


def _property(found: Found, name: bytes, body: bytes) -> None:
    if name == b"ispe" and len(body) >= 12:
        found.width, found.height = int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
    elif name == b"colr" and body[:4] in {b"prof", b"rICC"}:
        check_size(len(body))
        found.profile = body[4:]
        found.removed["colour profile"] = 1
    elif name == b"colr" and body[:4] == b"nclx" and not found.profile:
        primaries, curve = int.from_bytes(body[4:6], "big"), int.from_bytes(body[6:8], "big")
        if (primaries, curve) == (_P3_PRIMARIES, _SRGB_CURVE):
            found.profile = DISPLAY_P3


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, body) of each box at one level (14496-12 section 4.2)."""
    at = 0
    for _ in range(MAX_BOXES):
        if at == len(data):
            return
        size, name, body = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        size = size or len(data) - at
        if len(name) < 4 or at + size > len(data):
            raise refused("truncated")
        if size < body - at:
            raise refused("damaged")
        yield name, data[body : at + size]
        at += size
    raise refused("too-complex")


def _meta(meta: _Meta, body: bytes) -> None:
    for name, inner in _boxes(body):
        wide = 4 if inner[:1] != b"\0" else 2  # a FullBox whose version decides how wide an item's number is
        if name == b"pitm":
            meta.primary = int.from_bytes(inner[4 : 4 + wide], "big")
        elif name == b"iinf":
            for kind, entry in _boxes(inner[4 + wide :]):
                width = 4 if entry[:1] == b"\3" else 2
                if kind == b"infe" and entry[:1] in {b"\2", b"\3"}:
                    meta.items[int.from_bytes(entry[4 : 4 + width], "big")] = entry[6 + width : 10 + width]
        elif name == b"iref":
            meta.references += [kind for kind, _ in _boxes(inner[4:])]
        elif name == b"iprp":
            _properties(meta, inner)


def _properties(meta: _Meta, body: bytes) -> None:
    for name, inner in _boxes(body):
        if name == b"ipco":
            meta.properties += list(_boxes(inner))
        elif name == b"ipma":
            _associations(meta, inner)


def _associations(meta: _Meta, body: bytes) -> None:
    """ItemPropertyAssociationBox (23008-12 section 9.3): which properties are the primary item's."""
    number_width = 4 if body[:1] != b"\0" else 2
    index_width = 2 if body[3:4] and body[3] & 1 else 1
    at = 8
    for _ in range(min(int.from_bytes(body[4:8], "big"), MAX_BOXES)):
        item, count = int.from_bytes(body[at : at + number_width], "big"), body[at + number_width : at + number_width + 1]
        if not count:
            raise refused("truncated")
        at += number_width + 1
        for _index in range(count[0]):
            index = int.from_bytes(body[at : at + index_width], "big") & (0x7FFF if index_width == 2 else 0x7F)
            if item == meta.primary and index:
                meta.of_primary.append(index - 1)
            at += index_width
