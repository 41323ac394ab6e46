"""`capture open --preset`: what is written fits the system that the referral is made in."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from capture.sealing.keys import write_identity_file
from tests.cli.conftest import Command
from tests.photos.test_pdf import streams, texts
from tests.sealing import builders
from tests.sealing.builders import AT, make_bundle


def noisy(size: tuple[int, int]) -> bytes:
    """A JPEG that no encoder makes small: about a byte and a half a pixel."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def write_bundle(folder: Path, jpegs: list[bytes]) -> tuple[object, ...]:
    """A bundle of these photos and an identity that opens it: the arguments of `capture open`."""
    made = make_bundle(jpegs)
    (folder / "identity.txt").write_text(write_identity_file(made.identity, AT, made.key.verifying_key))
    return ("open", made.save(folder), "--identity", folder / "identity.txt", "--out", folder / "out")


def test_every_file_is_within_its_preset(capture: Command, tmp_path: Path) -> None:
    """A photo that is too large becomes the best JPEG under the limit; one that fits is written byte for byte as it was sealed."""
    small, large = noisy((300, 200)), noisy((1600, 1200))
    args = write_bundle(tmp_path, [small, large])
    assert len(large) > 745_000
    told = capture.json(*args, "--preset", "vision-745kb")
    first, second = (Path(photo["path"]).read_bytes() for photo in told["photos"])
    assert first == small
    assert 0.8 * 745_000 < len(second) < 745_000
    with Image.open(io.BytesIO(second)) as picture:
        assert (picture.format, picture.info.get("exif")) == ("JPEG", None)
    assert [photo["new"] for photo in capture.json(*args, "--preset", "vision-745kb")["photos"]] == [False, False]


def test_the_five_megabytes_are_counted_in_bytes(capture: Command, tmp_path: Path) -> None:
    """`ers-5mb`: a file of 5,242,879 bytes is left as it is; one byte more, and it is made to fit."""
    picture = noisy((1500, 1000))
    padded = [picture + bytes(size - len(picture)) for size in (5_242_879, 5_242_880)]
    args = write_bundle(tmp_path, padded)
    told = capture.json(*args, "--preset", "ers-5mb")
    first, second = (Path(photo["path"]).read_bytes() for photo in told["photos"])
    assert first == padded[0]
    assert second != padded[1]
    assert len(second) < 5_242_880


def test_more_photos_than_the_system_takes(capture: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a system takes four files, five are refused before anything is written, and --photo names those to save."""
    monkeypatch.setattr(builders, "VIEWS", ("context", "close-up", "close-up-scale", "other-side", "more-1"))
    args = write_bundle(tmp_path, [b"\xff\xd8\xff %d" % number for number in range(5)])
    refused = capture(*args, "--preset", "vision-745kb", code=1)
    assert "takes 4 files at most, not 5" in refused.stderr
    assert not (tmp_path / "out").exists()
    told = capture.json(*args, "--preset", "vision-745kb", "--photo", 5, "--photo", 2)
    assert [Path(photo["path"]).name for photo in told["photos"]] == [
        "2026-11-22_left-forearm_close-up_2of5.jpg",
        "2026-11-22_left-forearm_more-1_5of5.jpg",
    ]
    assert "There is no photo 6: the bundle has 5" in capture(*args, "--photo", 6, code=1).stderr


def test_a_preset_that_there_is_not(capture: Command, tmp_path: Path) -> None:
    """An unknown preset is told with the names of those that there are."""
    args = write_bundle(tmp_path, [b"\xff\xd8\xff"])
    assert "there are ers-5mb, vision-745kb, web-100mb" in capture(*args, "--preset", "fax", code=2).stderr


def test_one_pdf(capture: Command, tmp_path: Path) -> None:
    """--pdf writes one PDF with the photos bit for bit and their facts; again it changes nothing, and never overwrites."""
    jpegs = [noisy((300, 200)), noisy((200, 300))]
    args = (*write_bundle(tmp_path, jpegs), "--pdf")
    told = capture.json(*args)
    path = Path(told["pdf"]["path"])
    assert (path.name, told["photos"], list((tmp_path / "out").iterdir())) == ("2026-11-22_left-forearm_2-photos.pdf", [], [path])
    pdf = path.read_bytes()
    assert streams(pdf, b"/DCTDecode") == jpegs
    said = texts(pdf)
    assert {"Patient: Mrs Ada Byron", "Note from the patient: It itches at night ?", "Helper: my daughter"} <= set(said)
    assert "The patient was told: blurred. They sent it all the same." in said
    assert "Removed from the file: GPS position (1), thumbnail (2)." in said
    assert f"was there {path}" in capture(*args).stdout
    path.write_bytes(b"another")
    assert "is not this PDF" in capture(*args, code=3).stderr
    assert path.read_bytes() == b"another"
    assert capture.json(*args, "--photo", 2)["pdf"]["path"].endswith("_1-photo.pdf")


def test_a_pdf_of_what_cannot_be_one(capture: Command, tmp_path: Path) -> None:
    """What is no JPEG is refused, and so is a PDF of photos that a preset would have to encode anew."""
    args = write_bundle(tmp_path, [b"\xff\xd8\xff"])
    assert "not a JPEG" in capture(*args, "--pdf", code=3).stderr
    assert "not both" in capture(*args, "--pdf", "--preset", "ers-5mb", code=2).stderr
    assert not (tmp_path / "out").exists()
