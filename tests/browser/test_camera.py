"""“Help me frame it”: the live camera with an outline, what it says, and that it lets nothing out and ends when it should."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.camera_steps import SIZE, camera_browser, launched, open_camera, photo_page, scene, see_picture, track_states
from tests.browser.conftest import Demo, check_accessible
from tests.browser.steps import DESK, Photographer


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with a camera that is held still over a sharp scene in good light."""
    with camera_browser(browser, tmp_path_factory.mktemp("camera"), [scene()]) as with_camera:
        yield with_camera


def test_a_photo_is_framed_taken_and_sent(live: Browser, demo: Demo) -> None:
    """The live camera says that all is well, takes a photo at its full size, and only what the patient uses is sent."""
    look = Photographer(live, "camera")
    with photo_page(live, demo) as page:
        sent: list[Request] = []
        page.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - a built-in cannot carry its mark
        dialog = open_camera(page)
        expect(dialog.get_by_text("Looks good. Take the photo.")).to_be_visible()
        expect(dialog.locator("[data-shape=good]")).to_be_visible()
        expect(dialog.locator("img[src*='outlines/ring.svg']")).to_be_visible()
        look.look(page, "framing")
        wish = page.evaluate("wish.video")
        assert wish["facingMode"] == {"ideal": "environment"}
        assert wish["width"]["ideal"] >= 4000
        shutter = dialog.get_by_role("button", name="Take the photo")
        box = shutter.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 64
        shutter.click()
        expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()
        expect(dialog).to_be_hidden()
        assert page.locator("#preview img").evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == list(SIZE)
        assert track_states(page) == ["ended"]
        look.look(page, "taken")
        assert [request.url for request in sent if request.method != "GET"] == []
        page.get_by_role("button", name="Use this photo").click()
        expect(page.get_by_text("Photo 3 of 3")).to_be_visible()
        expect(page.locator("#sending-line")).to_contain_text("1 of 3 photos have arrived")
        assert {request.url.split("/")[2] for request in sent if not request.url.startswith("blob:")} == {demo.origin.split("/")[2]}


def test_a_photo_without_image_capture(live: Browser, demo: Demo) -> None:
    """Where the browser cannot take a photo, as on an iPhone, the live picture is used at its full size."""
    with photo_page(live, demo) as page:
        page.evaluate("delete window.ImageCapture")
        open_camera(page).get_by_role("button", name="Take the photo").click()
        expect(page.locator("#preview img")).to_be_visible()
        assert page.locator("#preview img").evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == list(SIZE)


@pytest.mark.parametrize("fault", ["throw new Error('NotReadableError')", "return new Promise(() => {})"])
def test_a_photo_that_the_camera_does_not_give(live: Browser, demo: Demo, fault: str) -> None:
    """A camera that fails to take a photo, or never answers, does not stop the patient: the live picture is used."""
    with photo_page(live, demo) as page:
        page.evaluate(f"() => {{ ImageCapture.prototype.takePhoto = async () => {{ {fault}; }}; }}")
        open_camera(page).get_by_role("button", name="Take the photo").click()
        expect(page.locator("#preview img")).to_be_visible(timeout=15_000)


