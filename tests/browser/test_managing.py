"""A manager looks after the practice in a real browser, with and without script; a member changes password and app."""

import csv
import re
import time
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, Photographer

REFUSED = re.compile("status of 422")
PAGES = ("How it goes", "Settings", "Members", "Templates", "Deliveries", "Audit trail")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_the_practices_pages(browser: Browser, demo: Demo, staff: Any, script: bool) -> None:
    """Each page is reached from "Practice", works without script, and axe finds nothing; what is saved is what patients read."""
    look = Photographer(browser, f"managing{'' if script else '-no-script'}", script=script)
    with visit(browser, **DESK, storage_state=staff, java_script_enabled=script, ignored=REFUSED) as page:
        page.goto(f"{demo.origin}/staff/")
        page.get_by_role("navigation", name="Staff").get_by_role("link", name="Practice").click()
        for name in PAGES:
            page.get_by_role("navigation", name="Practice").get_by_role("link", name=name).press("Enter")
            expect(page.get_by_role("navigation", name="Practice").locator("[aria-current]")).to_have_text(name)
            look.look(page, name.lower().replace(" ", "-"))
        page.goto(f"{demo.origin}/staff/practice/settings")
        page.get_by_label("Saturday, open from").fill("09:00")
        page.get_by_label("Saturday, open to").fill("")
        page.get_by_role("button", name="Save").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Saturday: Enter both times")
        look.look(page, "mistake")
        page.get_by_label("Saturday, open to").fill("12:00")
        page.get_by_role("button", name="Save").press("Enter")
        expect(page.get_by_text("Saved. It counts from now on.")).to_be_visible()
        expect(page.get_by_role("contentinfo")).to_contain_text("Saturday, 9am to noon")
        find_in_the_trail(page, demo)
        page.goto(f"{demo.origin}/staff/practice/settings")
        for end in ("from", "to"):
            page.get_by_label(f"Saturday, open {end}").fill("")
        page.get_by_role("button", name="Save").press("Enter")
        expect(page.get_by_role("contentinfo")).not_to_contain_text("Saturday")


def find_in_the_trail(page: Page, demo: Demo) -> None:
    """The change is in the audit trail, and in its file, by the name of the field."""
    page.goto(f"{demo.origin}/staff/practice/audit")
    expect(page.get_by_text("Unbroken")).to_be_visible()
    page.get_by_label("What").select_option("practice set")
    page.get_by_role("button", name="Search").press("Enter")
    expect(page.get_by_role("row").nth(1)).to_contain_text("fields: opening_hours")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download what was found as CSV").click()
    rows = list(csv.reader(Path(waiting.value.path()).read_text("utf-8").splitlines()))
    assert rows[0][3] == "What"
    assert {row[3] for row in rows[1:]} == {"Practice set"}


def test_another_app_and_another_password(browser: Browser, demo: Demo, tmp_path: Path) -> None:
    """SECURITY 24: by keyboard, a member sets up another app by its code, then another password, and signs in with both."""
    look, password = Photographer(browser, "account"), tmp_path / "password"
    password.write_text("seven purple otters sing")
    email = f"proofs{time.time_ns()}@practice.example"
    who = ("--practice", "A81001", "--email", email, "--name", "Pat Proof")
    made = demo.capture("member", "add", *who, "--password-file", str(password))
    with visit(browser, **DESK) as page:
        sign_in(page, demo, email, "seven purple otters sing", made["authenticator_secret"])
        page.goto(f"{demo.origin}/staff/account")
        look.look(page, "account")
        page.get_by_role("button", name="Set up another app").press("Enter")
        expect(page.get_by_role("heading", name="Set up another app")).to_be_visible()
        look.look(page, "app")
        secret = page.locator("span.app-address").inner_text().replace(" ", "")
        page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).at(time.time()))
        page.keyboard.press("Enter")
        expect(page.get_by_text("Your new app is set up")).to_be_visible()
        page.locator("#old").fill("seven purple otters sing")
        page.locator("#new").fill("nine silent walruses hum")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Your password is changed")).to_be_visible()
        look.look(page, "changed")
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, demo, email, "nine silent walruses hum", secret, 1)


def sign_in(page: Page, demo: Demo, email: str, password: str, secret: str, steps: int = 0) -> None:
    """By password and code; of the code some steps of 30 seconds later, since each works once."""
    page.goto(f"{demo.origin}/staff/sign-in")
    page.locator("#email").fill(email)
    page.locator("#password").fill(password)
    page.get_by_role("button", name="Continue").press("Enter")
    page.locator("#code").fill(pyotp.TOTP(secret).at(int(time.time()), counter_offset=steps))
    page.get_by_role("button", name="Sign in").press("Enter")
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
