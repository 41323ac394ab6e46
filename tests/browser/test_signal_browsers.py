"""A killed tab, another browser, two at once, a slow connection; and what exactly leaves the phone."""

import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from capture.photos.jpeg import walk
from tests.browser.conftest import check_accessible, visit
from tests.browser.signal_steps import (
    Service,
    begin,
    body_of,
    check_bundle,
    cleaned,
    costs,
    photo_of,
    pick,
    see_arrived,
    send_all,
    size_of,
    tell,
    weak_service,
)
from tests.browser.steps import PIXEL, VIEWS

LOST = re.compile("Failed to load resource")
PHOTOS = {view: photo_of(view) for view in VIEWS}
KEPT = """async () => {
    const open = indexedDB.open("capture");
    await new Promise((resolve) => { open.onsuccess = resolve; });
    if (!open.result.objectStoreNames.contains("waiting")) { open.result.close(); return []; }
    const asked = open.result.transaction("waiting").objectStore("waiting").getAll();
    await new Promise((resolve) => { asked.onsuccess = resolve; });
    open.result.close();
    const text = async (part) => new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.split(",")[1]);
        reader.readAsDataURL(new Blob([part]));
    });
    return Promise.all(asked.result.map(async ({ iv, sealed, ...rest }) =>
        [JSON.stringify(rest), await text(iv), await text(sealed)]));
}"""
"""What waits on the phone: what can be read of it, and in base64, which Playwright passes on at once, what is sealed."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with weak_service(tmp_path_factory.mktemp("weak")) as running:
        yield running


def test_a_killed_tab_loses_nothing(browser: Browser, service: Service, tmp_path: Path) -> None:
    """SECURITY 8: killed while photo 2 is on its way; the phone holds it, unreadable, and a new tab goes on where it was."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=LOST) as page:
        begin(browser, page, asked)
        pick(page, "context", PHOTOS["context"], tmp_path)
        see_arrived(page, 1)
        service.line.forget()
        service.line.stall_after(len(PHOTOS["close-up"]) // 2)
        pick(page, "close-up", PHOTOS["close-up"], tmp_path)
        assert service.line.happened.wait(20)
        expect(page.get_by_text("Photo 3 of 3")).to_be_visible()
        context = page.context
        check_sealed(page, PHOTOS["close-up"])
        page.close()
        service.line.mend()
        again = context.new_page()
        again.goto(f"{service.line.origin}/photos")
        see_arrived(again, 2)
        assert again.evaluate(KEPT) == []
        (cost,) = costs(service.line)
        tell(f"tab killed half way: {cost}")
        assert cost.again <= 600_000
        again.get_by_role("link", name="Take the next photo").or_(again.get_by_role("button", name="Take the next photo")).click()
        pick(again, "close-up-scale", PHOTOS["close-up-scale"], tmp_path)
        send_all(again)
    check_bundle(service, asked, PHOTOS)


def check_sealed(page: Page, photo: bytes) -> None:
    """What waits on the phone says nothing: not the view, not a byte of the photo."""
    ((about, iv, sealed),) = page.evaluate(KEPT)
    data, scan = b64decode(sealed), walk(photo).kept[-1]
    assert re.fullmatch(r'\{"id":"[0-9a-f]{32}","request":"[0-9a-f]{32}"\}', about)
    assert len(b64decode(iv)) == 12
    assert len(data) > 0.9 * len(photo)
    for place in range(scan[0], scan[1] - 16, 50_000):
        assert photo[place : place + 16] not in data
    for text in (b"JFIF", b"Exif", b"close-up", b"image/jpeg"):
        assert text not in data
    key = page.locator("#sending").get_attribute("data-key") or ""
    assert len(key) == 43
    held = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.state])")
    assert key not in held


