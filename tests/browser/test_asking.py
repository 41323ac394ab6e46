"""Asking as members do it: by keyboard alone, on the body map, on small windows and with large text."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, Photographer, ask

SMALL: dict[str, Any] = {"viewport": {"width": 1024, "height": 768}}
LARGE_TEXT = "document.documentElement.style.fontSize = '200%'"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until that is where the keyboard is."""
    for _ in range(30):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def test_by_keyboard_alone(browser: Browser, demo: Demo, staff: Any) -> None:
    """The form begins in its first field and is filled in and sent without a mouse; the map is one stop, moved in by arrows."""
    look = Photographer(browser, "ask-keyboard")
    with visit(browser, **DESK, storage_state=staff) as page:
        page.goto(f"{demo.origin}/staff/requests/new")
        expect(page.locator("#label")).to_be_focused()
        page.keyboard.type("By keyboard")
        for text in ("31", "3", "1980", "0000 4956 9012", "943 476 5919"):
            page.keyboard.press("Tab")
            page.keyboard.type(text)
        page.keyboard.press("Tab")
        page.keyboard.type("brow")
        expect(page.locator("#found-sites")).to_have_text("1 found: Forehead")
        expect(page.locator("#site")).to_have_value("forehead")
        page.keyboard.press("Tab")
        page.keyboard.type("Fore")  # the list itself finds what is typed too
        tab_to(page, "[name=place]")
        expect(page.locator("[name=place]:checked")).to_have_attribute("aria-label", "Forehead, head")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#site")).to_have_value("ear")
        expect(page.locator("[name=side]:checked")).to_have_value("right")
        page.keyboard.press("ArrowRight")
        expect(page.locator("[name=side]:checked")).to_have_value("left")
        expect(page.locator(".app-body__region--chosen")).to_have_attribute("data-title", "Left ear")
        look.look(page, "map")
        tab_to(page, "[name=protocol]")
        page.keyboard.press("Space")
        tab_to(page, "#message")
        page.keyboard.type("Please take off your ear-rings.")
        tab_to(page, "main button[type=submit]")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="The link is ready")).to_be_visible()
        page.get_by_role("link", name="See this request").click()
        expect(page.get_by_text("Left ear")).to_be_visible()
        expect(page.get_by_text("943 476 5919")).to_be_visible()


@pytest.mark.parametrize("size", [DESK, SMALL, {**DESK, "text": 2}], ids=["1280", "1024", "large"])
def test_map_by_mouse(browser: Browser, demo: Demo, staff: Any, size: dict[str, Any]) -> None:
    """A click on the map chooses place and side, the list chooses on the map, and a place without sides asks for none."""
    look = Photographer(browser, f"ask-{size['viewport']['width']}{'-large' if 'text' in size else ''}")
    with visit(browser, viewport=size["viewport"], storage_state=staff) as page:
        page.goto(f"{demo.origin}/staff/requests/new")
        if "text" in size:
            page.evaluate(LARGE_TEXT)
        page.locator("[data-site=shin][data-side=right]").click()
        expect(page.locator("#site")).to_have_value("shin")
        expect(page.locator("[name=side]:checked")).to_have_value("right")
        look.look(page, "chosen")
        page.locator("[name=side][value=left]").check()
        expect(page.locator(".app-body__region--chosen")).to_have_attribute("data-title", "Left shin")
        page.locator("#site").select_option("nose")
        expect(page.locator(".app-body__region--chosen")).to_have_attribute("data-title", "Nose")
        expect(page.locator("[data-side-choice]")).to_be_hidden()
        page.locator("#find-site").fill("arm")
        expect(page.locator("#site option:checked")).to_have_text("Arm")
        page.locator("#find-site").fill("moon")
        expect(page.locator("#found-sites")).to_have_text("No part of the body found")
        expect(page.locator("#site")).to_have_value("")
        page.locator("[data-site=shin][data-side=right]").click()
        expect(page.locator("#find-site")).to_have_value("")
        page.locator("#site").select_option("tongue")
        expect(page.locator(".app-body__region--chosen")).to_have_count(0)


def test_without_script(browser: Browser, demo: Demo, staff: Any) -> None:
    """Where no script runs the list does all, and what is not right is said at its field."""
    ignored = re.compile("the server responded with a status of 4")
    with visit(browser, **DESK, storage_state=staff, java_script_enabled=False, ignored=ignored) as page:
        page.goto(f"{demo.origin}/staff/requests/new")
        expect(page.locator("[data-body]")).to_be_hidden()
        page.locator("#nhs_number").fill("943 476 5918")
        page.locator("#site").select_option("shin")
        page.get_by_role("button", name="Make the link").click()
        expect(page.locator("#nhs_number-error")).to_contain_text("Check each digit")
        expect(page.locator("#site")).to_have_value("shin")


def test_link_page(browser: Browser, demo: Demo, staff: Any) -> None:
    """The text is copied by one press; on paper stand the code and the whole address, and no button and no text message."""
    look = Photographer(browser, "ask-link")
    with visit(browser, **DESK, storage_state=staff, permissions=["clipboard-read", "clipboard-write"]) as page:
        link = ask(page, demo, "On paper", look)
        page.get_by_role("button", name="Copy the message").click()
        expect(page.locator("#copied")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.endswith(f" Take them here: {link}")
        page.emulate_media(media="print")
        expect(page.get_by_text(link, exact=True).and_(page.locator(".app-address"))).to_be_visible()
        expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
        for selector in ("#sms", "#link", "button", "header", "footer"):
            expect(page.locator(selector).filter(visible=True)).to_have_count(0)
        address = page.locator(".app-address")
        assert address.evaluate("one => one.clientHeight < 2 * parseFloat(getComputedStyle(one).lineHeight)"), "in two lines"
        if look.folder:
            page.screenshot(path=look.folder / "slip.png", full_page=True)


def test_templates(browser: Browser, demo: Demo, staff: Any) -> None:
    """A manager saves a template with the map, finds it on the form that asks, and deletes it."""
    look = Photographer(browser, "ask-templates")
    with visit(browser, **DESK, storage_state=staff) as page:
        page.goto(f"{demo.origin}/staff/templates")
        page.locator("#name").fill("Mole on the back")
        page.locator("[data-site=back]").click()
        page.locator("[name=protocol][value=lesion]").check()
        page.get_by_role("button", name="Save the template").click()
        look.look(page, "templates")
        page.goto(f"{demo.origin}/staff/requests/new")
        page.get_by_role("link", name="Mole on the back").click()
        expect(page.locator("#site")).to_have_value("back")
        expect(page.locator(".app-body__region--chosen")).to_have_attribute("data-title", "Back")
        look.look(page, "from-template")
        page.get_by_role("link", name="Templates of your practice").click()
        page.get_by_role("button", name="Delete Mole on the back").click()
        expect(page.get_by_text("There are none yet")).to_be_visible()
