"""A browser whose camera shows what a test has drawn, and a page of a photo in it."""

import io
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter
from playwright.sync_api import Browser, Locator, Page, expect

from capture.demo import ODS
from tests import needs
from tests.browser.conftest import ARGS, Demo, visit
from tests.browser.signal_steps import Hurried
from tests.browser.steps import PIXEL, come_in, drawn

ASKED = ("request", "create", "--practice", ODS, "--dob", "1980-03-31", "--protocol", "lesion", "--site", "nose")
SIZE = (960, 1280)
STREAMS = """
(() => {
  window.streams = [];
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wish) => {
    window.wish = wish;
    const stream = await ask(wish);
    window.streams.push(stream);
    return stream;
  };
})()
"""
"""Keeps a hold of what the page was given, so that a test can ask what became of it."""


def scene(*, blur: float = 0, light: float = 1, shift: int = 0) -> Image.Image:
    """What the camera sees: a close-up, upright, blurred by so many pixels, its levels multiplied, moved sideways."""
    arm = Image.open(io.BytesIO(drawn("close-up-scale", size=SIZE)))
    draw, chance = ImageDraw.Draw(arm), random.Random(1)
    for _ in range(150):  # freckles: on skin that is all alike nobody sees the phone move
        x, y, radius = chance.randrange(SIZE[0]), chance.randrange(SIZE[1]), chance.randint(3, 14)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(110, 70, 50))
    moved = ImageChops.offset(arm.filter(ImageFilter.GaussianBlur(blur)), shift, 0)
    return moved.point(lambda level: int(min(255, level * light)))


@contextmanager
def camera_browser(browser: Browser, folder: Path, scenes: Sequence[Image.Image]) -> Iterator[Browser]:
    """Another browser, whose camera shows these pictures in turn, 20 of them a second; it may be used without asking."""
    video = folder / "camera.mjpeg"
    with video.open("wb") as file:
        for one in scenes:
            one.save(file, "JPEG", quality=90)
    shown = ["--use-fake-device-for-media-stream=fps=20", f"--use-file-for-fake-video-capture={video}"]
    with launched(browser, *shown, "--use-fake-ui-for-media-stream") as with_camera:
        yield with_camera


@contextmanager
def launched(browser: Browser, *args: str, whole: bool = False) -> Iterator[Browser]:
    """Another browser of the same kind, or the whole one, with these arguments beside the usual ones."""
    other = browser.browser_type.launch(executable_path=needs.chromium(whole=whole), args=[*ARGS, *args])
    yield other
    other.close()


@contextmanager
def photo_page(browser: Browser, demo: Demo, view: str = "close-up", script: str = STREAMS) -> Iterator[Page]:
    """The page of one photo, reached by a patient on a phone."""
    link = demo.capture(*ASKED)["link"]
    with visit(browser, **PIXEL) as page:
        page.add_init_script(script)
        come_in(page, link, Hurried(browser, ""))
        page.goto(f"{demo.origin}/photos/{view}")
        yield page


def open_camera(page: Page) -> Locator:
    """Press “Help me frame it”; the live camera, once its picture moves."""
    page.get_by_role("button", name="Help me frame it").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    see_picture(page)
    return dialog


def see_picture(page: Page) -> None:
    """The live picture is there, as large as the camera gives it."""
    expect(page.locator("video")).to_have_js_property("videoWidth", SIZE[0])


def track_states(page: Page) -> list[str]:
    """What became of each stream that the page was given."""
    states: list[str] = page.evaluate("streams.flatMap((stream) => stream.getTracks()).map((track) => track.readyState)")
    return states
