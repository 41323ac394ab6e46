"""What the page does with each kind of answer, and where the browser lets it keep nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Demo, check_accessible, visit
from tests.browser.signal_steps import Hurried, pick, see_arrived
from tests.browser.steps import PIXEL, come_in
from tests.browser.weight import new_link
from tests.builders import photo_bytes

UPLOADS = re.compile("/uploads")
LOST = re.compile("Failed to load resource|Blocked attempt to show a 'beforeunload'")
SENTENCE = "This photo is damaged. Take it again."
PHOTO = photo_bytes("context")
COUNT = """async () => {
    const open = indexedDB.open("capture");
    await new Promise((resolve) => { open.onsuccess = resolve; });
    const asked = open.result.transaction("waiting").objectStore("waiting").count();
    await new Promise((resolve) => { asked.onsuccess = resolve; });
    open.result.close();
    return asked.result;
}"""


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """On the page of the first photo."""
    with visit(browser, **PIXEL, ignored=LOST) as opened:
        come_in(opened, new_link(demo), Hurried(browser, ""))
        opened.locator("main .app-views a").first.click()
        yield opened


def once(page: Page, method: str, **answer: object) -> list[str]:
    """The first request of that method is answered so; the others go to the server. Gives what was asked, as it comes."""
    asked: list[str] = []

    def handle(route: Route) -> None:
        asked.append(route.request.method)
        if asked.count(method) == 1 and route.request.method == method:
            route.fulfill(**answer)  # type: ignore[arg-type]
        else:
            route.fallback()

    page.route(UPLOADS, handle)
    return asked


class Gate:
    """Holds every piece of a photo back until it is opened."""

    def __init__(self, page: Page) -> None:
        self.held: list[Route] = []
        self.is_open = False
        page.route(UPLOADS, self._handle)

    def open(self) -> None:
        self.is_open = True
        for route in self.held:
            route.continue_()

    def _handle(self, route: Route) -> None:
        if route.request.method == "PATCH" and not self.is_open:
            self.held.append(route)
        else:
            route.fallback()


def error(code: str, sentence: str) -> str:
    return f'{{"error": {{"code": "{code}", "sentence": "{sentence}"}}}}'


def test_retry_after_is_kept_to(page: Page, tmp_path: Path) -> None:
    """A server that is full says when to come again: not before that, and the patient is told that it takes longer."""
    asked = once(page, "POST", status=503, headers={"Retry-After": "4"}, body=error("unavailable", "Full."))
    pick(page, "context", PHOTO, tmp_path)
    line = page.locator("#sending-line")
    expect(line).to_contain_text("taking longer than usual")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(2_500)
    assert asked == ["POST"]
    see_arrived(page, 1)


def test_a_forgotten_photo_is_begun_anew(page: Page, tmp_path: Path) -> None:
    """404: the server has forgotten what had come in; the page creates the photo again and sends all of it."""
    asked = once(page, "PATCH", status=404, body=error("not-found", "Gone."))
    pick(page, "context", PHOTO, tmp_path)
    see_arrived(page, 1)
    assert asked == ["POST", "PATCH", "POST", "PATCH", "GET"]


def test_the_servers_offset_is_taken(page: Page, tmp_path: Path) -> None:
    """409: the server is elsewhere than the page believes, further on or further back; it goes on from there."""
    asked = once(page, "PATCH", status=409, headers={"Upload-Offset": "5000"}, body=error("wrong-offset", "Not there."))
    pick(page, "context", PHOTO, tmp_path)
    see_arrived(page, 1)
    assert asked == ["POST", "PATCH", "PATCH", "PATCH", "GET"]  # from 0, from 5000 (the real server: 409, 0), from 0


def test_a_lost_answer_doubles_nothing(page: Page, tmp_path: Path) -> None:
    """SECURITY 12: the last answer is lost on the way; the page asks how far the server is, and sends nothing a second time."""
    asked: list[str] = []

    def lose(route: Route) -> None:
        asked.append(route.request.method)
        if asked.count("PATCH") == 1 and route.request.method == "PATCH":
            route.fetch()
            route.abort()
        else:
            route.fallback()

    page.route(UPLOADS, lose)
    pick(page, "context", PHOTO, tmp_path)
    see_arrived(page, 1)
    assert asked == ["POST", "PATCH", "HEAD", "GET"]


def test_a_refusal_is_told_with_its_reason(page: Page, tmp_path: Path) -> None:
    """A photo that the server refuses is named on whatever page the patient is, with the sentence and a link to take it again."""
    once(page, "PATCH", status=422, body=error("damaged", SENTENCE))
    pick(page, "context", PHOTO, tmp_path)
    problem = page.locator("#sending-problems")
    expect(problem).to_have_text(f"From further away {SENTENCE}")
    expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
    check_accessible(page)
    problem.get_by_role("link").click()
    pick(page, "context", PHOTO, tmp_path)
    see_arrived(page, 1)
    expect(problem).to_be_hidden()


def test_a_file_that_is_no_photo_is_refused(page: Page, tmp_path: Path) -> None:
    """A letter that is named like a photo can neither be stripped nor drawn here: it goes as it is, and the server says no."""
    pick(page, "context", b"Dear doctor, this is no photo.", tmp_path)
    expect(page.locator("#sending-problems")).to_contain_text("This file is not a photo. Choose a photo")


def test_a_quota_is_not_tried_again(page: Page, tmp_path: Path) -> None:
    """429 without a time to wait is final: it is told, and nothing more is sent."""
    asked = once(page, "POST", status=429, body=error("too-many", "You have sent as many photos as this link can take."))
    pick(page, "context", PHOTO, tmp_path)
    expect(page.locator("#sending-problems")).to_contain_text("as many photos as this link can take")
    page.wait_for_timeout(1_500)
    assert asked == ["POST"]


def test_pressing_send_waits_for_the_photos(page: Page, tmp_path: Path) -> None:
    """Pressed while a photo is on its way, the button says so and sends everything once it has arrived."""
    gate = Gate(page)
    pick(page, "context", PHOTO, tmp_path)
    expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
    page.get_by_role("link", name="Your photos").click()
    row = page.locator("main [data-view=context]")
    expect(row).to_have_attribute("data-state", re.compile("sending|waiting"))
    check_accessible(page)
    page.get_by_role("link", name="Check and send").click()
    page.get_by_role("button", name="Send to my practice").click()
    expect(page.get_by_text("Your photos are still being sent")).to_be_visible()
    check_accessible(page)
    gate.open()
    expect(page.locator(".app-receipt")).to_be_visible(timeout=30_000)


def test_what_was_typed_and_pressed_outlives_a_refresh(page: Page, demo: Demo, tmp_path: Path) -> None:
    """The check page is drawn anew when photos wait on the phone; the note and the press on the button are not lost by it."""
    pick(page, "context", PHOTO, tmp_path)
    see_arrived(page, 1)
    gate = Gate(page)
    pick(page, "close-up", photo_bytes("close-up"), tmp_path)
    expect(page.get_by_text("Photo 3 of 3")).to_be_visible()
    refreshes: list[Route] = []
    page.route("**/check", lambda route: refreshes.append(route) if route.request.resource_type == "fetch" else route.continue_())
    with page.expect_request(lambda asked: asked.resource_type == "fetch" and asked.url.endswith("/check")):
        page.goto(f"{demo.origin}/check")
    page.locator("#note").fill("It itches at night.")
    page.get_by_role("button", name="Send to my practice").click()
    expect(page.get_by_text("Your photos are still being sent")).to_be_visible()
    page.unroute("**/check")
    for route in refreshes:
        route.continue_()
    with page.expect_request(lambda asked: asked.method == "POST" and asked.url.endswith("/check"), timeout=30_000) as sent:
        gate.open()
    assert "note=It+itches+at+night." in (sent.value.post_data or "")
    expect(page.locator(".app-receipt")).to_be_visible(timeout=30_000)


def test_where_nothing_can_be_kept_leaving_is_warned_of(browser: Browser, demo: Demo, tmp_path: Path) -> None:
    """Without IndexedDB a photo waits in the page alone: closing the page asks first, until the photo has arrived."""
    with visit(browser, **PIXEL, ignored=LOST) as page:
        page.add_init_script("Object.defineProperty(globalThis, 'indexedDB', { value: undefined })")
        come_in(page, new_link(demo), Hurried(browser, ""))
        page.locator("main .app-views a").first.click()
        gate = Gate(page)
        pick(page, "context", PHOTO, tmp_path)
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        assert leaving_asks(page)
        gate.open()
        see_arrived(page, 1)
        assert not leaving_asks(page)


def test_where_it_is_kept_leaving_is_free(page: Page, tmp_path: Path) -> None:
    """A photo that the phone holds goes on later, so nobody is asked."""
    Gate(page)
    pick(page, "context", PHOTO, tmp_path)
    expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
    assert not leaving_asks(page)


def leaving_asks(page: Page) -> bool:
    """Whether the page would ask before it is left."""
    return bool(page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))"))


def test_another_patients_photo_does_not_stay(page: Page, demo: Demo, browser: Browser, tmp_path: Path) -> None:
    """On a shared phone the next patient's pages delete what waited for the one before, which they could not read anyway."""
    Gate(page)
    pick(page, "context", PHOTO, tmp_path)
    expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
    assert page.evaluate(COUNT) == 1
    come_in(page, new_link(demo), Hurried(browser, ""))
    expect(page.get_by_role("heading", name="Your photos")).to_be_visible()
    page.wait_for_function(f"async () => await ({COUNT})() === 0")
    expect(page.locator("#sending")).to_be_hidden()


