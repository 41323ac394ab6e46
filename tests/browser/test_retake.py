"""A photo that is not good enough, on a phone with script: told at once, offered again, used anyway, and the practice is told."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, Route, expect

from capture.photos.sample import sample_photo
from capture.sealing.age import open_sealed
from capture.store.photos import bundle_of_request
from tests.browser.conftest import visit
from tests.browser.signal_steps import Service, begin, send_all, weak_service
from tests.browser.steps import PIXEL, Photographer
from tests.builders import ARequest

BLURRED = "The photo looks blurred."
LOST = re.compile("Failed to load resource")
SLOW = """() => {
    const read = Blob.prototype.arrayBuffer;
    Blob.prototype.arrayBuffer = async function () {
        Blob.prototype.arrayBuffer = read;
        await new Promise((resolve) => { globalThis.release = resolve; });
        return read.call(this);
    };
}"""
"""The phone takes its time over the first photo, until `release`."""


SLOW_TO_READ = """
    const decrypt = SubtleCrypto.prototype.decrypt;
    SubtleCrypto.prototype.decrypt = async function (...given) {
        await new Promise((resolve) => { globalThis.release = resolve; });
        return decrypt.apply(this, given);
    };
"""
"""The phone takes its time over what waited on it, until `release`."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with weak_service(tmp_path_factory.mktemp("retake")) as running:
        yield running


def pick(page: Page, folder: Path, *, blur: float = 0, light: float = 1, size: tuple[int, int] = (1600, 1200)) -> None:
    """Choose a photo that is blurred by so many pixels, its levels multiplied by `light`."""
    drawn = Image.open(io.BytesIO(sample_photo("context", size=size))).filter(ImageFilter.GaussianBlur(blur))
    path = folder / f"{blur}-{light}-{size[0]}.jpg"
    drawn.point(lambda level: int(min(255, level * light))).save(path, quality=92)
    page.locator("#photo").set_input_files(path)


def hold(page: Page, address: str) -> list[Route]:
    """What the page asks for at addresses like that, which waits until it is continued."""
    held: list[Route] = []

    def take(route: Route) -> None:
        held.append(route)

    page.route(re.compile(address), take)
    return held


def finish(service: Service, page: Page) -> None:
    """Once nothing is on its way any more, send what there is."""
    expect(page.locator("#sending-bar")).to_be_hidden()
    page.goto(f"{service.line.origin}/check")
    send_all(page)


def sealed(service: Service, asked: ARequest) -> list[dict[str, object]]:
    """What the practice reads of each photo."""
    with service.data() as services, services.database.read() as db:
        bundle = bundle_of_request(db, asked.id)
        assert bundle
        photos: list[dict[str, object]] = json.loads(open_sealed(bundle.request_part, [asked.practice.identity]))["photos"]
    return photos


def test_a_blurred_photo_is_used_anyway(browser: Browser, service: Service, tmp_path: Path) -> None:
    """The hint comes from the phone itself; after one retake the photo can be used anyway, and that travels sealed."""
    asked, look = service.ask(), Photographer(browser, "retake")
    with visit(browser, **PIXEL) as page:
        begin(browser, page, asked)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        pick(page, tmp_path, blur=8)
        expect(page.get_by_role("heading", name="Is it clear?")).to_be_focused()
        expect(page.locator("#hints")).to_contain_text(BLURRED)
        expect(page.get_by_role("button", name="Use")).to_have_count(0)
        expect(page.get_by_text("We keep this photo until you take a new one.")).to_be_visible()
        look.look(page, "first")
        expect(page.locator("#sending-line")).to_contain_text("1 of 3 photos have arrived")
        assert "PATCH" in sent
        with page.expect_file_chooser():
            page.get_by_role("button", name="Take it again").click()
        pick(page, tmp_path, blur=9)
        again, anyway = (page.get_by_role("button", name=name) for name in ("Take it again", "Use it anyway"))
        expect(page.locator("#hints")).to_contain_text(BLURRED)
        expect(anyway).to_have_class("nhsuk-button nhsuk-button--secondary")
        expect(again).to_have_class("nhsuk-button")
        look.look(page, "second")
        anyway.click()
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        expect(page.locator("#sending-problems")).to_be_empty()
        finish(service, page)
    (photo,) = sealed(service, asked)
    assert (photo["view"], photo["hints"], photo["sent_anyway"]) == ("context", ["blurred"], True)


