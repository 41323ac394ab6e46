"""The whole journey in Chromium: a member asks, a patient takes photos, the member opens them; with and without script."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import piexif
import pyotp
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from capture.photos.sample import sample_photo
from tests.browser.conftest import ROOT, Demo, check_accessible, check_accessible_without_script, visit

PIXEL = {
    "viewport": {"width": 360, "height": 780},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
    ),
}
IPHONE = {
    "viewport": {"width": 390, "height": 664},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Mobile/15E148 Safari/604.1"
    ),
}
DESK = {"viewport": {"width": 1280, "height": 900}}
VIEWS = ["context", "close-up", "close-up-scale"]


class Photographer:
    """Takes a picture of each page for `make screenshots`, and checks each for accessibility."""

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
    page.get_by_role("button", name="Continue").or_(page.get_by_role("button", name="Sign in")).first.click()
    look.look(page, "sign-in-code")
    page.locator("#code").fill(fresh_code(demo))
    page.locator("main button[type=submit], main button.nhsuk-button").first.click()
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()


def fresh_code(demo: Demo) -> str:
    """A one-time code that no test has used: each works once, and the step before and after now are good too."""
    codes = pyotp.TOTP(demo.tour["authenticator_secret"])
    used: set[str] = demo.tour.setdefault("used", set())
    import time

    for _ in range(70):
        now = time.time()
        for offset in (-30, 0, 30):
            code = codes.at(now + offset)
            if code not in used and now + offset > demo.tour.get("last", 0):
                used.add(code)
                demo.tour["last"] = now + offset
                return code
        time.sleep(1)
    raise AssertionError("no fresh code within a minute")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("phone", [PIXEL, IPHONE], ids=["pixel", "iphone"])
def test_a_patient_sends_three_photos_and_the_practice_opens_them(
    browser: Browser, demo: Demo, tmp_path: Path, phone: dict[str, Any], script: bool
) -> None:
    """What the patient photographed is what the practice saves, and nothing but the picture."""
    name = f"{'pixel' if phone is PIXEL else 'iphone'}{'' if script else '-no-script'}"
    look = Photographer(browser, name)
    label = f"Journey of {name}"
    with visit(browser, **DESK, accept_downloads=True) as staff:
        sign_in(staff, demo, look)
        link = ask(staff, demo, label, look)
        receipt = send(browser, link, phone, tmp_path, Photographer(browser, f"{name}-patient", script=script))
        open_photos(staff, demo, label, receipt, tmp_path, look)


def ask(page: Page, demo: Demo, label: str, look: Photographer) -> str:
    page.get_by_role("link", name="Ask for photos").or_(page.get_by_role("button", name="Ask for photos")).first.click()
    look.look(page, "ask")
    page.locator("#label").fill(label)
    for name, value in (("day", "31"), ("month", "3"), ("year", "1980")):
        page.locator(f"[name={name}]").fill(value)
    page.locator("#site").select_option("back-of-forearm")
    page.locator("[name=side][value=left]").check()
    page.locator("[name=protocol][value=lesion]").check()
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("heading", name="The link is ready")).to_be_visible()
    look.look(page, "link")
    link = page.locator("#link").input_value()
    assert re.fullmatch(re.escape(demo.origin) + r"/r/\w{23}", link)
    return link


def send(browser: Browser, link: str, phone: dict[str, Any], tmp_path: Path, look: Photographer) -> str:
    with visit(browser, **phone, java_script_enabled=look.script) as page:
        see = look.look
        page.goto(link)
        see(page, "start")
        for name, value in (("day", "31"), ("month", "3"), ("year", "1980")):
            page.locator(f"[name={name}]").fill(value)
        page.get_by_role("button", name="Continue").click()
        assert "/r/" not in page.url
        see(page, "agree")
        for box in page.locator("[name=agree]").all():
            box.check()
        page.locator("[name=helper][value=me]").check()
        page.get_by_role("button", name="Agree and continue").click()
        see(page, "tasks")
        page.get_by_role("link", name="From further away").click()
        for number, view in enumerate(VIEWS, 1):
            expect(page.get_by_text(f"Photo {number} of 3")).to_be_visible()
            see(page, f"photo-{view}")
            picked = tmp_path / f"{view}.jpg"
            picked.write_bytes(sample_photo(view, size=(1600, 1200)))
            page.locator("#photo").set_input_files(picked)
            if not look.script:
                page.get_by_role("button", name="Continue").click()
            expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()
            see(page, f"look-{view}")
            page.get_by_role("button", name="Use this photo").or_(page.get_by_role("link", name="Use this photo")).first.click()
        page.get_by_role("heading", name="Check").wait_for()
        page.locator("#note").fill("It itches at night.")
        see(page, "check")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Photos sent")).to_be_visible()
        see(page, "sent")
        receipt = page.locator(".app-receipt").inner_text()
        assert page.request.get(link).status == 404
        return receipt


def open_photos(page: Page, demo: Demo, label: str, receipt: str, tmp_path: Path, look: Photographer) -> None:
    page.goto(f"{demo.origin}/staff/")
    look.look(page, "inbox")
    page.get_by_role("listitem").filter(has_text=receipt).get_by_role("button", name="Open photos").or_(
        page.get_by_role("listitem").filter(has_text=receipt).get_by_role("link", name="Open photos")
    ).first.click()
    look.look(page, "bundle")
    page.locator("#passphrase").fill(demo.tour["passphrase"])
    page.get_by_role("button", name="Open photos").click()
    expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("It itches at night.")).to_be_visible()
    look.look(page, "opened")
    with page.expect_download() as download:
        page.locator(".app-photo").first.get_by_role("link", name="Save").click()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_left-[a-z-]+_context_1of3\.jpg", download.value.suggested_filename)
    saved = tmp_path / "saved.jpg"
    download.value.save_as(saved)
    with Image.open(saved) as picture, Image.open(tmp_path / "context.jpg") as original:
        assert picture.size == original.size
    assert piexif.load(str(saved)) == {"0th": {}, "Exif": {}, "GPS": {}, "Interop": {}, "1st": {}, "thumbnail": None}
    with page.expect_download() as download:
        page.get_by_text("Open them another way").click()
        page.get_by_role("link", name="Download the encrypted").first.click()
    bundle = tmp_path / "bundle.zip"
    download.value.save_as(bundle)
    check_command_line(demo, bundle, saved, tmp_path / "opened")


def check_command_line(demo: Demo, bundle: Path, saved: Path, out: Path) -> None:
    """`capture open` gives the very files that the browser gave."""
    command = [
        sys.executable,
        "-m",
        "capture",
        "open",
        str(bundle),
        "--identity",
        demo.tour["identity_file"],
        "--out",
        str(out),
        "--json",
    ]
    environment = {**os.environ, "CAPTURE_PASSPHRASE": demo.tour["passphrase"]}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=ROOT)
    opened = json.loads(done.stdout)
    assert opened["note"] == "It itches at night."
    assert [photo["view"] for photo in opened["photos"]] == VIEWS
    first = Path(opened["photos"][0]["path"])
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(saved.read_bytes()).digest()
