"""One unlocking for one round: from bundle to bundle in the page, an earlier one beside; and nothing of it stays."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import Demo, check_accessible, visit
from tests.browser.opening import BORN, drawn, open_bundle, send_bundle
from tests.browser.steps import DESK, PIXEL, Photographer, come_in, find_bundle, take, unlock

KEPT = "async () => [localStorage, sessionStorage, await indexedDB.databases(), await caches.keys()].map(it => it.length)"
OPENED = "Everything is as it was sent"
GONE = """urls => Promise.all(urls.map(url => new Promise(done => {
  const image = new Image();
  image.onload = () => done(false);
  image.onerror = () => done(true);
  image.src = url;
})))"""


@pytest.fixture(scope="module")
def three(demo: Demo) -> list[str]:
    return [send_bundle(demo, [drawn()], label=f"Patient {number}") for number in range(1, 4)]


def see_opened(page: Page, label: str) -> None:
    """The photos of that patient are there, found as they were sent, and the strip says that the key is open."""
    expect(page.get_by_role("heading", name=f"Photos of {label}", exact=True)).to_be_focused(timeout=30_000)
    expect(page.get_by_text(OPENED)).to_be_visible()
    expect(page.get_by_role("button", name="Lock now")).to_be_visible()


def test_one_passphrase_for_a_round(browser: Browser, demo: Demo, staff: Any, three: list[str]) -> None:
    """SECURITY 37: unlocked once, bundle after bundle opens in the page; no key is sent or kept, and locking ends it at once."""
    sent: list[Request] = []
    with visit(browser, **DESK, storage_state=staff) as page:
        open_bundle(page, demo, three[0])
        see_opened(page, "Patient 1")
        page.evaluate("window.sameDocument = true")
        page.context.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - a built-in cannot carry its mark
        page.get_by_role("button", name="Attached to the referral").click()
        expect(page.locator("#attached-done")).to_be_focused()
        page.get_by_role("link", name="Next photos to open").first.click()
        expect(page.get_by_text("Photos of Patient 1")).to_have_count(0)
        expect(page.get_by_text(OPENED)).to_be_visible(timeout=30_000)
        page.go_back()
        see_opened(page, "Patient 1")
        expect(page.get_by_text("These photos were attached to the referral")).to_be_visible()
        page.get_by_role("link", name="Inbox").first.click()
        expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_focused()
        expect(page).to_have_title(re.compile("^Inbox"))
        expect(page.get_by_role("button", name="Lock now")).to_be_visible()
        check_accessible(page)
        page.get_by_label("Search by name").fill("patient 3")
        page.keyboard.press("Enter")
        expect(page.get_by_text(re.compile("requests? for “patient 3”"))).to_be_visible()  # another's receipt may have a 3 as well
        page.get_by_role("link", name="Patient 3", exact=True).click()
        page.get_by_role("button", name="Open photos").click()
        see_opened(page, "Patient 3")
        assert page.evaluate("window.sameDocument")
        assert page.evaluate(KEPT) == [0, 0, 0, 0]
        assert [request.url for request in sent if "identities" in request.url] == []
        bodies = [request.post_data or "" for request in sent]
        assert all(re.fullmatch(r"(csrf_token=[\w.-]+(&q=patient\+3)?)?", body) for body in bodies)
        page.get_by_role("button", name="Lock now").click()
        expect(page.get_by_text("This page has forgotten the photos and the key")).to_be_visible()
        expect(page.locator("#passphrase")).to_be_focused()
        assert page.locator(".app-photo").count() == 0
        page.goto(f"{demo.origin}/staff/bundles/{three[2]}")
        expect(page.get_by_label("Your practice’s passphrase")).to_be_visible()


@pytest.mark.parametrize("how", ["idle", "left"])
def test_a_round_ends(browser: Browser, demo: Demo, staff: Any, three: list[str], how: str) -> None:
    """SECURITY 37: 15 idle minutes on any page of a round, or leaving it for another page, lock the key."""
    with visit(browser, **DESK, storage_state=staff) as page:
        page.clock.install()
        open_bundle(page, demo, three[0])
        page.get_by_role("link", name="Inbox").first.click()
        expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
        if how == "idle":
            page.clock.fast_forward("14:30")
            page.clock.run_for(5_000)
            expect(page.get_by_text("This page locks in one minute")).to_be_in_viewport()
            page.clock.run_for(31_000)
            expect(page.get_by_role("button", name="Lock now")).to_be_hidden()
        else:
            page.get_by_role("link", name="Your account").click()
            page.go_back()
            expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
        page.goto(f"{demo.origin}/staff/bundles/{three[0]}")
        expect(page.get_by_label("Your practice’s passphrase")).to_be_visible()


def test_an_earlier_bundle_beside(browser: Browser, demo: Demo, staff: Any) -> None:
    """Photos of the same skin are laid beside, each with the same view; they go with the page; a spoilt bundle is named."""
    first = send_bundle(demo, [drawn("context"), drawn("close-up")], label="Follow Up")
    before = set((demo.var / "blobs").rglob("*.age"))
    send_bundle(demo, [drawn("context")], label="Follow Up", follows=first)
    (spoilt,) = set((demo.var / "blobs").rglob("*.age")) - before
    second = send_bundle(demo, [drawn("context"), drawn("close-up")], label="Follow Up", follows=first)
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"\0")
    with visit(browser, **DESK, storage_state=staff, ignored=re.compile("ERR_FILE_NOT_FOUND")) as page:
        open_bundle(page, demo, second)
        expect(page.locator("#opened").get_by_text("before these")).to_have_count(2)
        page.get_by_role("button", name="Lay beside").first.click()
        titles = page.locator(".app-pane__title")
        expect(titles.nth(1)).to_contain_text(re.compile(r"^\d+ \w+ \d{4}, .*1 of 2"), timeout=30_000)
        expect(titles.first).to_contain_text("These photos, 1 of 2")
        page.keyboard.press("PageDown")
        expect(titles.first).to_contain_text("2 of 2: Close-up")
        expect(titles.nth(1)).to_contain_text("2 of 2: Close-up")
        check_accessible(page)
        urls = page.locator(".app-pane img").evaluate_all("images => images.map(image => image.src)")
        assert len(set(urls)) == 2
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Lay beside").nth(1).click()
        problem = page.get_by_role("alert").filter(has_text="altered")
        expect(problem).to_contain_text("Photo 1 (context) was altered", timeout=30_000)
        expect(page.locator("#viewer")).to_be_hidden()
        page.get_by_role("link", name="Inbox").first.click()
        expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
        assert page.evaluate(GONE, urls) == [True, True]


def test_a_photo_asked_for_again(browser: Browser, demo: Demo, staff: Any, tmp_path: Path) -> None:
    """From opened photos one is asked for again, the patient sends that one alone, and the practice lays it beside the first."""
    look, born = Photographer(browser, "again"), {"day": str(BORN.day), "month": str(BORN.month), "year": str(BORN.year)}
    first = send_bundle(demo, [drawn("context"), drawn("close-up")], label="Once More")
    with visit(browser, **DESK, storage_state=staff) as page:
        open_bundle(page, demo, first)
        page.locator("#opened").get_by_role("link", name="Ask for a photo again").click()
        page.get_by_label("Close-up", exact=True).check()
        page.get_by_label("It is blurred").check()
        look.look(page, "asked")
        page.get_by_role("button", name="Make the link").click()
        link = page.locator("#link").input_value()
        with visit(browser, **PIXEL) as phone:
            come_in(phone, link, look, born)
            expect(phone.get_by_role("link", name="From further away")).to_have_count(0)
            phone.get_by_role("link", name="Close-up").first.click()
            expect(phone.get_by_text("Last time, the photo was not sharp enough.")).to_be_visible()
            take(phone, "close-up", look, tmp_path)
            phone.get_by_role("button", name="Send to my practice").click()
            expect(phone.get_by_role("heading", name="Photos sent")).to_be_visible()
            receipt = phone.locator(".app-receipt").inner_text()
        find_bundle(page, demo, receipt)
        unlock(page, demo)
        expect(page.locator("#opened").get_by_text("before these")).to_have_count(1, timeout=30_000)
        page.get_by_role("button", name="Lay beside").click()
        titles = page.locator(".app-pane__title")
        expect(titles.nth(1)).to_contain_text("2 of 2: Close-up", timeout=30_000)
        expect(titles.first).to_contain_text("1 of 1: Close-up")
