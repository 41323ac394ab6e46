"""Keys in a real browser: a practice sets its own up, changes them by two people, and unlocks photos with a passkey."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from capture.app import make_services
from capture.settings import load_settings
from tests import builders
from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, Photographer
from tests.browser.test_passkeys import give_password, serving, with_authenticator

PASSPHRASE = "gravel tulip wagon ninety biscuit oboe"
MISSING = re.compile("status of 503")  # the page that says that keys are missing


@pytest.fixture(scope="module")
def named(demo: Demo) -> Iterator[Demo]:
    with serving(demo) as running:
        yield running


def add_member(demo: Demo, ods: str, name: str, tmp_path: Path, role: str = "manager") -> dict[str, str]:
    """A member of that practice, with what signs in."""
    secret = tmp_path / "password"
    secret.write_text("correct horse battery")
    email = f"{name.split(maxsplit=1)[0].lower()}@{ods.lower()}.example"
    words = ["member", "add", "--practice", ods, "--email", email, "--name", name, "--role", role]
    made = demo.capture(*words, "--password-file", str(secret))
    return {**made, "email": email, "password": "correct horse battery"}


def practice_with_photos(demo: Demo) -> tuple[str, str]:
    """A practice of its own beside the demo's, with photos that wait: its ODS code, and the bundle's id."""
    services = make_services(load_settings({"CAPTURE_VAR": str(demo.var), "CAPTURE_ORIGIN": demo.origin}))
    try:
        practice = builders.make_practice(services, name="Rowan Surgery")
        asked = builders.make_request(services, practice)
        return practice.ods, builders.make_submitted(services, asked, delivered=False).id
    finally:
        services.close()


def choose_passphrase(page: Page, passphrase: str = PASSPHRASE) -> str:
    """Make a key and lock it: a weak passphrase is refused before a strong one is taken. Gives the words of the key."""
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", name="Choose a passphrase")).to_be_focused()
    words = page.locator("[data-words]").inner_text()
    page.locator("#passphrase").fill("password1234")
    page.get_by_role("button", name="Lock the key").click()
    expect(page.get_by_role("alert").filter(has_text="harder to guess")).to_be_visible()
    page.locator("#passphrase").fill(passphrase)
    expect(page.get_by_text("Very hard to guess.")).to_be_visible()
    page.get_by_role("button", name="Lock the key").click()
    return words


def test_a_practice_sets_up_its_keys(browser: Browser, named: Demo, tmp_path: Path) -> None:
    """SECURITY 34: five steps from no key to asking: made, locked, printed, both tried, live. No private key leaves the page."""
    look, ods = Photographer(browser, "keys"), "K81001"
    named.capture("practice", "add", "--ods", ods, "--name", "Birch Surgery", "--phone", "0191 498 0456")
    manager = add_member(named, ods, "Sam Manager", tmp_path)
    with visit(browser, ignored=MISSING, **DESK) as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
        give_password(page, named, manager)
        page.get_by_role("link", name="Ask for photos").click()
        expect(page.get_by_role("heading", name="cannot ask for photos yet")).to_be_visible()
        look.look(page, "missing")
        page.get_by_role("link", name="Set up the keys").last.click()
        expect(page.get_by_role("button", name="Make the key")).to_be_visible()
        look.look(page, "make")
        made = choose_passphrase(page)
        page.get_by_role("button", name="Make the recovery sheet").click(timeout=20_000)
        expect(page.get_by_role("heading", name="Recovery sheet")).to_be_focused()
        words = page.locator("[data-groups] > li").all_inner_texts()
        look.look(page, "sheet")
        page.emulate_media(media="print")
        look.look(page, "sheet-printed")
        page.emulate_media(media="screen")
        page.get_by_label("The sheet is printed").check()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("button", name="Try the sheet")).to_be_visible()
        expect(page.get_by_text(made, exact=True)).to_be_visible()
        look.look(page, "try")
        page.locator("#passphrase").fill(PASSPHRASE)
        page.get_by_role("button", name="Try the key").click()
        expect(page.get_by_text("Tried. It works.")).to_have_count(1, timeout=20_000)
        page.locator("#sheet").fill(" ".join(words[:-1]))
        page.get_by_role("button", name="Try the sheet").click()
        expect(page.get_by_role("alert").filter(has_text="1 word is missing")).to_be_visible()
        page.locator("#sheet").fill(" ".join(words))
        page.get_by_role("button", name="Try the sheet").click()
        expect(page.get_by_role("button", name="Start asking for photos")).to_be_visible()
        look.look(page, "start")
        page.get_by_role("button", name="Start asking for photos").click()
        expect(page.get_by_role("heading", name="Keys", exact=True)).to_be_visible()
        look.look(page, "live")
        page.get_by_role("link", name="Ask for photos").click()
        expect(page.locator("#label")).to_be_visible()
    told = " ".join(sent)
    assert "AGE-SECRET" not in told.upper()
    assert not re.search(".".join(words), told)
    assert PASSPHRASE not in told


def test_a_press_counts_while_the_line_is_slow(browser: Browser, named: Demo, tmp_path: Path) -> None:
    """The passphrase is asked for once the page can say how hard it is to guess: no press of "Lock the key" is in vain."""
    named.capture("practice", "add", "--ods", "K81002", "--name", "Ash Surgery", "--phone", "0191 498 0457")
    manager = add_member(named, "K81002", "Ali Manager", tmp_path)
    with visit(browser, ignored=MISSING, **DESK) as page:
        give_password(page, named, manager)
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(re.compile("keys-strength"), hold)
        page.goto(f"{named.origin}/staff/keys/set-up")
        page.get_by_role("button", name="Make the key").click()
        expect(page.get_by_text("Making the key")).to_be_visible()
        for _ in range(100):
            if not held:
                page.wait_for_timeout(50)
        assert page.get_by_role("button", name="Lock the key").is_hidden()
        held[0].continue_()
        page.locator("#passphrase").fill("password1234")
        page.get_by_role("button", name="Lock the key").click()
        expect(page.get_by_role("alert").filter(has_text="harder to guess")).to_be_visible()


def replace_key(page: Page, named: Demo, present: str, new: str) -> None:
    """Make a key in place of the practice's own, and try it."""
    page.goto(f"{named.origin}/staff/keys")
    page.get_by_text("Fingerprint, replace").first.click()
    page.get_by_role("link", name="Replace this practice key").click()
    page.get_by_role("button", name="Make the key").click()
    page.locator("#passphrase").fill(new)
    page.locator("#present").fill(present)
    expect(page.get_by_text("Very hard to guess.")).to_be_visible()
    page.get_by_role("button", name="Lock the key").click()
    expect(page.get_by_text("Not tried yet.")).to_be_visible(timeout=20_000)
    page.locator("#passphrase").fill(new)
    page.get_by_role("button", name="Try the key").click()
    expect(page.get_by_role("heading", name="Ask a second person")).to_be_visible(timeout=20_000)


