"""From an invitation to the inbox, in a real browser; and the members page."""

import time
from pathlib import Path
from secrets import token_hex
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, PIXEL, Photographer
from tests.browser.test_passkeys import give_password, make_member, serving, with_authenticator

TABLET: dict[str, Any] = {"viewport": {"width": 1024, "height": 768}}


def invite(page: Page, demo: Demo, look: Photographer) -> str:
    """Invite someone as a reader, keys only; gives the link."""
    page.goto(f"{demo.origin}/staff/members")
    look.look(page, "members")
    page.locator("#email").focus()
    page.keyboard.type(f"{token_hex(4)}@practice.example")
    page.locator("input[name=role][value=reader]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The invitation is ready")).to_be_visible()
    look.look(page, "invited")
    link = page.locator("#link").input_value()
    page.get_by_role("link", name="Back to the members").click()
    look.look(page, "waiting")
    return link


@pytest.mark.parametrize("size", [DESK, TABLET, PIXEL], ids=["desk", "tablet", "phone"])
def test_an_invited_person_sets_up_app_or_passkey(browser: Browser, demo: Demo, tmp_path: Path, size: dict[str, Any]) -> None:
    """SECURITY 24: invited, someone sets up a name, a password and an app; someone else a passkey; axe finds nothing on the way."""
    look = Photographer(browser, f"joining-{size['viewport']['width']}")
    with serving(demo) as named:
        with visit(browser, **size) as page:
            give_password(page, named, make_member(named, tmp_path))
            links = [invite(page, named, look) for _ in range(2)]
        for link, way in zip(links, ("app", "passkey"), strict=True):
            with visit(browser, **size) as page:
                with_authenticator(page)
                page.goto(link)
                look.look(page, "invitation")
                page.get_by_role("button", name="Join").press("Enter")
                expect(page.get_by_role("heading", name="Set up your account")).to_be_visible()
                look.look(page, f"set-up-{way}")
                page.locator("#name").fill("Nia New")
                page.locator("#password").fill("seven purple otters sing")
                if way == "app":
                    secret = page.locator("span.app-address").inner_text().replace(" ", "")
                    page.locator("#code").fill(pyotp.TOTP(secret).at(time.time()))
                    page.keyboard.press("Enter")
                else:
                    page.get_by_role("button", name="Finish with a passkey").press("Enter")
                expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
                look.look(page, "codes")
                page.get_by_role("link", name="I have kept them").click()
                expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