def test_the_first_photo_is_kept_whatever_happens(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Who is told that a photo is blurred and simply goes on has sent it nevertheless, and the practice learns of the hint."""
    asked = service.ask()
    with visit(browser, **PIXEL) as page:
        begin(browser, page, asked)
        pick(page, tmp_path, blur=8)
        expect(page.locator("#hints")).to_contain_text(BLURRED)
        page.get_by_role("link", name="Your photos").click()
        expect(page.locator("[data-view=context][data-state=arrived]")).to_be_visible()
        finish(service, page)
    (photo,) = sealed(service, asked)
    assert (photo["hints"], photo["sent_anyway"]) == (["blurred"], False)


def test_a_better_photo_takes_its_place(browser: Browser, service: Service, tmp_path: Path) -> None:
    """After a retake that is good nothing is said of the first one, and it is the good one that goes."""
    asked, dropped = service.ask(), re.compile("status of 409")  # the first, if it arrives just then, cannot be called off
    with visit(browser, **PIXEL, ignored=dropped) as page:
        begin(browser, page, asked)
        pick(page, tmp_path, light=0.15)
        expect(page.locator("#hints")).to_contain_text("The photo looks dark.")
        with page.expect_file_chooser():
            page.get_by_role("button", name="Take it again").click()
        pick(page, tmp_path)
        expect(page.locator("#hints")).to_be_empty()
        page.get_by_role("button", name="Use this photo").click()
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        finish(service, page)
    (photo,) = sealed(service, asked)
    assert (photo["hints"], photo["sent_anyway"], photo["width"]) == ([], False, 1600)


def test_who_takes_it_again_without_signal_stays(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Used without signal, and taken again before the next page could come: the page stays while the newer photo is taken."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=LOST) as page:
        begin(browser, page, asked)
        page.context.set_offline(True)
        pick(page, tmp_path)
        page.get_by_role("button", name="Use this photo").click()
        expect(page.locator("#sending-line")).to_contain_text("Waiting for signal")
        with page.expect_file_chooser():
            page.get_by_role("button", name="Take it again").click()
        page.context.set_offline(False)
        expect(page.locator("#sending-line")).to_have_text("1 of 3 photos have arrived.")
        pick(page, tmp_path, size=(1280, 960))
        page.get_by_role("button", name="Use this photo").click()
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        finish(service, page)
    (photo,) = sealed(service, asked)
    assert photo["width"] == 1280


def test_the_newer_photo_goes_on_a_slow_phone_too(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Taken again while the phone is busy with the first one: the page does not leave for that one, and the newer one counts."""
    asked, dropped = service.ask(), re.compile("status of 40[49]")  # 404: the first was called off before the server heard of it
    with visit(browser, **PIXEL, ignored=dropped) as page:
        begin(browser, page, asked)
        page.evaluate(SLOW)
        pick(page, tmp_path)
        page.get_by_role("button", name="Use this photo").click()
        with page.expect_file_chooser():
            page.get_by_role("button", name="Take it again").click()
        pick(page, tmp_path, size=(1280, 960))
        page.get_by_role("button", name="Use this photo").click()
        page.evaluate("release()")
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        finish(service, page)
    (photo,) = sealed(service, asked)
    assert photo["width"] == 1280


def test_who_goes_elsewhere_on_a_slow_phone_gets_there(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Used, and another page asked for while the phone is busy with the photo: that page comes, and not the next photo's."""
    asked = service.ask()
    with visit(browser, **PIXEL) as page:
        begin(browser, page, asked)
        page.evaluate(SLOW)
        pick(page, tmp_path)
        page.get_by_role("button", name="Use this photo").click()
        held = hold(page, "/photos$")
        with page.expect_request(re.compile("/photos$")):
            page.get_by_role("link", name="Your photos").click()
        page.evaluate("release()")
        expect(page.locator("#sending-line")).to_have_text("1 of 3 photos have arrived.")
        held[0].continue_()
        expect(page.get_by_role("heading", name="Your photos")).to_be_visible()
        expect(page.locator("[data-view=context][data-state=arrived]")).to_be_visible()


def test_who_goes_elsewhere_after_a_reload_gets_there(browser: Browser, service: Service, tmp_path: Path) -> None:
    """A photo waits on the phone, which takes its time to read it: the page asked for meanwhile comes, and not the list anew."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=LOST) as page:
        begin(browser, page, asked)
        page.route(re.compile("/uploads"), lambda route: route.abort())
        pick(page, tmp_path)
        page.get_by_role("button", name="Use this photo").click()
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        page.add_init_script(SLOW_TO_READ)
        page.goto(f"{service.line.origin}/photos")
        page.wait_for_function("() => Boolean(globalThis.release)")
        held = hold(page, "/photos/close-up$")
        with page.expect_request(re.compile("/photos/close-up$")):
            page.locator("[data-view=close-up] a").click()
        page.evaluate("release()")
        expect(page.locator("[data-view=context]")).to_have_attribute("data-state", re.compile("waiting|sending"))
        held[0].continue_()
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()


def test_a_file_that_is_no_photo_is_told_at_once(browser: Browser, service: Service, tmp_path: Path) -> None:
    """An empty file and a letter are told at the field, without asking the server."""
    asked = service.ask()
    with visit(browser, **PIXEL) as page:
        begin(browser, page, asked)
        for name, data, sentence in (("empty.jpg", b"", "This photo is empty"), ("letter.txt", b"Dear", "This is not a photo")):
            (tmp_path / name).write_bytes(data)
            page.locator("#photo").set_input_files(tmp_path / name)
            expect(page.locator(".nhsuk-error-summary")).to_be_focused()
            expect(page.locator("#photo-error")).to_contain_text(sentence)
            assert page.title().startswith("Error: ")
        pick(page, tmp_path)
        expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()
        assert not page.title().startswith("Error: ")
