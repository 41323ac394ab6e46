"""What a patient's way costs on the wire, page by page, and from which hosts it comes; for the test and for bench/pages.py."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.steps import BORN, VIEWS, Photographer, come_in, take

FIRST, LATER = 100_000, 30_000  # bytes: the first page with all that it needs, and each later one


@dataclass
class Weighed:
    """A page, by method and path, and its bytes."""

    name: str
    bytes: int = 0


class Scale(Photographer):
    """Weighs what Chromium receives, page by page: heads and bodies as they are on the wire, with what the page brings along.

    A page is a document, after its redirects, or one that the script fetches in its place (again, if it does so again). Answers
    to photos on their way come in between, so they are counted apart, in `sending`.
    """

    def __init__(self, browser: Browser, page: Page, *, script: bool = True) -> None:
        super().__init__(browser, "weight", script=script)
        self.pages: list[Weighed] = []
        self.sending = Weighed("photos on their way")
        self.hosts: set[str] = set()
        self._of: dict[str, Weighed] = {}
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._note)
        session.on("Network.loadingFinished", lambda event: self._add(event["requestId"], event))
        session.send("Network.enable")

    def look(self, page: Page, name: str) -> None:
        page.wait_for_load_state("networkidle")

    def _note(self, event: dict[str, Any]) -> None:
        address = urlsplit(event["request"]["url"])
        if address.scheme in {"data", "blob"}:
            return
        self.hosts.add(address.netloc)
        name = f"{event['request']['method']} {address.path}"
        if "redirectResponse" in event:
            self._of[event["requestId"]].name = name
            self._add(event["requestId"], event["redirectResponse"])
        else:
            self._of[event["requestId"]] = self._place(event["type"], address.path, name)

    def _place(self, kind: str, path: str, name: str) -> "Weighed":
        if path.startswith("/uploads"):
            return self.sending
        is_fetched = kind == "Fetch" and not path.startswith("/static/")
        if kind == "Document" or is_fetched:
            self.pages.append(Weighed(name))
        return self.pages[-1]

    def _add(self, request: str, event: dict[str, Any]) -> None:
        if request in self._of:
            self._of[request].bytes += round(event["encodedDataLength"])


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
