"""Phone and server measure alike: the page's own module in a browser, beside the server's cleaning, over the same photos."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page

from capture.domain.quality import hints, load_thresholds
from capture.photos import Preset
from capture.photos.clean import clean
from capture.photos.sample import sample_photo
from capture.settings import ROOT
from tests.browser.conftest import visit

THRESHOLDS = load_thresholds(ROOT / "config" / "quality.toml")
LIGHT_OFF, CLIPPED_OFF, SHARPNESS_OFF = 2, 0.005, 0.08
"""How far the two may be apart: levels of luma, share of pixels, and of sharpness a share of itself, with 0.01 beside it.

The browser's decoder and its way to halve a picture are not the server's; measured: 1 level, 0.001 and 0.05.
"""
IN_PAGE = """
async ([photo, thresholds]) => {
  SOURCE
  const image = new Image();
  image.src = `data:image/jpeg;base64,${photo}`;
  await image.decode();
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  look(image, width, height);
  const begun = performance.now();
  const figures = measure(look(image, width, height), width, height);
  return [figures, hints(figures, thresholds), performance.now() - begun];
}
""".replace("SOURCE", (ROOT / "static/js/patient/quality.js").read_text("utf-8").replace("export function", "function"))


def photo(skin: str, size: tuple[int, int], *, blur: float = 0, light: float = 1, orientation: int = 1) -> bytes:
    """A drawn close-up; `blur` in pixels at 1,024 on the long side, `light` what its levels are multiplied by."""
    sample = Image.open(io.BytesIO(sample_photo("close-up-scale", size=size, skin=skin, orientation=orientation)))
    changed = sample.filter(ImageFilter.GaussianBlur(blur * max(size) / 1024)).point(lambda level: int(min(255, level * light)))
    buffer = io.BytesIO()
    changed.save(buffer, "JPEG", quality=90, exif=sample.info["exif"])
    return buffer.getvalue()


PHOTOS: dict[str, dict[str, Any]] = {
    "12 megapixels": {"skin": "medium", "size": (4032, 3024)},
    "12 megapixels, turned": {"skin": "light", "size": (4032, 3024), "orientation": 6},
    "upright": {"skin": "dark", "size": (1200, 1600)},
    "1,600 pixels": {"skin": "light", "size": (1600, 1200)},
    "uneven sides": {"skin": "medium", "size": (1733, 1171)},
    "800 pixels": {"skin": "dark", "size": (800, 600)},
    "too small": {"skin": "medium", "size": (390, 293)},
    "a little blurred": {"skin": "dark", "size": (3264, 2448), "blur": 1},
    "blurred": {"skin": "medium", "size": (3264, 2448), "blur": 3},
    "very blurred": {"skin": "light", "size": (1920, 1080), "blur": 9},
    "dark": {"skin": "dark", "size": (1600, 1200), "light": 0.2},
    "bright": {"skin": "light", "size": (1600, 1200), "light": 2},
}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with visit(browser) as opened:
        yield opened


@pytest.mark.parametrize("name", PHOTOS)
def test_phone_and_server_find_the_same(page: Page, name: str) -> None:
    """The figures agree within the tolerance, and the hints are the same; bench/measuring.py says how long it takes."""
    data = photo(**PHOTOS[name])
    server = clean(data, Preset(max_bytes=20_000_000)).report.quality
    phone, found, _ = page.evaluate(IN_PAGE, [base64.b64encode(data).decode(), asdict(THRESHOLDS)])
    told = json.dumps({"server": server, "phone": phone})
    assert abs(phone["light"] - server["light"]) <= LIGHT_OFF, told
    assert abs(phone["clipped"] - server["clipped"]) <= CLIPPED_OFF, told
    assert abs(phone["sharpness"] - server["sharpness"]) <= 0.01 + SHARPNESS_OFF * server["sharpness"], told
    assert phone["megapixels"] == pytest.approx(server["megapixels"], abs=0.006), told
    assert tuple(found) == hints(server, THRESHOLDS), told


def test_the_photos_have_every_hint_and_none(page: Page) -> None:
    """Among the photos above there are good ones and one for each hint, so that agreeing says something."""
    found = {
        name: hints(clean(photo(**made), Preset(max_bytes=20_000_000)).report.quality, THRESHOLDS) for name, made in PHOTOS.items()
    }
    assert {code for codes in found.values() for code in codes} == {"dark", "blurred", "bright", "small"}
    assert sum(not codes for codes in found.values()) >= 6
