"""A manager lets another system in, sees its token once, and shuts it out again; and looks at webhooks."""

import re
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Demo, visit
from tests.browser.steps import DESK, PIXEL, Photographer

REFUSED = re.compile("status of 422")


def status(demo: Demo, token: str) -> int:
    """What the API answers to that token."""
    try:
        with urlopen(Request(f"{demo.origin}/api/v1/requests", headers={"Authorization": f"Bearer {token}"})) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_token_from_making_to_revoking(browser: Browser, demo: Demo, staff: Any, script: bool) -> None:
    """From "Practice" to a token that works, copied, and revoked; a mistake is told at its field. With and without script."""
    look = Photographer(browser, "tokens" if script else "tokens-no-script", script=script)
    size = DESK if script else {"viewport": PIXEL["viewport"]}
    name = f"Record system {'one' if script else 'two'}"
    hook = f"https://hooks.example.invalid/{'one' if script else 'two'}"
    with visit(browser, **size, storage_state=staff, java_script_enabled=script, ignored=REFUSED) as page:
        page.goto(f"{demo.origin}/staff/")
        page.get_by_role("link", name="Practice").click()
        page.get_by_role("link", name="Tokens").click()
        look.look(page, "none")
        page.get_by_role("button", name="Make the token").click()
        expect(page.get_by_role("link", name="Enter which system the token is for")).to_be_visible()
        look.look(page, "mistakes")
        page.get_by_label("Which system is it for?").fill(name)
        page.get_by_label("List requests, with their labels and references").check()
        page.get_by_label("3 months").check()
        page.get_by_role("button", name="Make the token").click()
        token = page.get_by_label("Token", exact=True).input_value()
        look.look(page, "made")
        assert status(demo, token) == 200
        if script:
            page.get_by_role("button", name="Copy the token").click()
            expect(page.get_by_role("status")).to_have_text(re.compile("Copied|Ctrl"))
        page.get_by_role("link", name="Back to the tokens").click()
        look.look(page, "listed")
        assert token not in page.content()
        page.get_by_role("button", name=f"Revoke the token {name}").click()
        expect(page.get_by_role("listitem").filter(has_text=name).get_by_text("Revoked")).to_be_visible()
        assert status(demo, token) == 401
        demo.capture("practice", "webhook", "add", "--ods", "A81001", "--url", hook)
        page.get_by_role("link", name="Webhooks").click()
        page.get_by_role("button", name=f"Send a test to {hook}").click()
        expect(page.get_by_role("listitem").filter(has_text="webhook.test").first).to_be_visible()
        look.look(page, "webhooks")
