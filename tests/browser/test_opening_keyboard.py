"""From sign-in to photos that are saved and attached, without a mouse; and what is left once the page is locked."""

import re
import time
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from capture.actions.add_member import add_member
from capture.demo import ODS
from capture.domain.requests import State
from capture.store import audit, requests
from capture.store.practices import find_practice
from tests.browser.conftest import Demo, visit
from tests.browser.opening import drawn, open_bundle, send_bundle, service_with
from tests.browser.steps import DESK, Photographer

LAPTOP: dict[str, Any] = {"viewport": {"width": 1024, "height": 768}}
LARGE_TEXT = "addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%'; });"


@pytest.fixture(scope="module")
def two(demo: Demo) -> str:
    return send_bundle(demo, [drawn(), drawn("context")])


def press_on(page: Page, name: str, key: str = "Enter") -> None:
    """Press Tab until the focus is on what has this text or id, then the key."""
    for _ in range(200):
        page.keyboard.press("Tab")
        words = page.evaluate("document.activeElement.textContent.trim().replace(/\\s+/g, ' ') || document.activeElement.id")
        if words == name:
            page.keyboard.press(key)
            return
    raise AssertionError(f"Tab does not lead to {name}")


def type_in(page: Page, field: str, text: str) -> None:
    press_on(page, field, "Control+a")
    page.keyboard.type(text)


@pytest.mark.parametrize("name", ["desk", "laptop", "large-text"])
def test_by_keyboard_from_signing_in_to_the_referral(browser: Browser, demo: Demo, tmp_path: Path, name: str) -> None:
    """With the keyboard alone a reader signs in, opens the photos, looks, saves them, says where they are, and goes on."""
    code_secret, password, label = pyotp.random_base32(), "correct horse battery", f"Keys {name}"
    with service_with(demo, 3) as services:
        add_member(
            services, ODS, email=f"{name}@keys.example", name="Kim Keys", role="reader", password=password, code_secret=code_secret
        )
    send_bundle(demo, [drawn(), drawn("context")], label=label)
    send_bundle(demo, [drawn()], label="Another")
    downloads: list[Any] = []
    look = Photographer(browser, f"keyboard-{name}")
    with visit(browser, **(LAPTOP if name == "laptop" else DESK), accept_downloads=True) as page:
        if name == "large-text":
            page.add_init_script(LARGE_TEXT)
        page.on("download", lambda download: downloads.append(download))  # noqa: PLW0108 - a built-in cannot be marked
        page.goto(f"{demo.origin}/staff/")
        type_in(page, "email", f"{name}@keys.example")
        type_in(page, "password", password)
        page.keyboard.press("Enter")
        expect(page.locator("#code")).to_be_visible()
        type_in(page, "code", pyotp.TOTP(code_secret).at(time.time()))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
        look.look(page, "inbox")
        press_on(page, f"Open photos of {label}")
        expect(page.get_by_label("Your practice’s passphrase")).to_be_visible()
        look.look(page, "locked")
        expect(page.locator("#passphrase")).to_be_focused()
        page.keyboard.type(demo.tour["passphrase"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=f"Photos of {label}")).to_be_focused(timeout=30_000)
        look.look(page, "opened")
        press_on(page, "Save for the referral")
        expect(page.locator(".app-bar__note")).to_contain_text("Saved 2 photos to your downloads, as sent")
        for download in downloads:
            download.save_as(tmp_path / download.suggested_filename)
        press_on(page, "Attached to the referral")
        expect(page.locator("#attached-done")).to_be_focused()
        look.look(page, "attached")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=f"Photos of {label}")).to_have_count(0)
        expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=30_000)
        look.look(page, "next")
    assert len(list(tmp_path.glob("*of2.jpg"))) == 2
    assert "request attached" in actions_of(demo, label)


def actions_of(demo: Demo, label: str) -> list[str]:
    """What the audit trail says of the request with that label."""
    with service_with(demo, 3) as services, services.database.read() as db:
        practice = find_practice(db, ODS)
        asked = next(row for row in requests.list_requests(db, practice.id, State) if requests.details_of(db, row).label == label)
        return [event.action for event in audit.list_events(db, practice.id, asked.id)]


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
        expect(page.get_by_text("This page has forgotten the photos and the key")).to_be_visible()
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
