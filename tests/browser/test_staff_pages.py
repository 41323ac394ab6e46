"""Every page of the staff in Chromium, as a desk shows it: two screens, text as it comes and twice as large."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Demo, check_accessible, visit
from tests.browser.opening import drawn, send_bundle

PATHS = (
    "/staff/",
    "/staff/?show=closed",
    "/staff/requests/new",
    "/staff/templates",
    "/staff/members",
    "/staff/keys",
    "/staff/keys/changes/new",
    "/staff/keys/drill",
    "/staff/keys/passkeys",
    "/staff/practice",
    "/staff/practice/settings",
    "/staff/practice/deliveries",
    "/staff/practice/audit",
    "/staff/account",
    "/staff/tokens",
    "/staff/webhooks",
)
LARGE = "addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%'; });"


@pytest.mark.parametrize("large", [False, True], ids=["100%", "200%"])
def test_every_staff_page_at_a_desk(browser: Browser, demo: Demo, staff: Any, large: bool) -> None:
    """At 1280 and 1024 pixels, with text as it comes and at 200%, axe finds nothing on any page and none scrolls sideways."""
    bundle = send_bundle(demo, [drawn()], label="Mrs Eleanor Whitcombe-Harrington")
    with visit(browser, viewport={"width": 1280, "height": 900}, storage_state=staff) as page:
        if large:
            page.add_init_script(LARGE)
        page.goto(f"{demo.origin}/staff/")
        request = page.get_by_role("link", name="Mrs Eleanor Whitcombe-Harrington", exact=True).first.get_attribute("href")
        for path in (*PATHS, str(request), f"{request}/again", f"/staff/bundles/{bundle}"):
            answer = page.goto(f"{demo.origin}{path}")
            assert answer
            assert answer.status == 200, path
            for width, height in ((1280, 900), (1024, 768)):
                page.set_viewport_size({"width": width, "height": height})
                check_accessible(page)
