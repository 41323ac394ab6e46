"""The second opinion: what the cleaner could ever let through, the checker does not."""

import io
import random

import piexif
import pytest
from PIL import Image

from capture.errors import PhotoRefused
from capture.photos import Preset
from capture.photos.clean import clean
from capture.photos.sample import sample_exif
from capture.photos.verify import verify

from . import corpus

CLEAN = clean(corpus.jpeg(), Preset()).jpeg
FRAME, SCAN = CLEAN.index(b"\xff\xc0"), CLEAN.index(b"\xff\xda")
ICC = b"ICC_PROFILE\0\1\1"

SPOILT = {
    "EXIF": CLEAN[:20] + corpus.segment(0xE1, sample_exif()) + CLEAN[20:],
    "comment": CLEAN[:20] + corpus.segment(0xFE, b"x") + CLEAN[20:],
    "comment before the scan": CLEAN[:SCAN] + corpus.segment(0xFE, b"x") + CLEAN[SCAN:],
    "density": CLEAN[:13] + b"\1\0\x48\0\x48" + CLEAN[18:],
    "no JFIF": CLEAN[:2] + CLEAN[20:],
    "byte behind": CLEAN + b"\0",
    "picture behind": CLEAN + CLEAN,
    "picture within": CLEAN[:20] + CLEAN[:-2] + CLEAN[20:],
    "no end": CLEAN[:-2],
    "half": CLEAN[: len(CLEAN) // 2],
    "header only": CLEAN[:30],
    "nothing": b"",
    "no picture": CLEAN[:20] + b"\xff\xd9",
    "fill bytes": CLEAN[:20] + b"\xff" + CLEAN[20:],
    "bytes between": CLEAN[:20] + b"\0" + CLEAN[20:],
    "foreign profile": CLEAN[:20] + corpus.segment(0xE2, ICC + b"\0" * 900) + CLEAN[20:],
    "other APP2": CLEAN[:20] + corpus.segment(0xE2, b"MPF\0") + CLEAN[20:],
    "two profiles": CLEAN[:20] + corpus.segment(0xE2, ICC) * 2 + CLEAN[20:],
    "Adobe": CLEAN[:20] + corpus.segment(0xEE, b"Adobe\0\x64\0\0\0\0\1") + CLEAN[20:],
    "two frames": CLEAN[:FRAME] + CLEAN[FRAME:SCAN] + CLEAN[FRAME:],
    "12 bits": CLEAN[: FRAME + 4] + b"\x0c" + CLEAN[FRAME + 5 :],
    "four components": CLEAN[: FRAME + 9] + b"\4" + CLEAN[FRAME + 10 :],
    "no height": CLEAN[: FRAME + 5] + b"\0\0" + CLEAN[FRAME + 7 :],
}


@pytest.mark.parametrize("name", SPOILT)
def test_anything_else_than_the_picture_is_noticed(name: str) -> None:
    """SECURITY 17: one thing too many, or one too few, and the photo is not believed."""
    with pytest.raises(PhotoRefused) as refusal:
        verify(SPOILT[name], Preset())
    assert refusal.value.code == "not-clean"


def test_limits_of_the_preset_are_checked() -> None:
    """More bytes or a longer side than the preset is noticed."""
    for preset in (Preset(max_bytes=len(CLEAN) - 1), Preset(max_side=159)):
        with pytest.raises(PhotoRefused):
            verify(CLEAN, preset)
    seen = verify(CLEAN, Preset(max_bytes=len(CLEAN), max_side=160))
    assert (seen.width, seen.height, seen.has_profile) == (160, 120, False)


def test_what_another_encoder_writes_is_noticed() -> None:
    """An ordinary JPEG with a resolution is not ours, though it is a proper picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "JPEG", dpi=(72, 72))
    with pytest.raises(PhotoRefused):
        verify(buffer.getvalue(), Preset())


def test_rubbish_is_refused_and_nothing_else() -> None:
    """The checker gives its one answer for any change of bytes in the header, and never another exception."""
    chance = random.Random(7)
    for _ in range(3000):
        spoilt = bytearray(CLEAN)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(min(len(spoilt), 700))] = chance.randrange(256)
        try:
            verify(bytes(spoilt[: chance.choice([len(spoilt), chance.randrange(len(spoilt))])]), Preset())
        except PhotoRefused as refusal:
            code = refusal.code
            assert code == "not-clean"


def test_what_piexif_finds_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """piexif is asked too, about everything before the pixels, and believed."""
    asked: list[bytes] = []

    def load(header: bytes) -> dict[str, dict[int, bytes]]:
        asked.append(header)
        return {"GPS": {1: b"N"}}

    monkeypatch.setattr(piexif, "load", load)
    with pytest.raises(PhotoRefused) as refusal:
        verify(CLEAN, Preset())
    assert refusal.value.code == "not-clean"
    assert asked == [CLEAN[: SCAN + 2]]


def test_piexif_finds_nothing_in_a_clean_photo() -> None:
    """piexif reads the whole of a cleaned photo without complaint and finds nothing."""
    assert not any(piexif.load(CLEAN).values())
