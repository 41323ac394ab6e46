"""For everyone: either way of writing, small screens and large text, the dark, keyboards, fingers, screen readers."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from capture.settings import TRANSLATIONS
from tests.browser.conftest import Demo, check_accessible, running_demo, visit
from tests.browser.everyone import ask, in_language, walk
from tests.browser.steps import DESK, PIXEL, Photographer, drawn

ALL = ["en", *sorted(path.name for path in TRANSLATIONS.iterdir() if (path / "LC_MESSAGES").is_dir())]
REFUSED = re.compile("the server responded with a status of 4")
NARROW: dict[str, Any] = {**PIXEL, "viewport": {"width": 320, "height": 640}}
LARGE_TEXT = "addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%'; });"

SMALL_TARGETS = """
() => [...document.querySelectorAll("a[href], button, summary, select, textarea, input:not([type=hidden])")]
  .filter((one) => one.checkVisibility() && !one.classList.contains("nhsuk-skip-link"))
  .filter((one) => !(getComputedStyle(one).display === "inline" && one.parentElement.textContent.trim() !== one.textContent.trim()))
  .map((one) => {
    const boxes = [one, ...(one.labels ?? [])].map((each) => each.getBoundingClientRect());
    const rows = [...document.querySelectorAll(".app-views__row")].filter((row) => row.contains(one));
    boxes.push(...rows.map((row) => row.getBoundingClientRect()));
    return [one.outerHTML.slice(0, 120), Math.max(...boxes.map((b) => b.width)), Math.max(...boxes.map((b) => b.height))];
  })
  .filter(([, width, height]) => width < 43.5 || height < 43.5)
