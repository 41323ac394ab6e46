"""Following as receptionists do it: through the list by keyboard, on small windows and with large text, and without script."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, check_accessible, visit
from tests.browser.steps import DESK, Photographer, ask

SIZES: list[dict[str, Any]] = [DESK, {"viewport": {"width": 1024, "height": 768}}, {"viewport": {"width": 360, "height": 780}}]
LARGE_TEXT = "document.documentElement.style.fontSize = '200%'"


def focused(page: Page) -> str:
    """The text of what has the keyboard."""
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def test_by_keyboard(browser: Browser, demo: Demo, staff: Any) -> None:
    """Keys move and open in the list alone; in the search they are letters; a new link and more time are a few presses away."""
    look = Photographer(browser, "following")
    with visit(browser, **DESK, storage_state=staff) as page:
        first = ask(page, demo, "Jacky Slash", look)
        ask(page, demo, "Kit Slash", look)
        page.goto(f"{demo.origin}/staff/")
        page.keyboard.press("j")
        expect(page.locator("[data-row]:focus")).to_have_count(0)
        page.locator("[data-row]", has_text="Kit Slash").focus()
        page.keyboard.press("j")
        assert focused(page) == "Jacky Slash"
        page.keyboard.press("ArrowUp")
        assert focused(page) == "Kit Slash"
        page.keyboard.press("/")
        expect(page.locator("#q")).to_be_focused()
        page.keyboard.type("jacky /k")
        expect(page.locator("#q")).to_have_value("jacky /k")
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("1 request for")
        assert page.url == f"{demo.origin}/staff/search"
        look.look(page, "found")
        page.locator("[data-row]").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Jacky Slash")).to_be_visible()
        page.get_by_text("Give the link more time").click()
        page.locator("#days").select_option("14")
        page.get_by_role("button", name="Give it more time").click()
        expect(page.get_by_text("Link given more time")).to_be_visible()
        page.get_by_role("button", name="Make a new link").click()
        look.look(page, "resend")
        page.get_by_role("button", name="Make a new link").click()
        expect(page.locator("#link")).not_to_have_value(first)
        assert page.request.get(first).status == 404
        assert page.request.get(page.locator("#link").input_value()).status == 200


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_sizes(browser: Browser, demo: Demo, staff: Any, script: bool) -> None:
    """Inbox and search fit every window and text of twice the size, and do all they do where no script runs."""
    with visit(browser, **DESK, storage_state=staff, java_script_enabled=script) as page:
        page.goto(f"{demo.origin}/staff/")
        page.locator("#q").fill("demo-1")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("[data-row]").first).to_have_text("Demo patient")
        expect(page.locator("#keys")).to_be_visible(visible=script)
        for size in SIZES if script else ():
            page.set_viewport_size(size["viewport"])
            page.goto(f"{demo.origin}/staff/?show=unopened")
            check_accessible(page)
            if size["viewport"]["width"] > 1000:
                page.evaluate(LARGE_TEXT)
                check_accessible(page)
