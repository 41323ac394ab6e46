"""Signing in with another service's account, in a real browser, through a real provider."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from capture.demo import ODS
from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, Photographer
from tests.browser.test_pages import EXPECTED
from tests.browser.test_passkeys import serving
from tests.ports import free_port
from tests.web.test_openid import person, running, write_providers


def test_by_nhs_cis2_to_the_inbox(browser: Browser, demo: Demo, tmp_path: Path) -> None:
    """SECURITY 27: the button leads to the provider and back to the inbox past the page's own policy; a weak sign-in is told."""
    look = Photographer(browser, "openid")
    port = free_port()
    with (
        running(tmp_path, f"http://localhost:{port}/staff/sign-in/openid") as provider,
        serving(demo, CAPTURE_PORT=str(port), CAPTURE_OPENID=str(write_providers(tmp_path, provider.issuer))) as named,
    ):
        for acr, heading in (("AAL1", "Sign in"), ("AAL3", "Inbox")):
            provider.says(account=person("nia@nhs.example", ods=ODS), acr=acr)
            with visit(browser, **DESK, ignored=EXPECTED) as page:
                page.goto(f"{named.origin}/staff/sign-in")
                look.look(page, "sign-in")
                page.get_by_role("button", name="Sign in with NHS CIS2").press("Enter")
                page.wait_for_url(re.compile(r"/openid\?|/staff/$"))
                expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
                expect(page.get_by_text("not signed in strongly enough")).to_have_count(int(acr == "AAL1"))
                look.look(page, acr)
