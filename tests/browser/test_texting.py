"""Asking by text as a receptionist does between two calls: by keyboard, from a template to "Text queued"."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, running_demo, visit
from tests.browser.steps import DESK, Photographer, sign_in
from tests.notify.stand_in import KEY, TEMPLATE, StandIn, running_stand_in

MOST_KEYS = 40
"""Typed by someone slow, two a second, they take twenty seconds."""


class Keys:
    """A keyboard that counts."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.count += 1

    def type(self, text: str) -> None:
        self.press(*text)


@pytest.fixture
def notify() -> Iterator[StandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture
def texting(notify: StandIn, tmp_path: Path) -> Iterator[Demo]:
    """A demo that sends its texts to the stand-in."""
    for name, value in {"key": KEY, "callback": "the token of callbacks"}.items():
        (tmp_path / name).write_text(value)
    files = {"KEY_FILE": str(tmp_path / "key"), "CALLBACK_FILE": str(tmp_path / "callback")}
    settings = {**files, "TEMPLATE": TEMPLATE, "URL": notify.url}
    (tmp_path / "demo").mkdir()
    named = {f"CAPTURE_NOTIFY_{name}": value for name, value in settings.items()}
    with running_demo(tmp_path / "demo" / "var", **named) as running:
        yield running


def test_from_template_to_text(browser: Browser, texting: Demo, notify: StandIn) -> None:
    """From the form a template, initials, date of birth, number and Enter are at most forty keys and no mouse; the text goes,
    and the request says when it is on the phone."""
    look = Photographer(browser, "ask-text")
    with visit(browser, **DESK) as page:
        sign_in(page, texting, look)
        page.goto(f"{texting.origin}/staff/templates")
        page.locator("#name").fill("Mole on the back")
        page.locator("#site").select_option("back")
        page.locator("[name=protocol][value=lesion]").check()
        page.get_by_role("button", name="Save the template").click()
        page.goto(f"{texting.origin}/staff/requests/new")
        expect(page.locator("#label")).to_be_focused()
        keys = Keys(page)
        keys.press("Shift+Tab", "Shift+Tab", "Enter")  # the template's link is two stops above
        expect(page.locator("#site")).to_have_value("back")
        expect(page.locator("#label")).to_be_focused()
        for text in ("QX", "31", "3", "1980", "07700900123"):
            keys.type(text)
            keys.press("Tab")
        look.look(page, "filled")
        keys.press("Enter")
        expect(page.get_by_role("heading", name="Text queued")).to_be_visible()
        assert keys.count <= MOST_KEYS
        look.look(page, "queued")
        for name, width, text in (("phone", 360, "100%"), ("large", 1024, "200%")):
            page.set_viewport_size({"width": width, "height": 780})
            page.evaluate("size => { document.documentElement.style.fontSize = size }", text)
            look.look(page, f"queued-{name}")
        for _ in range(100):
            if notify.texts:
                break
            time.sleep(0.1)
        assert [text["to"] for text in notify.texts] == ["+447700900123"]
        assert notify.texts[0]["text"].endswith(page.locator("#link").input_value())
        page.get_by_role("link", name="See whether it arrived").click()
        tell(texting, notify.texts[0]["reference"])
        page.reload()
        expect(page.get_by_text("Text delivered to the phone")).to_be_visible()
        look.look(page, "delivered")


def tell(texting: Demo, reference: str) -> None:
    """Say that a text arrived, as the service does."""
    data = json.dumps({"reference": reference, "status": "delivered", "to": "+447700900123"}).encode()
    headers = {"Authorization": "Bearer the token of callbacks", "Content-Type": "application/json"}
    with urlopen(Request(f"{texting.origin}/callbacks/notify", data, headers)) as answer:
        assert answer.status == 204
