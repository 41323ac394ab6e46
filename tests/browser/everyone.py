"""The patient's way in any language, each page of it shown to a check: it goes by names and ids, never by words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Demo
from tests.browser.steps import VIEWS, drawn, fill_date

ASKED = ("request", "create", "--practice", "A81001", "--dob", "1980-03-31", "--label", "Everyone", "--protocol", "lesion")
PLACE = ("--site", "back-of-forearm", "--side", "left")
Look = Callable[[Page, str], None]


def ask(demo: Demo) -> str:
    """The link of a new request."""
    link: str = demo.capture(*ASKED, *PLACE)["link"]
    return link


def walk(page: Page, demo: Demo, link: str, folder: Path, look: Look) -> str:
    """From the link to the receipt, past the problems that forms show; gives the receipt."""
    page.goto(link)
    look(page, "start")
    page.locator("main form button").click()
    look(page, "start-error")
    fill_date(page)
    page.locator("main form button").click()
    expect(page.locator("[name=agree]").first).to_be_visible()
    look(page, "agree")
    page.locator("main form button").click()
    look(page, "agree-error")
    agree(page)
    look(page, "tasks")
    for path in ("/another-phone", "/photos/context/cannot"):
        page.goto(f"{demo.origin}{path}")
        look(page, path.rpartition("/")[2])
        page.locator("main form button").click()
        look(page, f"{path.rpartition('/')[2]}-after")
    page.goto(f"{demo.origin}/photos/context")
    for view in VIEWS:
        expect(page.locator("#guide")).to_be_visible()
        look(page, f"photo-{view}")
        picked = folder / f"{view}.jpg"
        picked.write_bytes(drawn(view, size=(1600, 1200)))
        page.locator("#photo").set_input_files(picked)
        expect(page.locator("#look")).to_be_visible()
        look(page, f"look-{view}")
        page.locator("#use").click()
    expect(page.locator("#note")).to_be_visible()
    look(page, "check")
    page.locator("main form button").click()
    expect(page.locator(".app-receipt")).to_be_visible()
    look(page, "sent")
    receipt = page.locator(".app-receipt").inner_text()
    page.goto(f"{demo.origin}/r/unknown")
    look(page, "closed")
    return receipt


def agree(page: Page) -> None:
    """Answer everything on the page of the agreement."""
    for box in page.locator("[name=agree]").all():
        box.check()
    for name in ("who", "helper"):
        page.locator(f"[name={name}][value=me]").check()
    page.locator("main form button").click()
    expect(page.locator(".app-views")).to_be_visible()


def in_language(demo: Demo, code: str) -> dict[str, Any]:
    """The options of a browser that has chosen this language."""
    cookie = {"name": "language", "value": code, "url": demo.origin}
    return {"storage_state": {"cookies": [cookie], "origins": []}}
