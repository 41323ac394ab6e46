"""From the bundle's page to photos that are saved and attached, without a mouse; and what is left once the page is locked."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, check_accessible, visit
from tests.browser.opening import drawn, open_bundle, send_bundle
from tests.browser.steps import DESK


@pytest.fixture(scope="module")
def two(demo: Demo) -> str:
    return send_bundle(demo, [drawn(), drawn("context")])


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what is called that."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id") == name:
            return
    raise AssertionError(f"Tab does not lead to {name}")


def test_by_keyboard_from_the_bundle_to_the_referral(browser: Browser, demo: Demo, staff: Any, two: str, tmp_path: Path) -> None:
    """With Tab, Enter and the passphrase alone the photos are opened, saved, and said to be with the referral."""
    downloads: list[Any] = []
    with visit(browser, **DESK, accept_downloads=True, storage_state=staff) as page:
        page.on("download", lambda download: downloads.append(download))  # noqa: PLW0108 - a built-in cannot be marked
        page.goto(f"{demo.origin}/staff/bundles/{two}")
        tab_to(page, "passphrase")
        page.keyboard.type(demo.tour["passphrase"])
        page.keyboard.press("Enter")
        expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=30_000)
        tab_to(page, "Save for the referral")
        page.keyboard.press("Enter")
        expect(page.locator(".app-bar__note")).to_contain_text("Saved 2 photos to your downloads, as sent")
        for download in downloads:
            download.save_as(tmp_path / download.suggested_filename)
        expect(page.locator("#attached")).to_be_visible()
        check_accessible(page)
        tab_to(page, "Attached to the referral")
        page.keyboard.press("Enter")
        page.wait_for_url("**/staff/requests/*")
        expect(page.get_by_text("Attached to the referral by")).to_be_visible()
    assert len(list(tmp_path.glob("*of2.jpg"))) == 2


@pytest.mark.parametrize("how", ["button", "idle", "idle in the viewer"])
def test_locked(browser: Browser, demo: Demo, staff: Any, two: str, how: str) -> None:
    """Its button, or 15 minutes without a key or pointer, leave no photo, no name and no passphrase on the page (SECURITY 37)."""
    with visit(browser, ignored=re.compile("ERR_FILE_NOT_FOUND"), **DESK, storage_state=staff) as page:
        page.clock.install()
        open_bundle(page, demo, two)
        url = page.locator(".app-photo__image").first.get_attribute("src")
        if how == "button":
            page.get_by_role("button", name="Lock").click()
        else:
            if how.endswith("viewer"):
                page.get_by_role("button", name="Look closer").first.click()
            page.clock.fast_forward("14:30")
            page.clock.run_for(5_000)
            expect(page.get_by_text("This page locks in one minute")).to_be_in_viewport()
            page.clock.run_for(31_000)
        expect(page.get_by_text("This page has forgotten the photos and the passphrase")).to_be_visible()
        assert page.locator("img[src^='blob:']").count() == 0
        assert page.locator("#opened").inner_html() == ""
        assert "It itches" not in page.content()
        assert page.locator("#passphrase").input_value() == ""
        assert page.evaluate(GONE, url)


GONE = """url => new Promise(done => {
  const image = new Image();
  image.onload = () => done(false);
  image.onerror = () => done(true);
  image.src = url;
})"""