def test_nothing_waits_once_all_was_sent(page: Page, tmp_path: Path) -> None:
    """Where another phone sent the photos meanwhile, the receipt's page deletes what this one still held."""
    pick(page, "context", PHOTO, tmp_path)
    see_arrived(page, 1)
    Gate(page)
    pick(page, "close-up", PHOTO, tmp_path)
    expect(page.get_by_text("Photo 3 of 3")).to_be_visible()
    assert page.evaluate(COUNT) == 1
    page.evaluate(
        """async () => {
            const { csrf, request } = document.querySelector("#sending").dataset;
            await fetch("/check", { method: "POST", body: new URLSearchParams({ csrf_token: csrf, request, note: "" }) });
        }"""
    )
    page.goto(page.url)
    expect(page.locator(".app-receipt")).to_be_visible()
    page.wait_for_function(f"async () => await ({COUNT})() === 0")


def test_a_file_that_is_gone_is_told(page: Page, tmp_path: Path) -> None:
    """Some phones throw the camera's file away early: the patient is told to take that photo again, and nothing hangs."""
    path = tmp_path / "gone.jpg"
    path.write_bytes(PHOTO)
    page.locator("#photo").set_input_files(path)
    expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()
    path.unlink()
    page.get_by_role("button", name="Use this photo").click()
    expect(page.locator("#sending-problems")).to_contain_text("From further away This photo was not saved. Take it again.")
    expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