def test_two_people_change_the_key_and_a_passkey_opens(browser: Browser, named: Demo, tmp_path: Path) -> None:
    """SECURITY 35, 37, 38: one makes a key, another confirms; photos sent before open with the new passphrase, then by passkey."""
    look = Photographer(browser, "keys-change")
    ods, sent = practice_with_photos(named)
    first = add_member(named, ods, "Alex Manager", tmp_path)
    second = add_member(named, ods, "Kim Reader", tmp_path, role="reader")
    with visit(browser, **DESK) as page:
        give_password(page, named, first)
        replace_key(page, named, builders.PASSPHRASE, PASSPHRASE)
        look.look(page, "proposed")
    with visit(browser, **DESK) as page:
        with_authenticator(page, hasPrf=True)
        give_password(page, named, second)
        page.get_by_role("link", name="Look at it").click()
        look.look(page, "compare")
        page.get_by_label("I compared the words").check()
        page.get_by_role("button", name="Confirm the change").click()
        expect(page.get_by_text("Confirmed by Kim Reader")).to_be_visible()
        page.goto(f"{named.origin}/staff/account")
        page.get_by_role("link", name="Unlock photos with a passkey").click()
        page.locator("#name").fill("Work laptop")
        page.locator("#passphrase").fill(PASSPHRASE)
        look.look(page, "passkey")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("Added ")).to_be_visible(timeout=20_000)
        look.look(page, "passkey-added")
        page.goto(f"{named.origin}/staff/bundles/{sent}")
        page.get_by_role("button", name="Unlock with a passkey").click()
        expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=20_000)
        page.goto(f"{named.origin}/staff/keys/passkeys")
        page.get_by_role("button", name="Remove the passkey Work laptop").click()
        expect(page.get_by_text("You have none yet.")).to_be_visible()
