"""The opening page in Chromium: files that fit, a gallery, and nothing that waits for anything."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo, visit
from tests.browser.opening import drawn, noisy, open_bundle, send_bundle
from tests.browser.steps import DESK
from tests.photos.test_pdf import taken_out, texts

VISION = 745_000


@pytest.fixture(scope="module")
def mixed(demo: Demo) -> str:
    """A bundle of five photos: two that fit every system, three that are large, one of these above 5 MB."""
    return send_bundle(demo, [drawn(), noisy((2400, 1700)), drawn("context"), noisy((1400, 1000)), noisy((1000, 1300))])


def save_all(page: Page, folder: Path, count: int) -> list[Path]:
    """Press the one button, and take the files that come."""
    downloads: list[Any] = []
    page.on("download", lambda download: downloads.append(download))  # noqa: PLW0108 - a built-in cannot be marked
    page.get_by_role("button", name="Save for the referral").click()
    expect(page.locator(".app-bar__note")).to_contain_text(f"Saved {count} photo", timeout=60_000)
    assert len(downloads) == count
    paths = []
    for download in downloads:
        paths.append(folder / download.suggested_filename)
        download.save_as(paths[-1])
    return paths


@pytest.mark.parametrize(("preset", "under"), [("ers-5mb", 5_242_880), ("web-100mb", 100_000_000)])
def test_one_press_saves_what_fits(
    browser: Browser, demo: Demo, staff: Any, mixed: str, tmp_path: Path, preset: str, under: int
) -> None:
    """Every file is smaller than the system takes, such as 5,242,880 bytes; what fits already is saved byte for byte."""
    with visit(browser, **DESK, accept_downloads=True, storage_state=staff) as page:
        open_bundle(page, demo, mixed)
        page.get_by_label("Files for").select_option(preset)
        paths = save_all(page, tmp_path, 5)
        originals = [as_sent(page, number) for number in range(1, 6)]
        note = page.locator(".app-bar__note").inner_text()
    assert len(originals[1]) > 5_242_880
    for number, (path, original) in enumerate(zip(paths, originals, strict=True), 1):
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d_left-[a-z-]+_[a-z0-9-]+_{number}of5\.jpg", path.name)
        assert path.stat().st_size < under
        assert (path.read_bytes() == original) == (len(original) < under)
    assert paths[1].stat().st_size > 0.7 * 5_242_880
    assert ("1 made smaller to fit" in note) == (under < len(originals[1]))


def as_sent(page: Page, number: int) -> bytes:
    """The file behind a photo's own link."""
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Save photo {number} as it was sent").click()
    return Path(download.value.path()).read_bytes()


def test_a_system_that_takes_four(browser: Browser, demo: Demo, staff: Any, mixed: str, tmp_path: Path) -> None:
    """For Vision the first four are ticked, a fifth is refused with the reason, and each of four files is under 745,000 bytes."""
    with visit(browser, **DESK, accept_downloads=True, storage_state=staff) as page:
        open_bundle(page, demo, mixed)
        page.get_by_label("Files for").select_option("vision-745kb")
        note = page.locator(".app-bar__note")
        expect(note).to_contain_text("Vision takes 4 photos at most. The first 4 are ticked")
        page.get_by_label("Photo 5 goes with the referral").check()
        page.get_by_role("button", name="Save for the referral").click()
        expect(note).to_contain_text("5 are ticked")
        page.get_by_label("Photo 1 goes with the referral").uncheck()
        paths = save_all(page, tmp_path, 4)
    assert [path.stem[-4:] for path in paths] == ["2of5", "3of5", "4of5", "5of5"]
    for path in paths:
        assert path.stat().st_size < VISION
        with Image.open(path) as picture:
            assert picture.format == "JPEG"
            assert not picture.getexif()


def test_no_photo_ticked(browser: Browser, demo: Demo, staff: Any, mixed: str) -> None:
    """With nothing ticked the button says so, and saves nothing."""
    with visit(browser, **DESK, storage_state=staff) as page:
        open_bundle(page, demo, mixed)
        for tick in page.get_by_role("checkbox").all():
            tick.uncheck()
        page.get_by_role("button", name="Save for the referral").click()
        expect(page.locator(".app-bar__note")).to_contain_text("No photo is ticked")