"""

SEEN = """
() => {
  const one = document.activeElement;
  const marks = [[one, null], ...[...(one.labels ?? [])].flatMap((label) => [[label, null], [label, "::before"]])];
  return one === document.body || marks.some(([each, part]) => {
    const style = getComputedStyle(each, part);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && !/, 0\\)$/.test(style.outlineColor);
    return outlined || style.boxShadow !== "none";
  });
}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo with every language turned on."""
    with running_demo(tmp_path_factory.mktemp("world") / "var", CAPTURE_LANGUAGES=",".join(ALL)) as running:
        yield running


def test_right_to_left(browser: Browser, world: Demo, tmp_path: Path) -> None:
    """In a language written right to left every page runs that way, from link to receipt, and none slips back into English."""
    photographer = Photographer(browser, "right-to-left")

    def look(page: Page, name: str) -> None:
        photographer.look(page, name)
        check_right_to_left(page)

    with visit(browser, **PIXEL, **in_language(world, "ar"), ignored=REFUSED) as page:
        walk(page, world, ask(world), tmp_path, look)


def check_right_to_left(page: Page) -> None:
    """The page says so, its heading stands at the right, and so do the controls before their labels."""
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert page.locator("html").get_attribute("lang") == "ar"
    main, heading = page.locator("main").bounding_box(), page.locator("h1:visible").first
    words = heading.evaluate(
        "(h) => { const r = document.createRange(); r.selectNodeContents(h); return r.getBoundingClientRect().right; }"
    )
    assert main
    assert words > main["x"] + main["width"] - 40
    for label in page.locator(".nhsuk-radios__label:visible, .nhsuk-checkboxes__label:visible").all():
        box = label.evaluate("(l) => [getComputedStyle(l, '::before').right, getComputedStyle(l, '::before').left].map(parseFloat)")
        assert box[0] < box[1], "the box is drawn at the right"
    for sentence in ("There is a problem", "Continue", "Phone:", "Photos sent"):
        assert page.get_by_text(sentence, exact=True).count() == 0


@pytest.mark.parametrize("code", ["en", "cy", "ar", "bn"])
def test_narrow_screen_and_large_text(browser: Browser, world: Demo, tmp_path: Path, code: str) -> None:
    """No page scrolls sideways at 320 pixels with text at 200%, whatever the length of its words, its script or its direction."""

    def look(page: Page, name: str) -> None:
        assert page.locator("html").evaluate("(html) => html.scrollWidth <= html.clientWidth"), name
        assert page.locator("html").get_attribute("lang") == code.replace("_", "-")

    with visit(browser, **NARROW, **in_language(world, code), ignored=REFUSED) as page:
        page.add_init_script(LARGE_TEXT)
        walk(page, world, ask(world), tmp_path, look)


def test_dark(browser: Browser, world: Demo, tmp_path: Path) -> None:
    """Who has set the phone to dark gets dark pages, with contrast enough for axe, drawings on their own ground."""
    photographer = Photographer(browser, "dark")

    def look(page: Page, name: str) -> None:
        photographer.look(page, name)
        ground = page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", ground)[:3])) < 120

    with visit(browser, **PIXEL, **in_language(world, "en"), color_scheme="dark", ignored=REFUSED) as page:
        walk(page, world, ask(world), tmp_path, look)


def test_targets(browser: Browser, world: Demo, tmp_path: Path) -> None:
    """Everything that a finger presses is at least 44 by 44 pixels, but for links inside a sentence."""

    def look(page: Page, name: str) -> None:
        assert page.evaluate(SMALL_TARGETS) == [], name

    with visit(browser, **PIXEL, **in_language(world, "en"), ignored=REFUSED) as page:
        page.goto(f"{world.origin}/r/unknown")
        page.locator("summary").first.click()
        look(page, "languages")
        walk(page, world, ask(world), tmp_path, look)


def test_screen_reader(browser: Browser, world: Demo, tmp_path: Path) -> None:
    """Each page has one heading of the first rank, no rank left out, its landmarks, a title of its own, and says what changes."""
    titles: dict[str, str] = {}

    def look(page: Page, name: str) -> None:
        ranks = page.locator(":is(h1, h2, h3, h4):visible").evaluate_all("(all) => all.map((one) => Number(one.tagName[1]))")
        assert ranks.count(1) == 1, name
        assert all(after - before <= 1 for before, after in pairwise(ranks)), name
        for landmark in ("banner", "main", "contentinfo"):
            assert page.get_by_role(landmark).count() == 1, landmark
        titles.setdefault(page.title(), name)
        if name.endswith("-error"):
            expect(page.locator(".nhsuk-error-summary")).to_be_focused()
            assert page.title().startswith("Error: ")
        if name == "tasks":
            assert page.locator("[role=status], [aria-live=polite]").count() >= 1

    with visit(browser, **PIXEL, **in_language(world, "en"), ignored=REFUSED) as page:
        walk(page, world, ask(world), tmp_path, look)
    assert len(titles) >= 12


def test_motion_and_forced_colours(browser: Browser, world: Demo) -> None:
    """Nothing moves for who has asked for less motion; with forced colours what can be pressed and what is chosen stay visible."""
    options: dict[str, Any] = {"reduced_motion": "reduce", "forced_colors": "active"}
    with visit(browser, **PIXEL, **in_language(world, "en"), **options) as page:
        page.goto(ask(world))
        moving = page.locator("*").evaluate_all(
            "(all) => all.filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0.001).map((one) => one.outerHTML)"
        )
        assert moving == []
        button = page.locator("main form button")
        assert button.evaluate("(one) => getComputedStyle(one).borderTopStyle") == "solid"
        check_accessible(page)


def test_the_language_is_kept_from_the_link_to_the_receipt(browser: Browser, world: Demo, tmp_path: Path) -> None:
    """A patient who picks Welsh in the menu of the first page, without script, reads Welsh on every page after it."""
    with visit(browser, **PIXEL, java_script_enabled=False) as page:
        link = ask(world)
        page.goto(link)
        page.locator("summary").first.click()
        page.get_by_role("link", name="Cymraeg").click()
        expect(page).to_have_url(link)
        expect(page.locator("html")).to_have_attribute("lang", "cy")
        expect(page.get_by_role("heading", name="Anfon lluniau at eich meddygfa")).to_be_visible()
    seen: set[str | None] = set()
    with visit(browser, **PIXEL, **in_language(world, "cy"), ignored=REFUSED) as page:
        walk(page, world, ask(world), tmp_path, lambda page, _: seen.add(page.locator("html").get_attribute("lang")))
    assert seen == {"cy"}


def test_the_keyboard_is_enough(browser: Browser, world: Demo, tmp_path: Path) -> None:
    """With Tab, Space, arrows and Enter alone a patient gets from the link to the receipt; the focus is always seen."""
    with visit(browser, **DESK, **in_language(world, "en")) as page:
        page.goto(ask(world))
        page.keyboard.press("Tab")
        expect(page.locator(".nhsuk-skip-link")).to_be_focused()
        for name, digits in (("day", "31"), ("month", "3"), ("year", "1980")):
            tab_to(page, f"[name={name}]")
            page.keyboard.type(digits)
        press(page, "main form button", "Enter")
        expect(page.locator("[name=agree]").first).to_be_visible()
        tab_to(page, "[name=who]")
        page.keyboard.press("Space")
        for number in range(page.locator("[name=agree]").count()):
            press(page, f"[name=agree] >> nth={number}", "Space")
        tab_to(page, "[name=helper]")
        page.keyboard.press("Space")
        press(page, "main form button", "Enter")
        expect(page.locator(".app-views")).to_be_visible()
        press(page, "main .nhsuk-button", "Enter")
        for _ in range(3):
            expect(page.locator("#guide")).to_be_visible()
            take_by_keyboard(page, tmp_path)
        expect(page.locator("#note")).to_be_visible()
        tab_to(page, "#note")
        page.keyboard.type("It itches.")
        press(page, "main form button", "Enter")
        expect(page.locator(".app-receipt")).to_be_visible()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there; on the way it is always seen where it is."""
    wanted = page.locator(selector).first
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(SEEN), page.evaluate("document.activeElement.outerHTML")
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def press(page: Page, selector: str, key: str) -> None:
    tab_to(page, selector)
    page.keyboard.press(key)


def take_by_keyboard(page: Page, folder: Path) -> None:
    """Choose a photo from the device, and use it."""
    picked = folder / "picked.jpg"
    picked.write_bytes(drawn("close-up", size=(1600, 1200)))
    tab_to(page, "#photo")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(picked)
    expect(page.locator("#look-heading")).to_be_focused()
    press(page, "#use", "Enter")
    expect(page.locator("#look")).to_be_hidden()
