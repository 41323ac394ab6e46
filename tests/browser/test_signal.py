"""Whatever the signal: drops, silence, no signal at all, a server that is started anew; no photo is lost or doubled."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import check_accessible, visit
from tests.browser.signal_steps import (
    AROUND,
    CHUNK,
    Service,
    begin,
    check_bundle,
    costs,
    photo_of,
    pick,
    see_arrived,
    send_all,
    tell,
    weak_service,
)
from tests.browser.steps import PIXEL, VIEWS

LOST = "Failed to load resource"  # what Chromium writes to the console when a connection breaks
PHOTOS = {view: photo_of(view) for view in VIEWS}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with weak_service(tmp_path_factory.mktemp("weak")) as running:
        yield running


def test_drops_cost_one_chunk_at_most(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Connections cut at 10, 50 and 90 % of a photo: it goes on where it was, and each drop costs a chunk at most."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=re.compile(LOST)) as page:
        begin(browser, page, asked)
        service.line.forget()
        for count, (share, view) in enumerate(zip((0.1, 0.5, 0.9), VIEWS, strict=True), 1):
            service.line.cut_after(int(share * len(PHOTOS[view])))
            pick(page, view, PHOTOS[view], tmp_path)
            see_arrived(page, count)
            assert service.line.happened.is_set()
        for share, cost in zip((10, 50, 90), costs(service.line), strict=True):
            tell(f"drop at {share} %: {cost}")
            assert 0 < cost.again <= CHUNK + AROUND
        send_all(page)
    check_bundle(service, asked, PHOTOS)


def test_silence_is_told_within_three_seconds(browser: Browser, service: Service, tmp_path: Path) -> None:
    """When no byte moves any more and nobody says so, the page does within 3 s; then it gets through by another connection."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=re.compile(LOST)) as page:
        page.clock.install()
        begin(browser, page, asked)
        service.line.stall_after(len(PHOTOS["context"]) // 2)
        pick(page, "context", PHOTOS["context"], tmp_path)
        assert service.line.happened.wait(20)
        page.clock.pause_at(page.evaluate("Date.now() / 1000 + 0.5"))
        page.wait_for_timeout(1_000)  # what the phone had given away before arrives still; by the page's clock no time goes by
        page.clock.run_for(3_000)
        expect(page.locator("#sending-line")).to_contain_text("Waiting for signal")
        page.clock.resume()
        service.line.mend()
        see_arrived(page, 1, seconds=40)


def test_without_signal_the_patient_goes_on(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Offline for a minute in the middle of a photo: the next ones are taken meanwhile; all arrive when the signal is back."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=re.compile(LOST)) as page:
        begin(browser, page, asked)
        service.line.forget()
        service.line.cut_after(len(PHOTOS["context"]) // 2)
        pick(page, "context", PHOTOS["context"], tmp_path)
        assert service.line.happened.wait(20)
        expect(page.get_by_text("Photo 2 of 3")).to_be_visible()
        page.wait_for_timeout(3_500)  # reading how to take it
        page.context.set_offline(True)
        gone = time.monotonic()
        pick(page, "close-up", PHOTOS["close-up"], tmp_path)
        expect(page.get_by_text("Photo 3 of 3")).to_be_visible()
        expect(page.locator("#sending-line")).to_contain_text("Waiting for signal")
        check_accessible(page)
        page.wait_for_timeout(max(0, 60_000 - 1000 * (time.monotonic() - gone)))
        page.context.set_offline(False)
        pick(page, "close-up-scale", PHOTOS["close-up-scale"], tmp_path)
        send_all(page)
        for cost in costs(service.line):
            tell(f"offline for a minute: {cost}")
            assert cost.again <= 2 * (CHUNK + AROUND)
    check_bundle(service, asked, PHOTOS)


def test_a_server_that_starts_anew_gets_that_photo_again(browser: Browser, service: Service, tmp_path: Path) -> None:
    """What had come in part was in the server's memory only: the one photo is sent again, those that had arrived are not."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=re.compile(LOST)) as page:
        begin(browser, page, asked)
        pick(page, "context", PHOTOS["context"], tmp_path)
        see_arrived(page, 1)
        service.line.forget()
        service.line.stall_after(len(PHOTOS["close-up"]) // 2)
        pick(page, "close-up", PHOTOS["close-up"], tmp_path)
        assert service.line.happened.wait(20)
        service.stop()
        service.line.mend()
        service.line.cut()
        service.start()
        see_arrived(page, 2)
        pick(page, "close-up-scale", PHOTOS["close-up-scale"], tmp_path)
        send_all(page)
        again, once = costs(service.line)
        tell(f"started anew: {again}")
        assert again.again < again.ideal
        assert once.again == 0
    check_bundle(service, asked, PHOTOS)