def test_a_folder_of_ones_own(browser: Browser, demo: Demo, staff: Any, mixed: str) -> None:
    """Where the browser can write to a folder it does, leaves a file that is there already, and never writes over another."""
    with visit(browser, **DESK, storage_state=staff) as page:
        page.add_init_script("window.showDirectoryPicker = () => navigator.storage.getDirectory()")
        open_bundle(page, demo, mixed)
        for number in (2, 4, 5):
            page.get_by_label(f"Photo {number} goes with the referral").uncheck()
        for _ in range(2):
            page.get_by_role("button", name="Save in a folder").click()
            expect(page.locator(".app-bar__note")).to_contain_text("Saved 2 photos in the folder")
        names = page.evaluate(LIST_FOLDER)
        assert [name[-8:] for name in names] == ["1of5.jpg", "3of5.jpg"]
        page.evaluate(SPOIL, names[0])
        page.locator(".app-bar__note").evaluate("note => { note.textContent = '' }")
        page.get_by_role("button", name="Save in a folder").click()
        expect(page.locator(".app-bar__note")).to_contain_text("Saved 2 photos")
        assert page.evaluate(READ, names[0]) == "not a photo"


def test_one_file(browser: Browser, demo: Demo, staff: Any, mixed: str, tmp_path: Path) -> None:
    """One PDF, or one FHIR file, holds the ticked photos bit for bit as they were sent; a PDF that is too large is told."""
    with visit(browser, **DESK, accept_downloads=True, storage_state=staff) as page:
        open_bundle(page, demo, mixed)
        for number in (2, 4, 5):
            page.get_by_label(f"Photo {number} goes with the referral").uncheck()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as one PDF").click()
        assert download.value.suggested_filename.endswith("_left-forearm-back_2-photos.pdf")
        pdf = Path(download.value.path()).read_bytes()
        assert taken_out(pdf, tmp_path) == [as_sent(page, 1), as_sent(page, 3)]
        assert "Note from the patient: It itches at night." in texts(pdf)
        page.get_by_label("Photo 2 goes with the referral").check()
        page.get_by_role("button", name="Save as one PDF").click()
        expect(page.locator(".app-bar__note")).to_contain_text("more than NHS e-Referral Service takes")
        page.get_by_label("Photo 2 goes with the referral").uncheck()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as FHIR").click()
        assert download.value.suggested_filename.endswith("_left-forearm-back_2-photos.fhir.json")
        entries = json.loads(Path(download.value.path()).read_bytes())["entry"]
        pictures = [base64.b64decode(entry["resource"]["data"]) for entry in entries[1::2]]
        assert pictures == [as_sent(page, 1), as_sent(page, 3)]
        expect(page.locator(".app-bar__note")).to_contain_text("Saved one FHIR file")


def test_a_copy_of_one_photo(browser: Browser, demo: Demo, staff: Any, mixed: str) -> None:
    """The clipboard gets the photo's own pixels as a PNG."""
    with visit(browser, **DESK, storage_state=staff, permissions=["clipboard-read", "clipboard-write"]) as page:
        open_bundle(page, demo, mixed)
        page.get_by_role("button", name="Copy photo 1").click()
        expect(page.locator(".app-bar__note")).to_contain_text("Photo 1 is copied")
        assert page.evaluate(CLIPBOARD) == [1200, 900]


CLIPBOARD = """async () => {
  const [item] = await navigator.clipboard.read();
  const picture = await createImageBitmap(await item.getType("image/png"));
  return [picture.width, picture.height];
}"""
LIST_FOLDER = """async () => {
  const names = [];
  for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
  return names.sort((a, b) => a.slice(-9).localeCompare(b.slice(-9)));
}"""
SPOIL = """async (name) => {
  const target = await (await (await navigator.storage.getDirectory()).getFileHandle(name)).createWritable();
  await target.write("not a photo");
  await target.close();
}"""
READ = """async (name) => (await (await (await navigator.storage.getDirectory()).getFileHandle(name)).getFile()).text()"""
