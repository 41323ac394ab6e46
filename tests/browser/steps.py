"""What a patient and a member do, step by step, each page looked at on the way."""

import os
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import pyotp
from playwright.sync_api import Browser, Page, expect

from capture.photos.sample import sample_photo
from tests.browser.conftest import Demo, check_accessible, check_accessible_without_script, visit

PIXEL: dict[str, Any] = {
    "viewport": {"width": 360, "height": 780},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
    ),
}
IPHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 664},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Mobile/15E148 Safari/604.1"
    ),
}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
drawn = cache(sample_photo)  # drawing one takes longer than sending it
BORN = {"day": "31", "month": "3", "year": "1980"}
VIEWS = ["context", "close-up", "close-up-scale"]


class Photographer:
    """Checks each page for accessibility, and takes a picture of it for `make screenshots`."""

    def __init__(self, browser: Browser, name: str, *, script: bool = True) -> None:
        self.browser, self.script = browser, script
        folder = os.environ.get("CAPTURE_SCREENSHOTS")
        self.folder = Path(folder) / name if folder else None
        self.count = 0

    def look(self, page: Page, name: str) -> None:
        if self.script:
            check_accessible(page)
        else:
            check_accessible_without_script(page, self.browser, viewport=page.viewport_size)
        if self.folder:
            self.count += 1
            self.folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self.folder / f"{self.count:02}-{name}.png", full_page=True)


def sign_in(page: Page, demo: Demo, look: Photographer) -> None:
    page.goto(f"{demo.origin}/staff/")
    look.look(page, "sign-in")
    page.locator("#email").fill(demo.tour["email"])
    page.locator("#password").fill(demo.tour["password"])
    page.get_by_role("button", name="Continue").click()
    look.look(page, "sign-in-code")
    page.locator("#code").fill(pyotp.TOTP(demo.tour["authenticator_secret"]).at(time.time()))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()


def ask(page: Page, demo: Demo, label: str, look: Photographer) -> str:
    """Ask for photos of a lesion; gives the link."""
    page.goto(f"{demo.origin}/staff/")
    page.get_by_role("button", name="Ask for photos").click()
    look.look(page, "ask")
    page.locator("#label").fill(label)
    fill_date(page)
    page.locator("#site").select_option("back-of-forearm")
    page.locator("[name=side][value=left]").check()
    page.locator("[name=protocol][value=lesion]").check()
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("heading", name="The link is ready")).to_be_visible()
    look.look(page, "link")
    link = page.locator("#link").input_value()
    assert re.fullmatch(re.escape(demo.origin) + r"/r/\w{23}", link)
    return link


def fill_date(page: Page, born: dict[str, str] = BORN) -> None:
    for name, value in born.items():
        page.locator(f"[name={name}]").fill(value)


def come_in(page: Page, link: str, look: Photographer, born: dict[str, str] = BORN) -> None:
    """Open the link, give the date of birth, agree."""
    page.goto(link)
    look.look(page, "start")
    fill_date(page, born)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Before you take photos")).to_be_visible()
    assert "/r/" not in page.url
    look.look(page, "agree")
    for box in page.locator("[name=agree]").all():
        box.check()
    page.locator("[name=who][value=me]").check()
    page.locator("[name=helper][value=me]").check()
    page.get_by_role("button", name="Agree and continue").click()
    look.look(page, "tasks")


def take(page: Page, view: str, look: Photographer, folder: Path, *, size: tuple[int, int] = (1600, 1200)) -> Path:
    """Pick a photo on the page that asks for this view, once it is there, and use it."""
    picker = page.locator(f"form[data-photo={view}] #photo")
    picker.wait_for(state="attached")
    look.look(page, f"photo-{view}")
    picked = folder / f"{view}.jpg"
    picked.write_bytes(drawn(view, size=size))
    picker.set_input_files(picked)
    if not look.script:
        page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()
    look.look(page, f"look-{view}")
    page.get_by_role("button", name="Use this photo").click()
    return picked


def send(browser: Browser, link: str, phone: dict[str, Any], folder: Path, look: Photographer) -> str:
    """The patient's whole way; gives the receipt."""
    with visit(browser, **phone, java_script_enabled=look.script) as page:
        come_in(page, link, look)
        page.get_by_role("link", name="From further away").click()
        for number, view in enumerate(VIEWS, 1):
            expect(page.get_by_text(f"Photo {number} of 3")).to_be_visible()
            take(page, view, look, folder)
        expect(page.get_by_role("heading", name="Check and send")).to_be_visible()
        page.locator("#note").fill("It itches at night.")
        look.look(page, "check")
        page.get_by_role("button", name="Send to my practice").click()
        expect(page.get_by_role("heading", name="Photos sent")).to_be_visible()
        look.look(page, "sent")
        assert page.request.get(link).url == f"{page.url.removesuffix('/sent')}/sent"
        return page.locator(".app-receipt").inner_text()


def find_bundle(page: Page, demo: Demo, receipt: str) -> None:
    """From the inbox to the page that opens the bundle with this receipt."""
    page.goto(f"{demo.origin}/staff/")
    page.get_by_role("listitem").filter(has_text=receipt).get_by_role("button", name="Open photos").click()


def unlock(page: Page, demo: Demo) -> None:
    page.locator("#passphrase").fill(demo.tour["passphrase"])
    page.get_by_role("button", name="Open photos").click()