def test_keyboard_alone(live: Browser, demo: Demo) -> None:
    """Everything works with keys: the focus stays inside while the camera is open, and comes back when it is closed."""
    with photo_page(live, demo) as page:
        opener = page.get_by_role("button", name="Help me frame it")
        opener.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Close-up")
        expect(dialog.get_by_role("button", name="Take the photo")).to_be_focused()
        see_picture(page)
        met = set()
        for key in ["Tab"] * 5 + ["Shift+Tab"] * 5:
            page.keyboard.press(key)
            assert page.evaluate("document.querySelector('#viewfinder').contains(document.activeElement)")
            met.add(page.evaluate("document.activeElement.textContent.trim().split(/\\s/)[0]"))
        assert met == {"Close", "Off", "Take"}
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()
        assert track_states(page) == ["ended"]
        page.keyboard.press("Enter")
        see_picture(page)
        page.keyboard.press("Space")
        expect(page.get_by_role("heading", name="Is it clear?")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Use this photo")).to_be_focused()


def test_timer_counts_down_aloud(live: Browser, demo: Demo) -> None:
    """The timer counts in large numbers that are read out, can be stopped, and takes the photo at the end."""
    with photo_page(live, demo) as page:
        dialog = open_camera(page)
        dialog.get_by_label("Timer").select_option("3 seconds")
        shutter, count = dialog.get_by_role("button", name="Take the photo"), dialog.get_by_role("timer")
        shutter.click()
        expect(count).to_have_text("3")
        expect(count).to_have_attribute("aria-live", "assertive")
        expect(count).to_have_text("2")
        shutter.click()
        expect(count).to_have_text("")
        page.wait_for_timeout(2_500)
        expect(dialog).to_be_visible()
        shutter.click()
        for number in "321":
            expect(count).to_have_text(number)
        expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()


def test_take_it_again_opens_the_camera_again(live: Browser, demo: Demo) -> None:
    """A photo that was framed here is taken again here."""
    with photo_page(live, demo) as page:
        open_camera(page).get_by_role("button", name="Take the photo").click()
        page.get_by_role("button", name="Take it again").click()
        expect(page.get_by_role("dialog")).to_be_visible()


def test_stream_ends_when_nobody_looks(live: Browser, demo: Demo) -> None:
    """The camera is off as soon as the page is hidden, is closed, or is left, by its script or by the browser."""
    with photo_page(live, demo) as page:
        dialog = open_camera(page)
        page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(dialog).to_be_hidden()
        assert track_states(page) == ["ended"]
        page.evaluate("delete document.hidden")
        open_camera(page)
        page.get_by_role("button", name="Close camera").click()
        assert track_states(page) == ["ended"] * 2
        open_camera(page)
        page.evaluate("document.querySelector('.nhsuk-back-link').click()")
        expect(page.get_by_role("heading", name="Your photos")).to_be_visible()
        assert track_states(page) == ["ended"] * 3
        assert page.evaluate("document.documentElement.className").count("app-camera-open") == 0


def test_camera_that_is_unplugged(live: Browser, demo: Demo) -> None:
    """When the phone takes the camera away, the page is there again."""
    with photo_page(live, demo) as page:
        dialog = open_camera(page)
        page.evaluate("streams[0].getTracks()[0].dispatchEvent(new Event('ended'))")
        expect(dialog).to_be_hidden()


TORCH = """
() => {
  MediaStreamTrack.prototype.getCapabilities = () => ({ torch: true });
  MediaStreamTrack.prototype.applyConstraints = async (wish) => { window.torch = wish.advanced[0].torch; };
}
"""


def test_torch(live: Browser, demo: Demo) -> None:
    """The torch can be switched where there is one, and only there; the button says whether it is on."""
    with photo_page(live, demo) as page:
        expect(open_camera(page).get_by_role("button", name="Torch")).to_be_hidden()
        page.keyboard.press("Escape")
        page.evaluate(TORCH)
        torch = open_camera(page).get_by_role("button", name="Torch")
        for on in (True, False):
            torch.click()
            expect(torch).to_have_attribute("aria-pressed", str(on).lower())
            assert page.evaluate("torch") is on


@pytest.mark.parametrize(
    ("name", "scenes", "words"),
    [
        ("dark", [scene(light=0.2)], "Too dark. Find more light."),
        ("bright", [scene(light=6)], "Too bright. Move out of the sun."),
        ("blurred", [scene(blur=8)], "Not sharp. Move back a little and hold still."),
        ("moving", [scene(shift=120 * step) for step in range(8)], "Hold the phone still."),
    ],
)
def test_light_and_steadiness_are_told(
    browser: Browser, demo: Demo, tmp_path: Path, name: str, scenes: list[Image.Image], words: str
) -> None:
    """What is wrong with the live picture is told in words and by a shape of its own, and the photo can still be taken."""
    with camera_browser(browser, tmp_path, scenes) as live, photo_page(live, demo) as page:
        dialog = open_camera(page)
        expect(dialog.locator(f"[data-shape={name}]")).to_be_visible()
        expect(dialog.locator("[data-shape]:visible")).to_have_count(1)
        said = dialog.get_by_text(words)
        expect(said).to_be_visible()
        expect(said).to_have_attribute("aria-live", "polite")
        check_accessible(page)
        dialog.get_by_role("button", name="Take the photo").click()
        expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()


WATCH = """
() => {
  window.changes = [];
  const words = document.querySelector('#viewfinder [data-words]');
  new MutationObserver(() => changes.push([Date.now(), words.textContent])).observe(words, { childList: true });
}
"""


def test_the_hint_does_not_chatter(browser: Browser, demo: Demo, tmp_path: Path) -> None:
    """In a light that changes all the time the hint changes once in two seconds at most."""
    flicker = [scene(light=0.2)] * 8 + [scene(light=6)] * 8
    with camera_browser(browser, tmp_path, flicker) as live, photo_page(live, demo) as page:
        open_camera(page)
        page.evaluate(WATCH)
        page.wait_for_timeout(9_000)
        changes = page.evaluate("changes")
        assert len(changes) >= 2
        assert {said for _, said in changes} <= {"Too dark. Find more light.", "Too bright. Move out of the sun."} | {changes[0][1]}
        assert all(later[0] - earlier[0] >= 1_950 for earlier, later in pairwise(changes))


def see_fallback(page: Page, sentence: str) -> None:
    opener = page.get_by_role("button", name="Help me frame it")
    opener.click()
    expect(page.locator("#frame-problem")).to_contain_text(sentence)
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(opener).to_be_focused()
    expect(page.get_by_label("Take the photo now")).to_be_enabled()
    check_accessible(page)


def test_camera_refused(browser: Browser, demo: Demo) -> None:
    """Who has refused the camera is told how to allow it, on an iPhone and on Android, and that the phone's own still works."""
    args = ("--use-fake-device-for-media-stream", "--deny-permission-prompts")  # only the whole browser asks for leave
    with launched(browser, *args, whole=True) as refusing, photo_page(refusing, demo) as page:
        see_fallback(page, "This page may not use your camera")
        expect(page.locator("#frame-problem")).to_contain_text("iPhone")
        expect(page.locator("#frame-problem")).to_contain_text("Android")
        Photographer(refusing, "camera-refused").look(page, "refused")


def test_no_camera(browser: Browser, demo: Demo) -> None:
    """On a computer without a camera the page says so and keeps to the file."""
    with launched(browser, "--use-fake-ui-for-media-stream") as bare, photo_page(bare, demo) as page:
        see_fallback(page, "We cannot use a camera here")


def test_not_offered_where_it_cannot_be(live: Browser, demo: Demo) -> None:
    """Where the browser knows no live camera, the page does not speak of it."""
    gone = "Object.defineProperty(Navigator.prototype, 'mediaDevices', { value: undefined })"
    with photo_page(live, demo, script=gone) as page:
        expect(page.get_by_label("Take the photo now")).to_be_attached()
        expect(page.get_by_role("button", name="Help me frame it")).to_be_hidden()


@pytest.mark.parametrize("size", [{"width": 320, "height": 568}, {"width": 780, "height": 360}, DESK["viewport"]], ids=str)
def test_camera_fits(live: Browser, demo: Demo, size: dict[str, int]) -> None:
    """On the smallest phone, on one held sideways and on a desk every control can be seen and hit."""
    look = Photographer(live, f"camera-{size['width']}")
    with photo_page(live, demo) as page:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        dialog = open_camera(page)
        look.look(page, "framing")
        for control in dialog.locator("button:visible, select").all():
            box = control.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size["width"]
            assert box["y"] + box["height"] <= size["height"]
        picture = dialog.locator("video").bounding_box()
        assert picture
        assert picture["height"] >= size["height"] / 3
