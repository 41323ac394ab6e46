"""The lists of photos in a browser: each protocol's drawings, photos that the patient adds, the form for a follow-up."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from capture.demo import ODS
from capture.domain.protocols import load_catalogue
from capture.settings import ROOT
from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, PIXEL, Photographer, come_in, fill_date, take

CATALOGUE = load_catalogue(ROOT / "config")
PROTOCOLS = [name for name, protocol in CATALOGUE.protocols.items() if not protocol.follows]
ASKED = ("request", "create", "--practice", ODS, "--dob", "1980-03-31")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_nails_and_two_photos_more(browser: Browser, demo: Demo, tmp_path: Path, script: bool) -> None:
    """A patient takes the three photos of a nail and adds two of their own choice, and all five are sent."""
    look = Photographer(browser, f"nail-{'script' if script else 'no-script'}", script=script)
    link = demo.capture(*ASKED, "--protocol", "nail", "--site", "fingernail", "--side", "left")["link"]
    with visit(browser, **PIXEL, java_script_enabled=script) as page:
        come_in(page, link, look)
        page.get_by_role("button", name="Take the first photo").click()
        for number, view in enumerate(CATALOGUE.protocols["nail"].views, 1):
            expect(page.get_by_text(f"Photo {number} of 3")).to_be_visible()
            take(page, view.id, look, tmp_path)
        for number in (1, 2):
            expect(page.get_by_role("heading", name="Check and send")).to_be_visible()
            look.look(page, f"check-{number}")
            page.get_by_role("link", name="Add another photo").click()
            expect(page.get_by_role("heading", name=f"Extra photo {number}")).to_be_visible()
            take(page, f"more-{number}", look, tmp_path)
        page.get_by_role("link", name="Your photos").click()
        expect(page.locator("[data-view=more-2][data-state=arrived]")).to_contain_text("Arrived")
        expect(page.locator("[data-view]")).to_have_count(5)
        narrow(page, look)
        page.get_by_role("button", name="Check and send").click()
        page.get_by_role("button", name="Send to my practice").click()
        expect(page.get_by_role("heading", name="Photos sent")).to_be_visible()
        expect(page.get_by_text("5 photos were sent")).to_be_visible()


def narrow(page: Page, look: Photographer) -> None:
    """The list at 320 pixels, and on a desk, reads without sideways scrolling."""
    for size in ({"width": 320, "height": 640}, {"width": 1280, "height": 900}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        look.look(page, f"tasks-{size['width']}")
    page.set_viewport_size(PIXEL["viewport"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_list_shows_its_drawings(browser: Browser, demo: Demo, protocol: str) -> None:
    """Each list names its views with a drawing that loads, says that none was taken, and offers the first as the one button."""
    look = Photographer(browser, f"list-{protocol}")
    site = "scalp" if protocol == "scalp" else "nose"
    link = demo.capture(*ASKED, "--protocol", protocol, "--site", site)["link"]
    views = CATALOGUE.protocols[protocol].views
    with visit(browser, **PIXEL) as page:
        come_in(page, link, look)
        rows = page.locator("[data-view]")
        expect(rows).to_have_count(len(views))
        for row, view in zip(rows.all(), views, strict=True):
            expect(row).to_contain_text(view.title)
            expect(row).to_contain_text("Not taken yet")
            assert row.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        expect(page.get_by_role("main").get_by_role("button")).to_have_text(["Take the first photo"])
        page.get_by_role("button", name="Take the first photo").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(views[0].title)
        for view in views:
            page.goto(f"{demo.origin}/photos/{view.id}")
            look.look(page, view.id)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_staff_ask_for_the_same_photos_again(browser: Browser, demo: Demo, staff: Any, script: bool) -> None:
    """For a follow-up staff type the receipt, and no part of the body; a receipt that nobody has is told at its field."""
    look = Photographer(browser, "follow-up", script=script)
    receipt = demo.capture(*ASKED, "--protocol", "wound", "--site", "shin", "--side", "right")["receipt"]
    expected = re.compile("the server responded with a status of 422")
    with visit(browser, **DESK, java_script_enabled=script, storage_state=staff, ignored=expected) as page:
        page.goto(f"{demo.origin}/staff/requests/new")
        expect(page.locator("#follows")).to_be_visible(visible=not script)
        page.locator("#label").fill("Again")
        fill_date(page)
        page.locator("[name=protocol][value=follow-up]").check()
        page.locator("#follows").fill("BBB-BBB")
        page.get_by_role("button", name="Make the link").click()
        expect(page.get_by_role("alert")).to_contain_text("no request with this receipt")
        look.look(page, "follow-up-error")
        page.locator("#follows").fill(receipt.lower())
        page.get_by_role("button", name="Make the link").click()
        page.get_by_role("link", name="See this request").click()
        expect(page.get_by_role("main")).to_contain_text("Right shin")
        expect(page.get_by_role("main")).to_contain_text(f"Follow-up of {receipt}")
        look.look(page, "follow-up")
