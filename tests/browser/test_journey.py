"""The whole journey in Chromium: a member asks, a patient takes photos, the member opens them; with and without script."""

import hashlib
import re
from pathlib import Path
from typing import Any

import piexif
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, IPHONE, PIXEL, VIEWS, Photographer, ask, find_bundle, send, unlock


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("phone", [PIXEL, IPHONE], ids=["pixel", "iphone"])
def test_a_patient_sends_three_photos_and_the_practice_opens_them(
    browser: Browser, demo: Demo, staff: Any, tmp_path: Path, phone: dict[str, Any], script: bool
) -> None:
    """What the patient photographed is what the practice saves, and nothing but the picture."""
    name = f"{'pixel' if phone is PIXEL else 'iphone'}{'' if script else '-no-script'}"
    look = Photographer(browser, f"staff-{name}")
    with visit(browser, **DESK, accept_downloads=True, storage_state=staff) as page:
        link = ask(page, demo, f"Journey of {name}", look)
        receipt = send(browser, link, phone, tmp_path, Photographer(browser, f"patient-{name}", script=script))
        open_photos(page, demo, receipt, tmp_path, look)


def open_photos(page: Page, demo: Demo, receipt: str, tmp_path: Path, look: Photographer) -> None:
    find_bundle(page, demo, receipt)
    look.look(page, "bundle")
    unlock(page, demo)
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
    identity = demo.tour["identity_file"]
    passphrase = demo.tour["passphrase"]
    opened = demo.capture("open", str(bundle), "--identity", identity, "--out", str(out), CAPTURE_PASSPHRASE=passphrase)
    assert opened["note"] == "It itches at night."
    assert [photo["view"] for photo in opened["photos"]] == VIEWS
    first = Path(opened["photos"][0]["path"])
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(saved.read_bytes()).digest()