def test_another_browser_goes_on(browser: Browser, service: Service, tmp_path: Path) -> None:
    """From the text app's browser to Safari: what had arrived is there, the rest is taken there, and what the first still
    holds cannot come in any more."""
    asked = service.ask()
    with visit(browser, **PIXEL, ignored=LOST) as first, visit(browser, **PIXEL, ignored=LOST) as second:
        begin(browser, first, asked)
        pick(first, "context", PHOTOS["context"], tmp_path)
        see_arrived(first, 1)
        service.line.stall_after(len(PHOTOS["close-up"]) // 3)
        pick(first, "close-up", PHOTOS["close-up"], tmp_path)
        assert service.line.happened.wait(20)
        first.context.set_offline(True)
        service.line.mend()
        come_back(second, asked.link)
        expect(second.locator("#sending-line")).to_have_text("1 of 3 photos have arrived.")
        second.locator("main .app-views a").nth(1).click()
        for view in VIEWS[1:]:
            pick(second, view, PHOTOS[view], tmp_path)
        see_arrived(second, 3)
        send_all(second)
        first.context.set_offline(False)
        expect(first.locator("#sending-problems")).to_contain_text("Close-up", timeout=30_000)
        check_accessible(first)
    check_bundle(service, asked, PHOTOS)


def come_back(page: Page, link: str) -> None:
    """Open a link again that somebody has agreed with, and confirm."""
    page.goto(link)
    for name, value in {"day": "31", "month": "3", "year": "1980"}.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Your photos")).to_be_visible()


def test_two_browsers_at_once_make_one_bundle(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Two phones with one link, both sending: each view is there once, the later one where both took it."""
    asked = service.ask()
    other = photo_of("close-up-scale")
    with visit(browser, **PIXEL, ignored=LOST) as one, visit(browser, **PIXEL, ignored=LOST) as two:
        begin(browser, one, asked)
        come_back(two, asked.link)
        two.locator("main .app-views a").nth(1).click()
        (tmp_path / "two").mkdir()
        pick(one, "context", PHOTOS["context"], tmp_path)
        pick(two, "close-up", PHOTOS["close-up"], tmp_path / "two")
        pick(one, "close-up", other, tmp_path)
        pick(two, "close-up-scale", PHOTOS["close-up-scale"], tmp_path / "two")
        for page in (one, two):
            expect(page.locator("#sending-bar")).to_be_hidden(timeout=60_000)
        one.goto(f"{service.line.origin}/check")
        see_arrived(one, 3)
        send_all(one)
        two.goto(f"{service.line.origin}/photos")
        expect(two.locator(".app-receipt")).to_be_visible()
    got = service.delivered(asked)
    assert got["context"] == cleaned(PHOTOS["context"])
    assert got["close-up"] in {cleaned(PHOTOS["close-up"]), cleaned(other)}
    assert got["close-up-scale"] == cleaned(PHOTOS["close-up-scale"])
    assert len(got) == 3


def test_what_leaves_the_phone_is_the_picture(browser: Browser, service: Service, tmp_path: Path) -> None:
    """No byte that the browser sends is of the place, the phone or its maker's notes; the picture's are as they were."""
    asked = service.ask()
    photo = PHOTOS["context"]
    with visit(browser, **PIXEL) as page:
        begin(browser, page, asked)
        service.line.forget()
        pick(page, "context", photo, tmp_path)
        see_arrived(page, 1)
        sent, everything = body_of(service.line), service.line.everything
    gps = bytes.fromhex("00000033000000010000001f00000001")  # 51/1, 31/1: the latitude as EXIF writes it
    for hidden in (gps, b"Sample Phone", b"SN-0042", b"maker note", b"A Patient", b"Sample OS"):
        assert hidden in photo
        assert hidden not in everything
    kept = b"".join(photo[at:end] for at, end in walk(photo).kept)
    assert sent.endswith(kept + b"\xff\xd9")
    assert b"2026:11:02 09:41:07" in sent


def test_a_slow_connection_gets_a_smaller_photo(browser: Browser, service: Service, tmp_path: Path) -> None:
    """Slow 3G: the photo is brought to 2,400 pixels on the phone, without its metadata, and arrives in well under a minute."""
    asked = service.ask()
    photo = PHOTOS["context"]
    with visit(browser, **PIXEL) as page:
        begin(browser, page, asked)
        service.line.forget()
        slow: dict[str, Any] = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
        page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
        pick(page, "context", photo, tmp_path)
        see_arrived(page, 1)
        sent = body_of(service.line)
    tell(f"slow 3G: {len(sent):,} bytes for {len(photo):,}")
    assert size_of(sent) == (2400, 1800)
    assert len(sent) < len(photo) / 2
    assert b"Sample Phone" not in sent
    assert b"2026:11:02 09:41:07" in sent
