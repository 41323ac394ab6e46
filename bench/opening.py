"""Opening twenty photos of 5 MB in the browser: how long the page makes a person wait, and how fast it is beside its own library.

The longest gap between two frames that Chromium draws, from the press of the button to the photos, is given as a ratio to 100 ms,
under which people take an answer for instant. The rate is that from the first photo to the last, fetched from a demo on this
machine, compared with two hashes and opened; the peer is age-encryption of npm alone, in Node, on the same sealed bytes in memory.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from capture.sealing.age import seal  # noqa: E402
from capture.sealing.keys import Identity  # noqa: E402
from tests import needs  # noqa: E402
from tests.browser.conftest import ARGS, Demo, running_demo, visit  # noqa: E402
from tests.browser.opening import noisy, send_bundle  # noqa: E402
from tests.browser.steps import DESK, Photographer, sign_in, unlock  # noqa: E402

PHOTOS, INSTANT, RUNS = 20, 100, 3
WATCH = """() => {
  const watched = window.watched = { gap: 0, first: 0, end: 0 };
  let last = performance.now();
  const look = (now) => {
    watched.gap = Math.max(watched.gap, now - last);
    last = now;
    if (!watched.first && document.querySelector("#open-words").textContent.startsWith("Opening photo 1 ")) watched.first = now;
    if (!document.querySelector("#opened").hidden) watched.end ||= now;
    if (!watched.end || now < watched.end + 500) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
PEER = """
import { readFileSync } from "node:fs";
import { Decrypter } from "age-encryption";
const { folder, identity, photos } = JSON.parse(process.argv[1]);
const sealed = Array.from({ length: photos }, (_, number) => readFileSync(`${folder}/${number}.age`));
const decrypter = new Decrypter();
decrypter.addIdentity(identity);
const start = performance.now();
for (const file of sealed) await decrypter.decrypt(new Uint8Array(file));
console.log(performance.now() - start);
"""


def open_in_page(browser: Browser, demo: Demo, bundle: str) -> dict[str, float]:
    """Milliseconds: the longest gap between two frames, and when the first photo was begun and the last was there."""
    with visit(browser, **DESK) as page:
        sign_in(page, demo, Photographer(browser, "bench"))
        page.goto(f"{demo.origin}/staff/bundles/{bundle}")
        page.evaluate(WATCH)
        unlock(page, demo)
        expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=300_000)
        page.wait_for_timeout(1_000)
        watched: dict[str, float] = page.evaluate("window.watched")
        return watched


def open_in_node(photo: bytes, folder: Path) -> float:
    """Milliseconds that age-encryption takes for as many photos."""
    identity = Identity.generate()
    for number in range(PHOTOS):
        (folder / f"{number}.age").write_bytes(seal(photo, [identity.recipient]))
    order = json.dumps({"folder": str(folder), "identity": identity.to_text(), "photos": PHOTOS})
    command = [*needs.node(), "--input-type=module", "-e", PEER, "--", order]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def main() -> None:
    photo = noisy((1650, 1250))
    size = PHOTOS * len(photo) / 1e6
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        alone = min(open_in_node(photo, Path(folder)) for _ in range(RUNS))
        with running_demo(Path(folder) / "var") as demo:
            bundle = send_bundle(demo, [photo] * PHOTOS)
            browser = playwright.chromium.launch(executable_path=needs.chromium(), args=ARGS)
            watched = open_in_page(browser, demo, bundle)
            browser.close()
    took, gap = watched["end"] - watched["first"], watched["gap"]
    print(f"{PHOTOS} photos, {size:.0f} MB, {os.cpu_count()} cores")
    print(f"  longest gap between frames  {gap:6.0f} ms   {gap / INSTANT:5.2f} × the {INSTANT} ms of an instant answer")
    print(f"  age-encryption alone        {size / alone * 1000:6.1f} MB/s  1.00 ×")
    print(f"  fetched, compared, opened   {size / took * 1000:6.1f} MB/s {alone / took:5.2f} × age-encryption alone")


if __name__ == "__main__":
    main()
