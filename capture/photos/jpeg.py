"""The header of a JPEG, walked strictly and within bounds before any decoder sees it.

Source: ITU-T T.81 annex B (markers), ECMA TR/98 (JFIF), ICC.1:2022 annex B.4 (profiles in APP2).
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from capture.photos import exif
from capture.photos.colour import check_size
from capture.photos.found import Found, check_pixels
from capture.photos.refusals import refused
from capture.photos.turbo import SAMPLINGS

MAX_SEGMENTS = 2_000
MAX_SCANS = 100
MAX_PIXELS = 216_000_000  # a phone's 200 megapixels and a little

SOI, EOI, SOS, DQT, DHT, DAC, DRI, COM, APP0, APP1, APP2, APP13, APP14 = (
    *(0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDD, 0xFE),
    *(0xE0, 0xE1, 0xE2, 0xED, 0xEE),
)
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive, by Huffman or arithmetic code
_RARE = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xDC, 0xDE, 0xDF}  # lossless, hierarchical, DNL
# In entropy-coded data FF is followed by 00, a restart marker or a fill byte; anything else ends it (T.81 B.1.1.5).
_ENDS_SCAN = np.array([byte not in {0, 0xFF, *range(0xD0, 0xD8)} for byte in range(256)])
_STRETCH = 1 << 17  # bytes that are looked at together

JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"  # version 1.1, square pixels, no thumbnail
_ICC = b"ICC_PROFILE\0"


@dataclass
class Header:
    """What the walk found. `sampling` is the (horizontal, vertical) factor of each component; offsets are in bytes.

    `kept` are the ranges that make the picture: tables, frame, scans. `end` is the offset after EOI. `averages` is the
    quantiser of the DC coefficient by table, `tables` the table of each component. `precision` is 8 or 12 bits a sample.
    """

    width: int = 0
    height: int = 0
    frame: int = 0
    sampling: tuple[tuple[int, int], ...] = ()
    ids: bytes = b""
    scans: int = 0
    adobe: int | None = None
    has_jfif: bool = False
    segments: list[tuple[int, int, int]] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    end: int = 0
    averages: dict[int, int] = field(default_factory=dict)
    tables: bytes = b""
    precision: int = 8

    @property
    def luma(self) -> tuple[int, ...] | None:
        """The sampling in the terms of `turbo.SAMPLINGS`: luma's factors, () for grey, None for what it cannot name."""
        if len(self.sampling) == 1:
            return ()
        known = self.is_ycc and self.sampling[1:] == ((1, 1), (1, 1)) and self.sampling[0] in SAMPLINGS
        return self.sampling[0] if known else None

    def is_whole(self, orientation: int) -> bool:
        """Whether undoing `orientation` moves no edge that cuts through an MCU (transupp.c, jtransform_perfect_transform)."""
        across, down = self.mcu
        return not ((orientation in {2, 3, 7, 8} and self.width % across) or (orientation in {3, 4, 6, 7} and self.height % down))

    @property
    def mcu(self) -> tuple[int, int]:
        """The size in pixels of the smallest part that is coded together (T.81 A.2)."""
        if len(self.sampling) == 1:
            return 8, 8
        return 8 * max(h for h, _ in self.sampling), 8 * max(v for _, v in self.sampling)

    @property
    def is_ycc(self) -> bool:
        """Whether the components are luma and chroma, by libjpeg's rules (jdapimin.c, default_decompress_parms)."""
        if len(self.sampling) != 3:
            return False
        if self.has_jfif or self.ids == b"\1\2\3":
            return True
        return self.adobe != 0 if self.adobe is not None else self.ids != b"RGB"


def walk(data: bytes) -> Header:
    """Walk from SOI to EOI. Raises PhotoRefused: truncated, damaged, jpeg-kind, too-complex or too-many-pixels."""
    header, at = Header(), 2
    while True:
        if at + 4 > len(data) and data[at : at + 2] != b"\xff\xd9":
            raise refused("truncated")
        if data[at] != 0xFF:
            raise refused("damaged")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == EOI:
            if not header.scans:
                raise refused("damaged")
            header.end = at + 2
            return header
        if marker in _RARE:
            raise refused("jpeg-kind")
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4 or marker < 0xC0 or 0xD0 <= marker <= SOI:
            raise refused("damaged")
        if end > len(data):
            raise refused("truncated")
        header.segments.append((marker, at, end))
        if len(header.segments) > MAX_SEGMENTS:
            raise refused("too-complex")
        at = _segment(header, data, marker, at, end)


def _segment(header: Header, data: bytes, marker: int, at: int, end: int) -> int:
    """Take note of one segment; gives where the next one begins."""
    if marker in _FRAMES:
        _frame(header, marker, data[at + 4 : end])
    elif marker == APP14 and data[at + 4 : at + 9] == b"Adobe" and end - at >= 16:
        header.adobe = data[at + 15]
    elif marker == APP0 and data[at + 4 : at + 9] == b"JFIF\0":
        header.has_jfif = True
    elif marker == DQT:
        _quantisers(header, data[at + 4 : end])
    elif marker == SOS:
        if not header.frame:
            raise refused("damaged")
        header.scans += 1
        if header.scans > MAX_SCANS:
            raise refused("too-complex")
        end = _end_of_scan(data, end)
    if marker in {DQT, DHT, DAC, DRI, SOS} or marker in _FRAMES:
        header.kept.append((at, end))
    return end


