"""Blur, light and size as they are measured, and the hints that follow; what the bench shows at length is held here in short."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from capture.domain.quality import Thresholds, hints, load_thresholds
from capture.errors import SettingsError
from capture.photos import Preset
from capture.photos.clean import clean
from capture.photos.quality import LONG_SIDE, measure
from capture.photos.sample import sample_photo
from capture.settings import ROOT

THRESHOLDS = load_thresholds(ROOT / "config" / "quality.toml")


def photo(size: tuple[int, int] = (1600, 1200), *, blur: float = 0, light: float = 1, skin: str = "medium") -> bytes:
    """A drawn close-up with a ruler, blurred by so many pixels of 1,024 on its long side, its levels multiplied by `light`."""
    sample = Image.open(io.BytesIO(sample_photo("close-up-scale", size=size, skin=skin)))
    blurred = sample.filter(ImageFilter.GaussianBlur(blur * max(size) / 1024))
    buffer = io.BytesIO()
    blurred.point(lambda level: int(min(255, level * light))).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def hints_of(data: bytes) -> tuple[str, ...]:
    return hints(clean(data, Preset()).report.quality, THRESHOLDS)


@pytest.mark.parametrize("skin", ["light", "medium", "dark"])
@pytest.mark.parametrize("size", [(800, 600), (1200, 1600), (4000, 3000)])
def test_a_good_photo_has_no_hint(size: tuple[int, int], skin: str) -> None:
    """A sharp photo in fair light gets no hint, whatever its size, and whatever the tone of the skin."""
    assert hints_of(photo(size, skin=skin)) == ()


@pytest.mark.parametrize("skin", ["light", "medium", "dark"])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"blur": 3}, ("blurred",)),
        ({"blur": 8}, ("blurred",)),
        ({"light": 0.2}, ("dark",)),
        ({"light": 0.2, "blur": 8}, ("dark",)),  # too dark to tell
        ({"light": 6}, ("bright",)),
        ({"size": (640, 480)}, ("small",)),
    ],
)
def test_what_is_wrong_is_told(change: dict[str, float], found: tuple[str, ...], skin: str) -> None:
    """Each fault gives its own hint on every tone."""
    assert hints_of(photo(**change, skin=skin))[: len(found)] == found  # type: ignore[arg-type]


def test_figures_do_not_depend_on_the_size() -> None:
    """The same picture gives much the same figures at any number of pixels, because it is measured at one scale."""
    whole = Image.open(io.BytesIO(photo((1600, 1200), blur=0.5))).convert("L")
    at_scale = [measure(whole.resize(size, Image.Resampling.BOX), 1600, 1200) for size in ((1600, 1200), (800, 600), (400, 300))]
    for figures in at_scale[1:]:
        assert figures["light"] == pytest.approx(at_scale[0]["light"], abs=3)
        assert figures["clipped"] == pytest.approx(at_scale[0]["clipped"], abs=0.01)
        assert figures["sharpness"] == pytest.approx(at_scale[0]["sharpness"], rel=0.2)


def test_the_sharpest_part_decides() -> None:
    """One sharp mark on skin without a line in it is enough: most of a good photo of skin is smooth."""
    smooth = Image.new("L", (LONG_SIDE, 300), 150)
    ImageDraw.Draw(smooth).rectangle((120, 120, 126, 126), fill=90)
    assert measure(smooth, 4000, 3000)["sharpness"] > THRESHOLDS.sharpness
    assert measure(smooth.filter(ImageFilter.GaussianBlur(2)), 4000, 3000)["sharpness"] < THRESHOLDS.sharpness


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (16, 16), (401, 2), (9000, 1)])
def test_any_picture_can_be_measured(mode: str, size: tuple[int, int]) -> None:
    """However small or narrow a picture is, there are figures, and no error."""
    figures = measure(Image.new(mode, size, "white"), *size)
    assert figures.keys() == {"sharpness", "light", "clipped", "megapixels"}
    assert figures["light"] >= 254
    assert figures["clipped"] == 1


def test_hints_come_in_order() -> None:
    """Figures beyond every threshold give every hint but blur, which nobody can tell in the dark; figures at them give none."""
    at = Thresholds(sharpness=0.2, light=70, clipped=0.2, megapixels=0.5, movement=4)
    assert hints({"sharpness": 0.2, "light": 70, "clipped": 0.2, "megapixels": 0.5}, at) == ()
    assert hints({"sharpness": 0.1, "light": 69, "clipped": 0.3, "megapixels": 0.4}, at) == ("dark", "bright", "small")
    assert hints({"sharpness": 0.1, "light": 71, "clipped": 0.3, "megapixels": 0.4}, at) == ("blurred", "bright", "small")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[hints]\nsharpness = 'much'\nlight = 1\nclipped = 1\nmegapixels = 1\nmovement = 1", "sharpness must be a number"),
        ("[hints]\nlight = 1\nclipped = 1\nmegapixels = true\nmovement = -1", "sharpness is missing"),
        ("[hints]\nglare = 1", "'glare', which is not a threshold"),
        ("[hints", "cannot be read"),
    ],
)
def test_thresholds_that_cannot_be_used(tmp_path: Path, text: str, problem: str) -> None:
    """A file that lacks a threshold, has one too many, or holds no number is refused with every problem in it."""
    path = tmp_path / "quality.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=problem):
        load_thresholds(path)


def test_no_thresholds(tmp_path: Path) -> None:
    """Without the file there is a sentence that names it."""
    with pytest.raises(SettingsError, match=r"quality\.toml cannot be read"):
        load_thresholds(tmp_path / "quality.toml")
