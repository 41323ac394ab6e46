"""The check that other browser tests lean on: it finds faults, and takes no page for another that it has passed."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import axe
from tests.browser.conftest import check_accessible, check_accessible_without_script, visit

PAGE = """<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,"><main><h1>A page</h1>
<form><input type="hidden" name="csrf_token" value="{token}"><label>Name <input {more}></label></form>{end}</main></html>"""
FAULTS = {
    "an image without words": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "words that are too pale": '<p style="color: #ccc; background: #fff">Pale words</p>',
    "a page that scrolls sideways": '<div style="width: 3000px">Wide</div>',
}


def show(page: Page, *, token: str = "one", more: str = "", end: str = "") -> None:
    page.set_content(PAGE.format(token=token, more=more, end=end))


def test_faults_are_found_after_a_page_that_was_clean(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that was clean is not looked at again until anything about it is another; then each fault in it is found."""
    looked: list[Page] = []
    look_at = axe.look_at

    def count(page: Page) -> None:
        looked.append(page)
        look_at(page)

    monkeypatch.setattr(axe, "look_at", count)
    with visit(browser, viewport={"width": 800, "height": 600}) as page:
        for token in ("one", "two"):
            show(page, token=token)
            check_accessible(page)
        assert len(looked) == 1
        show(page, more="required")
        check_accessible(page)
        page.emulate_media(color_scheme="dark")
        check_accessible(page)
        page.set_viewport_size({"width": 500, "height": 600})
        check_accessible(page)
        assert len(looked) == 4
        for fault in FAULTS.values():
            for _ in range(2):  # a fault stays one
                show(page, end=fault)
                with pytest.raises(AssertionError):
                    check_accessible(page)


def test_faults_are_found_on_a_page_without_script(browser: Browser) -> None:
    """The twin that axe runs on shows the page as it is, also the second page after the first."""
    options: dict[str, Any] = {"viewport": {"width": 700, "height": 600}}
    with visit(browser, **options, java_script_enabled=False) as page:
        shown = [PAGE.format(token="", more="", end="")]
        page.route("**/*", lambda route: route.fulfill(body=shown[-1], content_type="text/html"))
        page.goto("http://page.test/clean")
        check_accessible_without_script(page, browser, **options)
        for fault in FAULTS.values():
            shown.append(PAGE.format(token="", more="", end=fault))
            page.goto("http://page.test/fault")
            with pytest.raises(AssertionError):
                check_accessible_without_script(page, browser, **options)
