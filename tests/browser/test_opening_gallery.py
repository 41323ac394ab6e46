"""Looking at what was opened, in Chromium: large, to the pixel, turned, side by side, by keyboard; and never in its way."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, check_accessible, visit
from tests.browser.opening import drawn, noisy, open_bundle, send_bundle
from tests.browser.steps import DESK, unlock

NARROW: dict[str, Any] = {"viewport": {"width": 320, "height": 640}}


@pytest.fixture(scope="module")
def three(demo: Demo) -> str:
    return send_bundle(demo, [drawn(), drawn("context"), noisy((900, 700))])


@pytest.mark.parametrize("size", [DESK, NARROW, {"viewport": {"width": 1024, "height": 768}}], ids=["desk", "narrow", "laptop"])
def test_the_gallery_is_accessible(browser: Browser, demo: Demo, staff: Any, three: str, size: dict[str, Any]) -> None:
    """axe finds nothing on the opened page and in the viewer, and nothing scrolls sideways, down to 320 pixels."""
    with visit(browser, **size, storage_state=staff) as page:
        open_bundle(page, demo, three)
        check_accessible(page)
        page.get_by_role("button", name="Look closer").first.click()
        check_accessible(page)


def test_looking_by_keyboard(browser: Browser, demo: Demo, staff: Any, three: str) -> None:
    """Keys alone show each photo, zoom to its pixels, turn it, and lay two side by side; Escape leads back to where one was."""
    with visit(browser, **DESK, storage_state=staff) as page:
        open_bundle(page, demo, three)
        first = page.get_by_role("button", name="Look closer").first
        first.focus()
        page.keyboard.press("Enter")
        title, image = page.locator(".app-pane__title").first, page.locator(".app-pane img").first
        expect(title).to_contain_text("1 of 3")
        page.keyboard.press("ArrowRight")
        expect(title).to_contain_text("2 of 3")
        page.keyboard.press("PageDown")
        page.keyboard.press("PageDown")
        expect(title).to_contain_text("1 of 3")
        page.keyboard.press("1")
        expect(title).to_contain_text("100%")
        box = image.bounding_box()
        assert box
        assert (round(box["width"]), round(box["height"])) == (1200, 900)
        page.keyboard.press("r")
        turned = image.bounding_box()
        assert turned
        assert (round(turned["width"]), round(turned["height"])) == (900, 1200)
        page.keyboard.press("0")
        whole = image.bounding_box()
        assert whole
        assert whole["height"] < 900
        page.keyboard.press("s")
        expect(page.get_by_role("button", name="Side by side")).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".app-pane__title").nth(1)).to_contain_text("2 of 3")
        page.keyboard.press("PageDown")
        expect(page.locator(".app-pane__title").nth(1)).to_contain_text("3 of 3")
        expect(title).to_contain_text("1 of 3")
        page.keyboard.press("Escape")
        expect(first).to_be_focused()


def test_sensitive_places_start_blurred(browser: Browser, demo: Demo, staff: Any, intimate: str) -> None:
    """Photos of an intimate place are veiled, one by one, in the list and in the viewer, until someone asks to see each."""
    with visit(browser, **DESK, storage_state=staff) as page:
        open_bundle(page, demo, intimate)
        cards = page.locator(".app-photo")
        assert [blur(page, number) for number in range(2)] == ["blur(32px)"] * 2
        assert cards.first.get_by_role("img").count() == 0
        check_accessible(page)
        page.get_by_role("button", name="Sensitive place. Show photo 1").click()
        assert [blur(page, number) for number in range(2)] == ["none", "blur(32px)"]
        expect(page.locator("#viewer")).to_be_hidden()
        page.get_by_role("button", name="Look closer").click()
        image = page.locator(".app-pane img").first
        expect(image).to_have_css("filter", "none")
        page.keyboard.press("ArrowRight")
        expect(image).to_have_css("filter", "blur(32px)")
        page.get_by_role("button", name="Sensitive place. Show this photo").click()
        expect(image).to_have_css("filter", "none")


@pytest.fixture(scope="module")
def intimate(demo: Demo) -> str:
    demo.capture("practice", "set", "--ods", "A81001", "--intimate", "on")
    return send_bundle(demo, [drawn(), drawn("context")], site="buttock")


def blur(page: Page, number: int) -> Any:
    return page.locator(".app-photo__image").nth(number).evaluate("image => getComputedStyle(image).filter")


ASK_OFTEN = """() => {
  window.steps = new Set();
  window.drawn = 0;
  const details = document.createElement("button");
  details.textContent = "Are you there?";
  details.addEventListener("click", () => { details.dataset.answers = String(Number(details.dataset.answers ?? 0) + 1); });
  document.querySelector("#open").prepend(details);
  const look = () => {
    window.drawn += 1;
    window.steps.add(document.querySelector("#open-bar").value);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def test_twenty_photos_of_five_megabytes(browser: Browser, demo: Demo, staff: Any) -> None:
    """While twenty photos of 5 MB are opened every press on the page is answered before the end, and progress is seen to move."""
    photo = noisy((1650, 1250))
    assert 4_500_000 < len(photo) < 5_500_000
    bundle = send_bundle(demo, [photo] * 20)
    with visit(browser, **DESK, storage_state=staff) as page:
        page.goto(f"{demo.origin}/staff/bundles/{bundle}")
        page.evaluate(ASK_OFTEN)
        unlock(page, demo)
        expect(page.locator("#open-words")).to_contain_text("of 20", timeout=60_000)
        button, pressed = page.get_by_role("button", name="Are you there?"), 0
        while page.locator("#open-progress").is_visible():
            button.click()
            pressed += 1
            assert button.get_attribute("data-answers") == str(pressed)
        expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=60_000)
        assert page.locator(".app-photo").count() == 20
        assert pressed >= 5
        assert page.evaluate("[window.steps.size >= 5, window.drawn >= 20]") == [True, True]
