"""`capture clean`: nothing is left but the picture."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import piexif
import pytest
from PIL import Image

from tests.cli.conftest import Command
from tests.photos.corpus import CANARY, everything, jpeg, refusals


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_0042.JPG"
    path.write_bytes(everything())
    return path


def test_nothing_is_left_but_the_picture(capture: Command, photo: Path, tmp_path: Path) -> None:
    """GPS, XMP, IPTC, a comment, a thumbnail, maker's notes and a video behind it go, and each is named in the report."""
    told = capture.json("clean", photo, tmp_path / "out.jpg")
    cleaned = (tmp_path / "out.jpg").read_bytes()
    assert photo.read_bytes().count(CANARY) >= 6
    assert CANARY not in cleaned
    assert not any(piexif.load(cleaned)[block] for block in ("0th", "Exif", "GPS", "1st", "thumbnail"))
    with Image.open(tmp_path / "out.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (640, 480))
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert (told["source"], told["output"]) == (str(photo), str(tmp_path / "out.jpg"))
    removed = " ".join(item["name"] for item in told["report"]["removed"]).lower()
    for kind in ("gps", "xmp", "iptc", "comment", "thumbnail", "maker's notes", "video"):
        assert kind in removed, removed
    assert CANARY.decode() not in json.dumps(told)


def test_a_person_is_told_in_a_line(capture: Command, photo: Path, tmp_path: Path) -> None:
    """Without --json one line says what was written and what was removed."""
    line = capture("clean", photo, tmp_path / "out.jpg").stdout
    assert line.startswith(f"wrote {tmp_path / 'out.jpg'}: 640×480, ")
    assert "removed: " in line
    (tmp_path / "plain.jpg").write_bytes((tmp_path / "out.jpg").read_bytes())
    assert "removed: nothing" in capture("clean", tmp_path / "plain.jpg", tmp_path / "again.jpg").stdout


def test_a_limit_in_bytes(capture: Command, tmp_path: Path) -> None:
    """With --max-bytes no JPEG is larger than that."""
    (tmp_path / "in.jpg").write_bytes(jpeg(size=(1200, 900), quality=95))
    assert (tmp_path / "in.jpg").stat().st_size > 40_000
    capture("clean", tmp_path / "in.jpg", tmp_path / "out.jpg", "--max-bytes", 40_000)
    assert (tmp_path / "out.jpg").stat().st_size <= 40_000


@pytest.mark.parametrize(("name", "data", "code"), [one for one in refusals() if one[0] in {"text", "pdf", "jpeg cut in its scan"}])
def test_a_file_that_is_refused(capture: Command, tmp_path: Path, name: str, data: bytes, code: str) -> None:
    """What is not a photo, or not a whole one, ends with 3, its code and a sentence; nothing is written."""
    (tmp_path / "in").write_bytes(data)
    result = capture("clean", tmp_path / "in", tmp_path / "out.jpg", "--json", code=3)
    told = json.loads(result.stdout)["error"]
    assert told["code"] == code
    assert f"error: {told['sentence']}" in result.stderr
    assert not (tmp_path / "out.jpg").exists()


def test_files_that_are_not_there(capture: Command, photo: Path, tmp_path: Path) -> None:
    """A source that is missing and a folder that is missing are named, and end with 1."""
    result = capture("clean", tmp_path / "none.jpg", tmp_path / "out.jpg", code=1)
    assert f"error: {tmp_path / 'none.jpg'}: No such file or directory" in result.stderr
    assert "No such file or directory" in capture("clean", photo, tmp_path / "no/out.jpg", code=1).stderr


def test_many_at_once(capture: Command, photo: Path, tmp_path: Path) -> None:
    """Of a folder each photo is written; each file that is refused is told with its reason, and it ends with 3."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg())
    (folder / "b.txt").write_bytes(b"a referral letter")
    result = capture("clean", folder, photo, "-o", tmp_path / "out", "--json", code=3)
    told = {Path(line["source"]).name: line for line in map(json.loads, result.stdout.splitlines())}
    assert set(told) == {"a.jpg", "b.txt", "IMG_0042.JPG"}
    assert told["b.txt"]["error"]["code"] == "not-a-picture"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["IMG_0042.jpg", "a.jpg"]
    shown = capture("clean", folder, "-o", tmp_path / "out2", code=3).stdout
    assert f"refused {folder / 'b.txt'}: This file is not a photo." in shown
    assert f"wrote {tmp_path / 'out2/a.jpg'}" in shown


def test_many_that_are_all_right(capture: Command, photo: Path, tmp_path: Path) -> None:
    """With nothing to refuse it ends with 0."""
    capture("clean", photo, "--out-dir", tmp_path / "out", "--jobs", 1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["IMG_0042.jpg"]


@pytest.mark.parametrize("both", [True, False])
def test_a_terminal_shows_how_far_it_is(photo: Path, tmp_path: Path, both: bool) -> None:
    """On a terminal a bar runs to 100% on stderr; lines on the same terminal wait for it, a program's JSON lines do not."""
    ours, theirs = pty.openpty()
    output = theirs if both else subprocess.PIPE
    command = [sys.executable, "-m", "capture", "clean", photo, photo, "-o", tmp_path / "out", *([] if both else ["--json"])]
    with subprocess.Popen([str(part) for part in command], stdin=theirs, stdout=output, stderr=theirs) as process:
        piped = process.communicate()[0]
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux's way to say that nothing more will come
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    assert process.returncode == 0
    assert b"Cleaning" in shown
    assert b"100%" in shown
    if both:
        assert shown.rindex(b"100%") < shown.index(b"wrote ")
        assert shown.count(b"wrote ") == 2
    else:
        assert {Path(json.loads(line)["output"]).name for line in piped.splitlines()} == {"IMG_0042.jpg", "IMG_0042-2.jpg"}
