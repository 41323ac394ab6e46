"""axe on the pages that the tests pass: on each state of a page once, however many tests lead past it."""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """
async (tags) => {
  const { violations } = await axe.run({ runOnly: tags, resultTypes: ["violations"], selectors: false });
  return violations.map((one) => [one.id, one.nodes.map((node) => node.html)]);
}
"""
STATE = """
() => {
  const media = ["(prefers-color-scheme: dark)", "(forced-colors: active)", "(prefers-reduced-motion: reduce)"];
  const shown = [innerWidth, innerHeight, getComputedStyle(document.documentElement).fontSize];
  const fields = [...document.querySelectorAll("input, select, textarea, button, details, dialog")];
  return [
    ...[...shown, ...media.map((one) => matchMedia(one).matches)],
    ...fields.map((one) => [one.checked, one.disabled, one.open, one.value === ""]),
    document.documentElement.outerHTML,
  ].join("\\n");
}
"""
"""All that axe goes by: the markup, what is ticked and open, and how the page is shown."""
CHANGING = re.compile(
    r'blob:[^"]+|nonce="[^"]*"|(?<=name="csrf_token" value=")[^"]*|\b[0-9a-f]{16,64}\b|\b[A-Z0-9]{3}-[A-Z0-9]{3}\b'
    r"|(?<=/r/)\w{23}|\b\d{1,2}:\d\d([ap]m)?\b|127\.0\.0\.1:\d+"
)
"""What is another one on each visit, and the same to axe: tokens, ids, receipts, times."""


class Clean:
    """The states in which axe found nothing; `folder`, where there is one, is shared with the other workers of this run."""

    def __init__(self) -> None:
        self.states: set[str] = set()
        self.folder: Path | None = None

    def __contains__(self, state: str) -> bool:
        name = _name(state)
        return name in self.states or bool(self.folder and (self.folder / name).exists())

    def add(self, state: str) -> None:
        self.states.add(_name(state))
        if self.folder:
            (self.folder / _name(state)).touch()


def _name(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


CLEAN = Clean()


def check_accessible(page: Page) -> None:
    """axe finds nothing at WCAG 2.2 AA, now or before on a page in the same state, and the page does not scroll sideways."""
    state = _state(page)
    if state not in CLEAN:
        look_at(page)
        CLEAN.add(state)


def check_accessible_without_script(page: Page, browser: Browser, **options: Any) -> None:
    """The same for a page that runs no script, and so not axe either: its HTML, shown once more with none of its own scripts."""
    state = f"without script\n{_state(page)}"
    if state in CLEAN:
        return
    html = re.sub(r"<script.*?</script>", "", page.content(), flags=re.DOTALL)
    twin, complaints = _twin(browser, json.dumps(options, sort_keys=True))
    twin.route(page.url, lambda route: route.fulfill(body=html, content_type="text/html"), times=1)
    complaints.clear()
    twin.goto(page.url)
    look_at(twin)
    assert complaints == []
    CLEAN.add(state)


def listen(page: Page) -> list[str]:
    """What is said on the page's console, and every uncaught error, from now on."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


@cache
def _twin(browser: Browser, options: str) -> tuple[Page, list[str]]:
    """A page that is kept until the browser ends, for a new one takes longer than axe; and what its console says."""
    page = browser.new_context(**json.loads(options)).new_page()
    return page, listen(page)


def _state(page: Page) -> str:
    """The page as axe sees it, once it is whole; it needs no script of the page's own."""
    page.wait_for_load_state()
    return CHANGING.sub("", page.evaluate(STATE))


def look_at(page: Page) -> None:
    """axe finds nothing on this page at WCAG 2.2 AA, and it does not scroll sideways."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(_axe())
    found = page.evaluate(RUN, TAGS)
    assert found == [], f"{page.url}: {found}"
    fits = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert fits, f"{page.url} scrolls sideways"


@cache
def _axe() -> str:
    return (Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js").read_text()
