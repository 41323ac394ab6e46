"""Pictures that others made to test their decoders: those of the packages that decode here. Not in this repository."""

import io
import json
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from capture.errors import PhotoRefused
from capture.photos import CleanPhoto, Preset
from capture.photos.clean import clean
from capture.photos.refusals import REFUSALS
from capture.photos.verify import verify
from tests.needs import program

from . import corpus
from .conftest import EXIFTOOL

FOLDER = Path(sys.prefix) / "samples"
KINDS = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif", ".hif")
MOST = 2 << 20  # bytes of one sample, so that the largest do not take a minute
BROKEN = {"truncated", "damaged", "empty", "too-many-pixels"}  # some of them are, on purpose


@pytest.fixture(scope="module", params=["pillow", "pillow_heif"])
def samples(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """The pictures in one package's source, by name."""
    archive = FOLDER / f"{request.param}-{version(request.param)}.tar.gz"
    if not archive.exists():
        pytest.skip(f"the samples of {request.param} are not here: make samples")
    return dict(_pictures(archive))


def _pictures(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.size <= MOST and member.name.lower().endswith(KINDS):
                file = tar.extractfile(member)
                assert file
                yield member.name, file.read()


@pytest.fixture(scope="module")
def cleaned(samples: dict[str, bytes]) -> dict[str, CleanPhoto]:
    """Those that are photos, cleaned; all but a few must be."""
    made, codes = {}, []
    for name, data in samples.items():
        try:
            made[name] = clean(data, Preset())
        except PhotoRefused as refusal:
            codes.append(refusal.code)
    assert set(codes) <= BROKEN & set(REFUSALS)
    assert len(codes) < 0.1 * len(samples)
    return made


def test_samples_come_out_clean(cleaned: dict[str, CleanPhoto], tmp_path: Path) -> None:
    """SECURITY 16, 19: by our checker and by exiftool, nothing is left in any of them but the picture."""
    exiftool = program("exiftool", install=EXIFTOOL)
    for number, photo in enumerate(cleaned.values()):
        verify(photo.jpeg, Preset())
        (tmp_path / f"{number:04}.jpg").write_bytes(photo.jpeg)
    ran = subprocess.run([exiftool, "-j", "-a", "-u", "-G0", "-ee", str(tmp_path)], capture_output=True, check=True)
    found = json.loads(ran.stdout)
    groups = {tag.partition(":")[0] for tags in found for tag in tags}
    assert len(found) == len(cleaned) > 50
    assert groups <= {"SourceFile", "ExifTool", "File", "JFIF", "Composite", "ICC_Profile"}
    assert not any("File:Comment" in tags for tags in found)


def test_samples_look_the_same(samples: dict[str, bytes], cleaned: dict[str, CleanPhoto]) -> None:
    """Upright by EXIF and on white they look as another decoder shows them; profiles and 16 bits have tests of their own."""
    compared = 0
    for name, photo in cleaned.items():
        before, after = _shown(samples[name]), Image.open(io.BytesIO(photo.jpeg))
        if before:
            compared += 1
            assert before.size == after.size, name
            small = (64, 64)
            assert corpus.difference(before.resize(small), after.convert("RGB").resize(small)) < 8, name
    assert compared > 30


def _shown(data: bytes) -> Image.Image | None:
    """What Pillow shows, or None where it is not asked: it takes 16-bit grey for white, XMP's orientation for EXIF's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            im = Image.open(io.BytesIO(data))
            im.load()
        except (OSError, SyntaxError, ValueError):
            return None
        asked_otherwise = {"icc_profile", "xmp", "Raw profile type exif"} & set(im.info)
        if asked_otherwise or im.mode.startswith("I") or "transparency" in im.info or im.mode == "CMYK":
            return None
        clear = ImageOps.exif_transpose(im).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
