"""Passkeys in a real browser, with the authenticator that Chromium has for tests."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from capture.demo import ODS
from tests.browser.conftest import ROOT, Demo, visit
from tests.browser.steps import DESK, Photographer
from tests.ports import free_port
from tests.system.server import environment, wait_for

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextmanager
def serving(demo: Demo, **settings: str) -> Iterator[Demo]:
    """The demo's data behind another process whose address has a name: passkeys belong to names, not to numbers."""
    port = int(settings.get("CAPTURE_PORT") or free_port())
    origin = f"http://localhost:{port}"
    named = {"CAPTURE_ORIGIN": origin, "CAPTURE_PORT": str(port), "CAPTURE_WORKER": "no", **settings}
    command = [sys.executable, "-m", "capture", "serve"]
    log = demo.var.with_name(f"named-{port}.log")
    with (
        log.open("w") as errors,
        subprocess.Popen(command, env={**environment(demo.var), **named}, stderr=errors, cwd=ROOT) as process,
    ):
        try:
            wait_for(port, process, log)
            yield replace(demo, origin=origin)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def named(demo: Demo) -> Iterator[Demo]:
    with serving(demo) as running:
        yield running


def with_authenticator(page: Page, **options: Any) -> tuple[Any, str]:
    """Plug the authenticator in: what speaks to it, and its id."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, **options}})
    return devtools, made["authenticatorId"]


def make_member(demo: Demo, tmp_path: Path) -> dict[str, str]:
    """A manager of the demo's practice, whose codes nobody else uses up: `email`, `password` and `authenticator_secret`."""
    secret = tmp_path / "password"
    secret.write_text("correct horse battery")
    email = f"{token_hex(4)}@practice.example"
    words = ["member", "add", "--practice", ODS, "--email", email, "--name", "Sam Manager", "--role", "manager"]
    made = demo.capture(*words, "--password-file", str(secret))
    return {**made, "email": email, "password": "correct horse battery"}


def give_password(page: Page, demo: Demo, member: dict[str, str]) -> None:
    """Sign in with password and code, keys only."""
    page.goto(f"{demo.origin}/staff/")
    page.locator("#email").focus()
    page.keyboard.type(member["email"])
    page.keyboard.press("Tab")
    page.keyboard.type(member["password"])
    page.keyboard.press("Enter")
    expect(page.locator("#code")).to_be_visible()
    page.locator("#code").focus()
    page.keyboard.type(pyotp.TOTP(member["authenticator_secret"]).at(time.time()))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()


def test_a_passkey_from_the_account_page_to_the_inbox(browser: Browser, named: Demo, tmp_path: Path) -> None:
    """SECURITY 24: add a passkey, sign out, sign in with it by the keyboard alone, remove it; axe finds nothing on the way."""
    look = Photographer(browser, "passkeys")
    with visit(browser, **DESK) as page:
        devtools, authenticator = with_authenticator(page)
        give_password(page, named, make_member(named, tmp_path))
        page.goto(f"{named.origin}/staff/account")
        look.look(page, "account")
        page.locator("#name").focus()
        page.keyboard.type("Work laptop")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Not used yet")).to_be_visible()
        look.look(page, "added")
        page.get_by_role("button", name="Sign out").click()
        look.look(page, "sign-in")
        page.get_by_role("button", name="Sign in with a passkey").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
        credentials = devtools.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
        assert [(one["rpId"], one["isResidentCredential"], one["signCount"]) for one in credentials] == [("localhost", True, 2)]
        page.goto(f"{named.origin}/staff/account")
        expect(page.get_by_text("Last used")).to_be_visible()
        look.look(page, "used")
        page.get_by_role("button", name="Remove the passkey Work laptop").press("Enter")
        expect(page.get_by_text("You have no passkeys yet")).to_be_visible()


def test_a_device_that_does_not_know_who_holds_it(browser: Browser, named: Demo) -> None:
    """SECURITY 24: without a finger, face or PIN the device gives nothing; the page says so beside the button and stays usable."""
    look = Photographer(browser, "passkeys-refused")
    with visit(browser, **DESK) as page:
        with_authenticator(page, isUserVerified=False)
        page.goto(f"{named.origin}/staff/sign-in")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert").filter(has_text="Nothing was done")).to_be_visible()
        look.look(page, "refused")


def test_without_script_the_password_is_there(browser: Browser, named: Demo) -> None:
    """Without script no passkey is offered, and the password works as before."""
    look = Photographer(browser, "passkeys-plain", script=False)
    with visit(browser, **DESK, java_script_enabled=False) as page:
        page.goto(f"{named.origin}/staff/sign-in")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
        expect(page.locator("#password")).to_be_visible()
        look.look(page, "sign-in")
