"""Pages and states that a smooth journey does not show, on a phone and on a desk; and what the opening page lets out."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import Demo, visit
from tests.browser.steps import (
    DESK,
    PIXEL,
    VIEWS,
    Photographer,
    ask,
    come_in,
    fill_date,
    find_bundle,
    send,
    take,
    unlock,
)

SIZES = pytest.mark.parametrize("size", [PIXEL, DESK], ids=["phone", "desk"])
EXPECTED = re.compile("the server responded with a status of 4")


@SIZES
def test_pages_with_errors_are_clear_and_accessible(
    browser: Browser, demo: Demo, staff: Any, tmp_path: Path, size: dict[str, Any]
) -> None:
    """Every page that says no says why at the top and at the field, and axe finds nothing."""
    look = Photographer(browser, f"errors-{'phone' if size is PIXEL else 'desk'}")
    with visit(browser, **size, storage_state=staff, ignored=EXPECTED) as page:
        page.goto(f"{demo.origin}/staff/requests/new")
        page.get_by_role("button", name="Make the link").click()
        see_problem(page, look, "ask", "Enter a name or label")
        link = ask(page, demo, "Errors", look)
        page.goto(f"{demo.origin}/staff/")
        page.get_by_role("link", name="Errors").first.click()
        look.look(page, "request")
        page.goto(f"{demo.origin}/staff/nowhere")
        look.look(page, "not-found")
    with visit(browser, **size, ignored=EXPECTED) as page:
        page.goto(demo.origin)
        look.look(page, "front")
        page.goto(f"{demo.origin}/staff/sign-in")
        page.locator("#email").fill("nobody@example.org")
        page.locator("#password").fill("not the password")
        page.get_by_role("button", name="Continue").click()
        see_problem(page, look, "sign-in", "The e-mail address or the password is not right")
        page.goto(f"{demo.origin}/r/unknown")
        look.look(page, "link-closed")
        patient_errors(page, link, look, tmp_path)


def patient_errors(page: Page, link: str, look: Photographer, tmp_path: Path) -> None:
    page.goto(link)
    page.get_by_role("button", name="Continue").click()
    see_problem(page, look, "start", "Enter the date of birth")
    fill_date(page)
    page.locator("[name=year]").fill("1981")
    page.get_by_role("button", name="Continue").click()
    see_problem(page, look, "start-wrong", "does not match")
    fill_date(page)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Agree and continue").click()
    see_problem(page, look, "agree", "Tick every box")
    come_in(page, link, look)
    page.get_by_role("link", name="From further away").click()
    empty = tmp_path / "empty.jpg"
    empty.touch()
    page.locator("#photo").set_input_files(empty)
    see_problem(page, look, "photo", "This photo is empty")


def see_problem(page: Page, look: Photographer, name: str, sentence: str) -> None:
    summary = page.get_by_role("alert").filter(has_text="There is a problem")
    expect(summary).to_contain_text(sentence)
    expect(page).to_have_title(re.compile("^Error: "))
    look.look(page, f"{name}-error")


@pytest.fixture(scope="module")
def receipt(browser: Browser, demo: Demo, staff: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle that waits in the inbox."""
    look = Photographer(browser, "waiting")
    with visit(browser, **DESK, storage_state=staff) as page:
        link = ask(page, demo, "Waiting", look)
    return send(browser, link, PIXEL, tmp_path_factory.mktemp("photos"), look)


def test_opening_lets_nothing_out_of_the_page(browser: Browser, demo: Demo, staff: Any, receipt: str) -> None:
    """SECURITY 37: only sealed parts come in; only one empty note goes out; nothing is kept; Lock forgets the photos."""
    look = Photographer(browser, "opening")
    with visit(browser, **DESK, storage_state=staff) as page:
        find_bundle(page, demo, receipt)
        sent: list[Request] = []
        page.context.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - a built-in cannot carry its mark
        page.locator("#passphrase").fill("not the passphrase")
        page.get_by_role("button", name="Open photos").click()
        expect(page.get_by_role("alert").filter(has_text="The passphrase is not right")).to_be_visible(timeout=30_000)
        look.look(page, "wrong-passphrase")
        unlock(page, demo)
        expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=30_000)
        expect(page.locator(".app-photo img")).to_have_count(len(VIEWS))
        outside = [request.url for request in sent if not request.url.startswith((demo.origin, f"blob:{demo.origin}"))]
        assert outside == []
        posts = [request for request in sent if request.method != "GET"]
        assert [request.url.rsplit("/", 1)[1] for request in posts] == ["collected"]
        assert re.fullmatch(r"csrf_token=[\w.-]+", posts[0].post_data or "")
        kept = "async () => [localStorage, sessionStorage, await indexedDB.databases(), await caches.keys()].map(it => it.length)"
        assert page.evaluate(kept) == [0, 0, 0, 0]
        page.get_by_role("button", name="Lock").click()
        expect(page.locator(".app-photo img")).to_have_count(0)
        look.look(page, "locked")
        page.goto(f"{demo.origin}/staff/")
        expect(page.locator(".app-requests__row").filter(has_text="Waiting").first).to_contain_text("Photos opened")


def test_an_altered_photo_is_named_and_not_shown(browser: Browser, demo: Demo, staff: Any, tmp_path: Path) -> None:
    """SECURITY 36: a flipped byte in a stored part is told by name; the others are shown, and the line is not green."""
    look = Photographer(browser, "altered")
    before = set((demo.var / "blobs").rglob("*.age"))
    with visit(browser, **DESK, storage_state=staff) as page:
        link = ask(page, demo, "Altered", look)
        number = send(browser, link, PIXEL, tmp_path, look)
        stored = min(set((demo.var / "blobs").rglob("*.age")) - before, key=lambda path: path.stat().st_mtime)
        sealed = bytearray(stored.read_bytes())
        sealed[len(sealed) // 2] ^= 1
        stored.write_bytes(sealed)
        find_bundle(page, demo, number)
        unlock(page, demo)
        problem = page.get_by_role("alert").filter(has_text="altered")
        expect(problem).to_contain_text("altered", timeout=30_000)
        expect(page.locator(".app-photo img")).to_have_count(len(VIEWS) - 1)
        expect(page.get_by_text("Everything is as it was sent", exact=True)).to_have_count(0)
        look.look(page, "opened")


def test_a_retaken_photo_takes_the_place_of_the_first(browser: Browser, demo: Demo, staff: Any, tmp_path: Path) -> None:
    """Take it again: the list still shows one photo for the view, and the second is the one that is kept."""
    look = Photographer(browser, "retake")
    with visit(browser, **DESK, storage_state=staff) as page:
        link = ask(page, demo, "Retake", look)
    with visit(browser, **PIXEL) as page:
        come_in(page, link, look)
        page.get_by_role("link", name="From further away").click()
        take(page, "context", look, tmp_path)
        expect(page.locator("#sending-line")).to_have_text("1 of 3 photos have arrived.")
        page.goto(f"{demo.origin}/photos/context")
        expect(page.get_by_text("already sent this photo").or_(page.get_by_text("takes its place")).first).to_be_visible()
        take(page, "context", look, tmp_path, size=(1280, 960))
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        page.goto(f"{demo.origin}/photos")
        expect(page.get_by_text("Not taken yet")).to_have_count(2)
