"""Those around the patient, in Chromium: a helper's phone, a parent, what staff read of both; with and without script."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, IPHONE, PIXEL, Photographer, come_in, find_bundle, take, unlock

REFUSED = re.compile("status of 4(04|22)")


def make_link(demo: Demo, born: str = "1980-03-31") -> str:
    where = ("--protocol", "lesion", "--site", "back")
    link: str = demo.capture("request", "create", "--practice", "A81001", "--dob", born, "--label", "Helped", *where)["link"]
    return link


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_helper_takes_a_photo_with_another_phone(browser: Browser, demo: Demo, staff: Any, tmp_path: Path, script: bool) -> None:
    """One phone shows a code, the other goes on with it once; one photo is skipped with a reason; staff read all of that."""
    name = "helper" if script else "helper-no-script"
    look, their_look = (Photographer(browser, one, script=script) for one in (name, f"{name}-phone"))
    with (
        visit(browser, **PIXEL, java_script_enabled=script) as page,
        visit(browser, **IPHONE, java_script_enabled=script, ignored=REFUSED) as other,
    ):
        come_in(page, make_link(demo), look)
        page.get_by_role("link", name="Continue on another phone").click()
        look.look(page, "another-phone")
        page.get_by_role("button", name="Show the code").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        look.look(page, "code")
        code = page.locator(".app-link").inner_text()
        other.goto(code)
        their_look.look(other, "continue")
        other.get_by_role("button", name="Continue").click()
        expect(other.get_by_role("heading", name="Your photos")).to_be_visible()
        assert other.url == f"{demo.origin}/photos"
        other.goto(f"{demo.origin}/photos/context")
        take(other, "context", their_look, tmp_path)
        expect(other.get_by_text("Photo 2 of 3")).to_be_visible()
        skip_the_other_two(page, demo, look)
        page.get_by_role("button", name="Send to my practice").click()
        expect(page.get_by_role("heading", name="Photos sent")).to_be_visible()
        receipt = page.locator(".app-receipt").inner_text()
        other.goto(code)
        their_look.look(other, "used")
        expect(other.get_by_role("heading", name="This link does not work")).to_be_visible()
        other.goto(f"{demo.origin}/photos")
        expect(other.locator(".app-receipt")).to_have_text(receipt)
    with visit(browser, **DESK, storage_state=staff) as page:
        find_bundle(page, demo, receipt)
        unlock(page, demo)
        expect(page.get_by_text("I cannot reach it: behind my shoulder")).to_be_visible(timeout=30_000)
        page.get_by_text("Consent and answers").click()
        expect(page.get_by_text("handed over to another phone")).to_be_visible()


def skip_the_other_two(page: Page, demo: Demo, look: Photographer) -> None:
    for view, reason, words in (
        ("close-up", "I cannot reach it", "behind my shoulder"),
        ("close-up-scale", "I would rather not", ""),
    ):
        page.goto(f"{demo.origin}/photos/{view}")
        page.get_by_role("link", name="I cannot take this one").click()
        look.look(page, f"cannot-{view}")
        page.get_by_label(reason).check()
        page.locator("#words").fill(words)
        page.get_by_role("button", name="Go on without this photo").click()
    expect(page.get_by_role("heading", name="Check and send")).to_be_visible()
    look.look(page, "check")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_parent_agrees_for_a_child(browser: Browser, demo: Demo, script: bool) -> None:
    """A child that answers for itself is told whom to fetch; the parent goes on."""
    look = Photographer(browser, "child" if script else "child-no-script", script=script)
    with visit(browser, **PIXEL, java_script_enabled=script, ignored=REFUSED) as page:
        page.goto(make_link(demo, "2016-05-04"))
        for name, value in (("day", "4"), ("month", "5"), ("year", "2016")):
            page.locator(f"[name={name}]").fill(value)
        page.get_by_role("button", name="Continue").click()
        look.look(page, "agree")
        for box in page.locator("[name=agree]").all():
            box.check()
        page.get_by_label("I am the patient", exact=True).check()
        page.locator("[name=helper][value=helper]").check()
        page.get_by_role("button", name="Agree and continue").click()
        expect(page.get_by_role("link", name="Ask a parent")).to_be_visible()
        look.look(page, "ask-a-parent")
        page.get_by_label("parental responsibility").check()
        page.get_by_role("button", name="Agree and continue").click()
        expect(page.get_by_role("heading", name="Your photos")).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_someone_else_says_who_they_are(browser: Browser, demo: Demo, script: bool) -> None:
    """The question who someone else is stands there only for them."""
    look = Photographer(browser, "proxy" if script else "proxy-no-script", script=script)
    with visit(browser, **PIXEL, java_script_enabled=script) as page:
        page.goto(make_link(demo))
        for name, value in (("day", "31"), ("month", "3"), ("year", "1980")):
            page.locator(f"[name={name}]").fill(value)
        page.get_by_role("button", name="Continue").click()
        relation = page.get_by_label("Who are you to the patient?")
        expect(relation).to_be_hidden()
        page.get_by_label("someone else", exact=True).check()
        expect(relation).to_be_visible()
        look.look(page, "who")
