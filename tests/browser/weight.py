"""What a patient's way costs on the wire, page by page, and from which hosts it comes; for the test and for bench/pages.py."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.steps import BORN, VIEWS, Photographer, come_in, take

FIRST, LATER = 100_000, 30_000  # bytes: the first page with all that it needs, and each later one


class Scale(Photographer):
    """Weighs what Chromium receives from one look to the next: heads and bodies as they are on the wire, redirects too."""

    def __init__(self, browser: Browser, page: Page, *, script: bool = True) -> None:
        super().__init__(browser, "weight", script=script)
        self.weights: list[tuple[str, int]] = []
        self.hosts: set[str] = set()
        self._bytes = 0.0
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._note)
        session.on("Network.loadingFinished", self._add)
        session.send("Network.enable")

    def look(self, page: Page, name: str) -> None:
        page.wait_for_load_state("networkidle")
        self.weights.append((name, round(self._bytes)))
        self._bytes = 0

    def _note(self, event: dict[str, Any]) -> None:
        if not event["request"]["url"].startswith(("data:", "blob:")):
            self.hosts.add(event["request"]["url"].split("/")[2])
        if "redirectResponse" in event:
            self._add(event["redirectResponse"])

    def _add(self, event: dict[str, Any]) -> None:
        self._bytes += event["encodedDataLength"]


def new_link(demo: Demo, protocol: str = "lesion") -> str:
    """A fresh link for the demo's patient."""
    born = f"{BORN['year']}-{int(BORN['month']):02}-{int(BORN['day']):02}"
    what = ["--protocol", protocol, "--site", "back-of-forearm", "--side", "left"]
    asked = demo.capture("request", "create", "--practice", "A81001", "--dob", born, *what)
    return str(asked["link"])


def walk(page: Page, demo: Demo, folder: Path, look: Photographer) -> None:
    """Every page of a patient who sends three photos, in their order; those beside the way before the first photo."""
    come_in(page, new_link(demo), look)
    for name, address in {"cannot": f"/photos/{VIEWS[0]}/cannot", "another-phone": "/another-phone"}.items():
        page.goto(demo.origin + address)
        look.look(page, name)
    page.goto(f"{demo.origin}/photos/{VIEWS[0]}")
    for number, view in enumerate(VIEWS, 1):
        expect(page.get_by_text(f"Photo {number} of {len(VIEWS)}")).to_be_visible()
        take(page, view, look, folder)
    expect(page.get_by_role("heading", name="Check and send")).to_be_visible()
    look.look(page, "check")
    page.get_by_role("button", name="Send to my practice").click()
    expect(page.get_by_role("heading", name="Photos sent")).to_be_visible()
    look.look(page, "sent")
