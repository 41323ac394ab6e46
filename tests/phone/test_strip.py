"""Metadata stays on the phone: the page's stripping, run by Node over every hiding place that cleaning is tested on."""

import io
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from capture.errors import PhotoRefused
from capture.photos import CleanPhoto, Preset
from capture.photos.clean import clean
from capture.photos.jpeg import walk
from tests.needs import node
from tests.photos import corpus, hiding

PHOTOS = hiding.photos()
STAYS = ("profile", "table that nothing uses", "canary before EOI", "bytes after the pixels")
"""In what the picture itself is made of, where no phone writes a place: the server deals with these."""

DITHERED = ("12-bit", "16-bit grey")
"""What is brought to 8 bits with noise, and so is never the same twice."""


def stripped(photos: dict[str, bytes], folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What leaves the phone of each, and what is told of it: None for what it cannot walk, which then does not come out."""
    before, after = folder / "before", folder / "after"
    before.mkdir()
    after.mkdir()
    names = {f"{number:04}": name for number, name in enumerate(photos)}
    for number, name in names.items():
        (before / number).write_bytes(photos[name])
    script = str(Path(__file__).with_name("strip.js"))
    done = subprocess.run([*node(), script, str(before), str(after)], capture_output=True, check=True, timeout=300)
    told = {names[number]: facts for number, facts in json.loads(done.stdout).items()}
    return {names[path.name]: path.read_bytes() for path in after.iterdir()}, told


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The whole corpus without its metadata."""
    made, _ = stripped(PHOTOS, tmp_path_factory.mktemp("corpus"))
    assert set(made) == set(PHOTOS)
    return made


def cleaned(photo: bytes) -> CleanPhoto | str:
    """What the server makes of it, or the code it is refused with."""
    try:
        return clean(photo, Preset())
    except PhotoRefused as refusal:
        return refusal.code


def test_no_canary_leaves_the_phone(bare: dict[str, bytes]) -> None:
    """Whatever was hidden in a JPEG, PNG, WebP, HEIC or AVIF beside the picture, no byte of it is in what is sent."""
    for name, photo in bare.items():
        if not any(part in name for part in STAYS):
            assert corpus.CANARY[:12] not in photo, name


def test_the_picture_is_the_same(bare: dict[str, bytes]) -> None:
    """The server makes the very same photo of what is sent as of the original, taken at the same moment."""
    for name, photo in PHOTOS.items():
        one, other = cleaned(photo), cleaned(bare[name])
        if isinstance(one, str) or isinstance(other, str):
            assert name in {"jpeg: canary before EOI", "png: bytes after the pixels"}, (name, one, other)
            continue
        if any(deep in name for deep in DITHERED):
            assert corpus.difference(picture(one.jpeg), picture(other.jpeg)) < 1, name
        else:
            assert one.jpeg == other.jpeg, name
        for fact in ("taken_at", "orientation", "colour", "width", "height"):
            assert getattr(one.report, fact) == getattr(other.report, fact), name


def test_scans_are_not_touched(tmp_path: Path) -> None:
    """A phone's JPEG keeps its tables, frame and coded data byte for byte, in order; place, maker, serial number, text go."""
    photo = corpus.everything()
    out, told = stripped({"photo": photo}, tmp_path)
    kept = b"".join(photo[at:end] for at, end in walk(photo).kept)
    assert out["photo"].endswith(kept + b"\xff\xd9")
    assert len(out["photo"]) - len(kept) < 200
    assert told["photo"]["taken"] == {"orientation": 1, "time": "2026:11:02 09:41:07", "offset": "+00:00"}
    for gone in (b"Sample Phone", b"SN-0042", b"maker note", b"A Patient", corpus.CANARY):
        assert gone in photo
        assert gone not in out["photo"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_stays(tmp_path: Path, orientation: int) -> None:
    """However the phone was held, the photo is upright in the end."""
    out, _ = stripped({"photo": corpus.four_corners(orientation, (64, 48))}, tmp_path)
    result = cleaned(out["photo"])
    assert isinstance(result, CleanPhoto)
    assert corpus.corners(picture(result.jpeg)) == list(corpus.CORNERS)


def test_what_cannot_be_walked_is_told(tmp_path: Path) -> None:
    """Damaged files, other kinds and rubbish are given back as not walked, or as a file with no metadata; nothing else happens."""
    rubbish = random.Random(4)
    whole = [*hiding.photos().values()]
    cut = {f"cut {n}": (photo := rubbish.choice(whole))[: rubbish.randrange(len(photo))] for n in range(150)}
    flipped = {f"flipped {n}": flip(rubbish.choice(whole), rubbish) for n in range(150)}
    refused = {f"refused {name}": data for name, data, _ in corpus.refusals()}
    out, told = stripped({**cut, **flipped, **refused}, tmp_path)
    assert told["refused pdf"] is told["refused text"] is told["refused jpeg cut in its scan"] is None
    assert sum(facts is None for facts in told.values()) > 150
    assert all(facts is None or name in out for name, facts in told.items())


def flip(photo: bytes, rubbish: random.Random) -> bytes:
    """The photo with some bytes of its first part changed."""
    data = bytearray(photo)
    for _ in range(8):
        data[rubbish.randrange(min(len(data), 900))] = rubbish.randrange(256)
    return bytes(data)


def picture(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))
