"""Photos and what is known of them as one PDF (ISO 32000-1), each JPEG inside byte for byte as it is (DCTDecode, 7.4.8).

static/js/open/pdf.js writes the same PDF in the browser, to the byte. Text is WinAnsi (Annex D.2) in the standard Helvetica; a
letter that it lacks loses its accent or becomes a question mark.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

WIDTH, HEIGHT, MARGIN = 595, 842, 40  # A4 in points
_SIZE, _LEADING = 10, 14
_MOST_LINES = (HEIGHT - 2 * MARGIN) // _LEADING
_FIRST = 5  # the number of the first page's first object
_FRAMES = {0xC0, 0xC1, 0xC2}  # JPEG: baseline, extended, progressive


@dataclass(frozen=True)
class Sheet:
    """What stands together: a title, lines of text under it, and a photo above them, if there is one."""

    title: str
    lines: tuple[str, ...]
    jpeg: bytes = b""


def write_pdf(sheets: Iterable[Sheet]) -> Iterator[bytes]:
    """The PDF, piece by piece; a sheet without a photo goes on over as many pages as its text needs.

    The sheets are gone through twice, first to count, so that each may be made as it is come to. ValueError for what is no JPEG.
    """
    starts, number = [], _FIRST
    for page in _pages(sheets):
        starts.append(number)
        number += len(page)
    kids = " ".join(f"{start} 0 R" for start in starts)
    tree = f"<< /Type /Pages /Kids [{kids}] /Count {len(starts)} /MediaBox [0 0 {WIDTH} {HEIGHT}] >>".encode()
    head = (b"<< /Type /Catalog /Pages 2 0 R >>", tree, _font("Helvetica"), _font("Helvetica-Bold"))
    return _file(chain(head, chain.from_iterable(_pages(sheets))))


def _pages(sheets: Iterable[Sheet]) -> Iterator[list[bytes]]:
    """The objects of each page."""
    number = _FIRST
    for sheet in sheets:
        texts = ((sheet.title, True), *((line, False) for line in sheet.lines))
        rows = [(line, bold) for text, bold in texts for line in _wrap(text)]
        step = len(rows) if sheet.jpeg else _MOST_LINES
        for start in range(0, len(rows), step):
            page = list(_page(number, rows[start : start + step], sheet.jpeg))
            number += len(page)
            yield page


def _page(number: int, rows: Sequence[tuple[bytes, bool]], jpeg: bytes) -> Iterator[bytes]:
    """The objects of a page from `number` on: itself, what is drawn, and the photo with its profile."""
    top, drawn, image = HEIGHT - MARGIN, "", ""
    if jpeg:
        width, height, components, profile = _read_jpeg(jpeg)
        room = (WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN - len(rows) * _LEADING - _LEADING)
        scale = min(room[0] / width, room[1] / height)
        top -= math.ceil(height * scale) + _LEADING
        drawn = f"q {width * scale:.2f} 0 0 {height * scale:.2f} {MARGIN} {top + _LEADING} cm /Im Do Q\n"
        image = f" /XObject << /Im {number + 2} 0 R >>"
    for row, (line, bold) in enumerate(rows):
        drawn += f"BT /F{2 if bold else 1} {_SIZE} Tf {MARGIN} {top - _SIZE - row * _LEADING} Td <{line.hex()}> Tj ET\n"
    fonts = "/Font << /F1 3 0 R /F2 4 0 R >>"
    yield f"<< /Type /Page /Parent 2 0 R /Contents {number + 1} 0 R /Resources << {fonts}{image} >> >>".encode()
    yield _stream("", drawn.encode())
    if jpeg:
        device = "/DeviceGray" if components == 1 else "/DeviceRGB"
        space = f"[/ICCBased {number + 3} 0 R]" if profile else device
        size = f"/Width {width} /Height {height} /BitsPerComponent 8"
        yield _stream(f"/Type /XObject /Subtype /Image {size} /ColorSpace {space} /Filter /DCTDecode ", jpeg)
        if profile:
            yield _stream(f"/N {components} /Alternate {device} ", profile)


def _font(name: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()


def _stream(entries: str, data: bytes) -> bytes:
    return f"<< {entries}/Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _file(objects: Iterable[bytes]) -> Iterator[bytes]:
    """Header, body, cross-reference table and trailer (7.5)."""
    yield (head := b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places, size = list[int](), len(head)
    for number, body in enumerate(objects, 1):
        places.append(size)
        piece = f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
        size += len(piece)
        yield piece
    rows = "".join(f"{place:010} 00000 n \n" for place in places)
    table = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{rows}"
    yield f"{table}trailer\n<< /Size {len(places) + 1} /Root 1 0 R >>\nstartxref\n{size}\n%%EOF\n".encode()


def _read_jpeg(jpeg: bytes) -> tuple[int, int, int, bytes]:
    """Width, height, components and colour profile, from the segments before the picture."""
    at, profile = 2, b""
    while at + 10 <= len(jpeg) and jpeg[at] == 0xFF:
        kind, size = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        body = jpeg[at + 4 : at + 2 + size]
        if kind in _FRAMES:
            return int.from_bytes(body[3:5]), int.from_bytes(body[1:3]), body[5], profile
        if kind == 0xE2 and body.startswith(b"ICC_PROFILE\0\1\1"):
            profile = body[14:]
        at += 2 + size
    raise ValueError("not a JPEG")


def _wrap(text: str) -> Iterator[bytes]:
    """The text in lines that fit the page, by letters that are never wider than counted here."""
    line, width = "", 0
    for word in re.split(" +", _plain(text).strip()):
        for piece in re.findall(".{1,60}", word):
            wide = sum(map(_wide, piece))
            if line and width + 28 + wide > (WIDTH - 2 * MARGIN) * 100 // _SIZE:
                yield line.encode("cp1252")
                line, width = "", 0
            line, width = f"{line} {piece}" if line else piece, width + 28 + wide
    yield line.encode("cp1252")


def _plain(text: str) -> str:
    return "".join(_letter(letter) for letter in text)


def _letter(letter: str) -> str:
    for one in (letter, unicodedata.normalize("NFKD", letter)[0]):
        if one.isspace():
            return " "
        if " " <= one <= "~" or "\xa1" <= one <= "\xff" or one in _HIGH:
            return one
    return "?"


_HIGH = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"


def _wide(letter: str) -> int:
    """An upper bound of the letter's width in Helvetica and its bold, in hundredths of its size."""
    if letter in "fijlrtI.,:;'!()[]/|- ":
        return 40
    if letter.isascii():
        return 100 if letter in "mwMW%@" else 84 if letter.isupper() else 62
    return 100
