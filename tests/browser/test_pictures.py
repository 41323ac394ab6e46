"""The pictures of docs/patient-journey.md: made anew by `make screenshots`, and every one that the page shows is made."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance
from playwright.sync_api import Browser, Page, expect

from capture.photos.sample import sample_photo
from capture.settings import ROOT
from tests import needs
from tests.browser.conftest import ARGS, Demo, visit
from tests.browser.steps import PIXEL, Photographer, come_in, fill_date, take
from tests.browser.weight import new_link

PHONE: dict[str, Any] = {**PIXEL, "device_scale_factor": 2}
FAST = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
SLOW = {**FAST, "latency": 100, "uploadThroughput": 20_000}  # bytes a second


class Album(Photographer):
    """Pictures by name, without a number: the page names them."""

    def __init__(self, browser: Browser) -> None:
        super().__init__(browser, "journey")
        self.names: set[str] = set()
        self.wanted = set(re.findall(r"screenshots/journey/([\w-]+)\.png", (ROOT / "docs/patient-journey.md").read_text("utf-8")))

    def look(self, page: Page, name: str) -> None:
        """Of the steps on the way only what the page shows, and that once."""
        if name in self.wanted - self.names:
            self.take(page, name)

    def take(self, page: Page, name: str, *, whole: bool = True) -> None:
        page.wait_for_load_state("load")
        if whole:
            page.evaluate("scrollTo(0, 0)")  # or what stays in sight stands in the middle of a whole page
        self.names.add(name)
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self.folder / f"{name}.png", full_page=whole)


@contextmanager
def filming(browser: Browser, folder: Path) -> Iterator[Browser]:
    """A browser whose camera, held upright, sees a drawn arm."""
    film = folder / "arm.mjpeg"
    film.write_bytes(sample_photo("context", size=(960, 1280)) * 30)
    camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"]
    launched = browser.browser_type.launch(executable_path=needs.chromium(), args=[*ARGS, *camera])
    yield launched
    launched.close()


def pick(page: Page, folder: Path, name: str, photo: bytes) -> None:
    picked = folder / f"{name}.jpg"
    picked.write_bytes(photo)
    page.locator("#photo").set_input_files(picked)


def dark(photo: bytes) -> bytes:
    buffer = io.BytesIO()
    ImageEnhance.Brightness(Image.open(io.BytesIO(photo))).enhance(0.12).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def test_the_journey_is_shown_in_pictures(browser: Browser, demo: Demo, tmp_path: Path) -> None:
    """Each picture that docs/patient-journey.md shows is taken on one real journey, and no other."""
    album = Album(browser)
    with filming(browser, tmp_path) as phone, visit(phone, **PHONE, ignored=re.compile("status of 4|Failed to load")) as page:
        link = new_link(demo)
        arrive(page, link, album)
        another_phone(page, demo, browser, album)
        frame(page, album)
        be_told_it_is_dark(page, tmp_path, album)
        send_in_the_background(page, tmp_path, album)
        finish(page, tmp_path, album)
    with visit(browser, **PHONE, ignored=re.compile("status of 4")) as page:
        page.goto(link)
        album.take(page, "link-closed")
    without_script(browser, new_link(demo), album)
    assert album.names == album.wanted


def arrive(page: Page, link: str, album: Album) -> None:
    page.goto(f"{link}?lang=cy")
    album.take(page, "start-welsh")
    page.goto(f"{link}?lang=en")
    fill_date(page)
    page.locator("[name=year]").fill("1981")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_visible()
    album.take(page, "start-wrong")
    come_in(page, link, album)


def another_phone(page: Page, demo: Demo, browser: Browser, album: Album) -> None:
    page.goto(f"{demo.origin}/photos/context/cannot")
    album.take(page, "cannot")
    page.goto(f"{demo.origin}/another-phone")
    page.get_by_role("button", name="Show the code").click()
    album.take(page, "another-phone")
    code = page.locator(".app-link").inner_text()
    with visit(browser, **PHONE) as other:
        other.goto(code)
        album.take(other, "helper")
    page.goto(f"{demo.origin}/photos/context")
    album.take(page, "photo")


def frame(page: Page, album: Album) -> None:
    page.get_by_role("button", name="Help me frame it").click()
    expect(page.locator("#viewfinder [data-hint]")).to_have_attribute("data-hint", re.compile("good|blurred|dark|bright|moving"))
    album.take(page, "camera", whole=False)
    page.get_by_role("button", name="Close camera").click()


def be_told_it_is_dark(page: Page, folder: Path, album: Album) -> None:
    pick(page, folder, "dark", dark(sample_photo("context", size=(1600, 1200))))
    expect(page.locator("#hints")).to_contain_text("take it again", ignore_case=True)
    album.take(page, "unclear")
    page.get_by_role("button", name="Take it again").click()


def send_in_the_background(page: Page, folder: Path, album: Album) -> None:
    """The first photo over a slow line, while the second is looked at; then no line for a moment."""
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    pick(page, folder, "context", sample_photo("context", size=(3200, 2400), quality=97))
    expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()
    album.take(page, "clear")
    line.send("Network.emulateNetworkConditions", SLOW)
    page.get_by_role("button", name="Use this photo").click()
    expect(page.locator("#sending-line")).to_contain_text(re.compile("[1-9]%"))
    expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
    album.take(page, "sending", whole=False)
    line.send("Network.emulateNetworkConditions", {**FAST, "offline": True})
    expect(page.locator("#sending-line")).to_contain_text("Waiting for signal")
    album.take(page, "waiting", whole=False)
    line.send(
        "Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    )
    expect(page.locator("#sending-line")).to_contain_text("1 of 3 photos have arrived", timeout=30_000)


def finish(page: Page, folder: Path, album: Album) -> None:
    for view in ("close-up", "close-up-scale"):
        take(page, view, album, folder)
    expect(page.get_by_role("heading", name="Check and send")).to_be_visible()
    expect(page.locator("[data-state=arrived]")).to_have_count(3)
    page.locator("#note").fill("It itches at night.")
    album.take(page, "check")
    page.get_by_role("button", name="Send to my practice").click()
    expect(page.get_by_role("heading", name="Photos sent")).to_be_visible()
    album.take(page, "sent")


def without_script(browser: Browser, link: str, album: Album) -> None:
    with visit(browser, **PHONE, java_script_enabled=False) as page:
        come_in(page, link, album)
        page.get_by_role("link", name="From further away").click()
        page.locator("#pick").scroll_into_view_if_needed()
        album.take(page, "photo-no-script", whole=False)
