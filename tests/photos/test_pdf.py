"""Photos in one PDF: each JPEG inside as it is, the text inert, and the browser's the same to the byte."""

import base64
import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from PIL.ImageCms import ImageCmsProfile, createProfile

from capture.photos.pdf import Sheet, write_pdf
from capture.photos.sample import sample_photo
from tests import needs
from tests.needs import node

SCRIPT = Path(__file__).parents[2] / "static" / "js" / "open" / "pdf.js"
PEER = """
const { writePdf } = await import(process.argv[1]);
let input = "";
for await (const piece of process.stdin) input += piece;
const sheets = JSON.parse(input).map(({ title, lines, jpeg }) =>
  ({ title, lines, jpeg: jpeg ? new Blob([Buffer.from(jpeg, "base64")]) : undefined }));
process.stdout.write(Buffer.from(await (await writePdf(sheets)).arrayBuffer()));
"""


def saved(mode: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (160, 90), 120).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def grey() -> bytes:
    return saved("L")


def with_profile() -> bytes:
    return saved("RGB", icc_profile=ImageCmsProfile(createProfile("sRGB")).tobytes())


def objects(pdf: bytes) -> dict[int, bytes]:
    """The objects by number, found through the cross-reference table, as a reader finds them."""
    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n$", pdf)[0])
    count = int(re.match(rb"xref\n0 (\d+)\n", pdf[start:])[1])  # type: ignore[index]
    places = [int(row[:10]) for row in pdf[start:].split(b"\n")[3 : 2 + count]]
    found = {}
    for number, place in enumerate(places, 1):
        assert pdf[place:].startswith(b"%d 0 obj\n" % number)
        found[number] = pdf[place + len(b"%d 0 obj\n" % number) :]
    return found


def streams(pdf: bytes, marker: bytes) -> list[bytes]:
    """The streams whose dictionary has the marker, by the length it says."""
    taken = []
    for body in objects(pdf).values():
        head, _, data = body.partition(b"stream\n")
        if marker in head and b"/Length" in head:
            size = int(re.findall(rb"/Length (\d+)", head)[0])
            assert data[size:].startswith(b"\nendstream")
            taken.append(data[:size])
    return taken


def taken_out(pdf: bytes, folder: Path) -> list[bytes]:
    """The photos that another program, pdfimages, takes out of a PDF, in their order."""
    pdfimages = needs.program("pdfimages", install="apt install poppler-utils")
    (folder / "photos.pdf").write_bytes(pdf)
    subprocess.run([pdfimages, "-all", "photos.pdf", "photo"], cwd=folder, check=True)
    return [path.read_bytes() for path in sorted(folder.glob("photo-*.jpg"))]


def texts(pdf: bytes) -> list[str]:
    return [bytes.fromhex(found.decode()).decode("cp1252") for found in re.findall(rb"<([0-9a-f]*)> Tj", pdf)]


def test_photos_are_inside_as_they_are() -> None:
    """What a reader takes out of the PDF is each JPEG bit for bit, in its order, with its size and colours."""
    jpegs = [sample_photo("close-up", size=(1200, 900)), grey(), with_profile()]
    pdf = b"".join(write_pdf([Sheet("Request", ("J. Doe",)), *(Sheet("Photo", ("facts",), jpeg) for jpeg in jpegs)]))
    assert streams(pdf, b"/DCTDecode") == jpegs
    assert pdf.count(b"/Type /Page /Parent") == 4
    assert b"/Count 4" in pdf
    assert b"/Width 1200 /Height 900 /BitsPerComponent 8 /ColorSpace /DeviceRGB" in pdf
    assert b"/Width 160 /Height 90 /BitsPerComponent 8 /ColorSpace /DeviceGray" in pdf
    (profile,) = streams(pdf, b"/Alternate /DeviceRGB")
    with Image.open(io.BytesIO(jpegs[2])) as picture:
        assert profile == picture.info["icc_profile"]


def test_another_program_takes_out_the_same(tmp_path: Path) -> None:
    """pdfimages of poppler finds each JPEG in the PDF bit for bit: in colour, in grey, and with a profile."""
    jpegs = [sample_photo("close-up", size=(1200, 900)), grey(), with_profile()]
    pdf = b"".join(write_pdf([Sheet("Request", ("J. Doe",)), *(Sheet("Photo", ("facts",), jpeg) for jpeg in jpegs)]))
    assert taken_out(pdf, tmp_path) == jpegs


def test_text_is_inert() -> None:
    """SECURITY 30: whatever is written in a field comes out as letters, never as part of the PDF."""
    evil = ") Tj ET endstream endobj 9 0 obj << /S /JavaScript /JS (app.alert(1)) >> =cmd|' /C calc'!A0 \\"
    pdf = b"".join(write_pdf([Sheet("Request", (evil,))]))
    assert b"JavaScript" not in pdf
    assert " ".join(texts(pdf)[1:]) == evil


def test_letters_that_the_font_lacks() -> None:
    """A letter outside WinAnsi loses its accent, or is a question mark; none is dropped, and a line break is a space."""
    pdf = b"".join(write_pdf([Sheet("Łódź – “ŵ”", ("a\nb\u200b\U0001f600 €",))]))
    assert texts(pdf) == ["?ódz – “w”", "a b?? €"]


def test_long_text_goes_on_over_lines_and_pages() -> None:
    """No word is lost: text wraps within the page, and what is more than a page goes on on the next."""
    words = [f"word{number}" for number in range(2000)] + ["x" * 150]
    pdf = b"".join(write_pdf([Sheet("Request", (" ".join(words),))]))
    lines = texts(pdf)
    assert " ".join(lines[1:]).split() == [*words[:-1], "x" * 60, "x" * 60, "x" * 30]
    assert pdf.count(b"/Type /Page /Parent") == -(-len(lines) // 54)
    assert all(int(place) >= 30 for place in re.findall(rb"Tf 40 (-?\d+) Td", pdf))


@pytest.mark.parametrize("jpeg", [b"\xff\xd8\xff", b"\xff\xd8" + b"\0" * 40, b"GIF89a" + b"\0" * 40])
def test_what_is_no_jpeg(jpeg: bytes) -> None:
    """Bytes that are no JPEG are an error, not a broken PDF."""
    with pytest.raises(ValueError, match="not a JPEG"):
        write_pdf([Sheet("Photo", (), jpeg)])


def test_the_browser_writes_the_same() -> None:
    """static/js/open/pdf.js gives the very bytes that this gives, for text of every kind and photos of every kind."""
    sheets = [
        Sheet("Request of Łódź", ("It itches “at night” " * 40, "", "(a) \\ <b> €", "x" * 200, "\u0660\u3042")),
        Sheet("1 of 3: Close-up", ("4,000 × 3,000 pixels",), sample_photo("close-up", size=(1200, 900))),
        Sheet("2 of 3", ("grey",), grey()),
        Sheet("3 of 3", ("profile",), with_profile()),
    ]
    given = [{"title": sheet.title, "lines": sheet.lines, "jpeg": base64.b64encode(sheet.jpeg).decode()} for sheet in sheets]
    done = subprocess.run(
        [*node(), "--input-type=module", "-e", PEER, "--", str(SCRIPT)],
        input=json.dumps(given).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"".join(write_pdf(sheets))