def _end_of_scan(data: bytes, start: int) -> int:
    """Where the marker after the entropy-coded data stands that begins at `start`."""
    for at in range(start, len(data), _STRETCH):
        stretch = np.frombuffer(data, np.uint8, min(_STRETCH + 1, len(data) - at), at)
        marks = np.flatnonzero((stretch[:-1] == 0xFF) & (stretch[1:] != 0))
        ends = marks[_ENDS_SCAN[stretch[marks + 1]]]
        if len(ends):
            return at + int(ends[0])
    raise refused("truncated")


def _frame(header: Header, marker: int, body: bytes) -> None:
    if header.frame or len(body) < 6:
        raise refused("damaged")
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    if len(body) != 6 + 3 * count or not width or not height:
        raise refused("damaged")
    sampling = tuple((body[7 + 3 * n] >> 4, body[7 + 3 * n] & 15) for n in range(count))
    if count not in {1, 3, 4} or not (precision == 8 or (precision == 12 and marker != 0xC0)):
        raise refused("jpeg-kind")
    if not all(1 <= factor <= 4 for pair in sampling for factor in pair):
        raise refused("damaged")
    check_pixels(width, height, MAX_PIXELS)
    header.width, header.height, header.frame, header.sampling = width, height, marker, sampling
    header.ids, header.tables, header.precision = body[6::3], body[8::3], precision


def _quantisers(header: Header, body: bytes) -> None:
    """Note the first number of each table (T.81 B.2.4.1): it scales the block averages."""
    at = 0
    while at < len(body):
        width = 2 if body[at] >> 4 else 1
        header.averages[body[at] & 15] = int.from_bytes(body[at + 1 : at + 1 + width], "big")
        at += 1 + 64 * width


def look(data: bytes) -> tuple[Found, Header]:
    """Everything that is known of a JPEG before it is decoded; `Found.picture` holds only what makes the picture."""
    header = walk(data)
    found = Found(header.width, header.height)
    profiles: dict[int, bytes] = {}
    for marker, at, end in header.segments:
        if marker == COM or APP0 <= marker <= 0xEF:
            _metadata(found, profiles, marker, data[at + 4 : end])
    if profiles:
        check_size(sum(map(len, profiles.values())))
        found.profile = b"".join(profiles[number] for number in sorted(profiles))
    found.trailing(data[header.end :])
    view = memoryview(data)
    parts = [view[at:end] for at, end in header.kept]
    adobe = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0" + bytes([header.adobe]) if header.adobe is not None else b""
    found.picture = b"".join([b"\xff\xd8", JFIF if header.has_jfif else b"", adobe, *parts, b"\xff\xd9"])
    return found, header


def _metadata(found: Found, profiles: dict[int, bytes], marker: int, body: bytes) -> None:
    """Take note of one APPn or COM segment: what it holds by name, and the few values that are used."""
    if marker == APP1 and body.startswith(b"Exif\0"):
        found.exif(exif.read(body))
    elif marker == APP2 and body.startswith(_ICC) and len(body) > 14:
        profiles.setdefault(body[12], body[14:])
        found.removed["colour profile"] = 1
    elif marker == APP0 and body.startswith(b"JFIF\0"):
        found.removed["thumbnail"] += len(body) > 14 and bool(body[12] and body[13])
    elif not (marker == APP14 and body.startswith(b"Adobe") and len(body) == 12):
        found.removed[_name(marker, body)] += 1


def _name(marker: int, body: bytes) -> str:
    if marker == COM:
        return "comment"
    for start, name in _APP_NAMES:
        if body.startswith(start):
            return name
    return f"block of application data ({marker - APP0})"


_APP_NAMES = (
    (b"http://ns.adobe.com/xap/", "XMP"),
    (b"http://ns.adobe.com/xmp/extension/", "XMP"),
    (b"Photoshop 3.0", "IPTC"),
    (b"MPF\0", "list of further pictures"),
    (b"JFXX\0", "thumbnail"),
    (b"FPXR\0", "FlashPix data"),
    (b"JP\0", "content credentials"),
    (b"urn:iso:std:iso:ts:21496", "HDR gain map"),
)


def segment(marker: int, body: bytes) -> bytes:
    """One marker segment, its length in front."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def finish(encoded: bytes, profile: bytes) -> bytes:
    """An encoder's output with our own JFIF segment in place of its own, and `profile` (one chunk) after it."""
    if encoded[:20] == b"\xff\xd8" + JFIF and not profile:
        return encoded
    if encoded[:11] != b"\xff\xd8" + JFIF[:9]:
        raise refused("not-clean")
    icc = segment(APP2, _ICC + b"\1\1" + profile) if profile else b""
    return b"".join([b"\xff\xd8", JFIF, icc, memoryview(encoded)[20:]])


def overhead(profile: bytes) -> int:
    """How many bytes `finish` adds."""
    return len(profile) + 18 if profile else 0
