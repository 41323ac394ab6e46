"""Time that measuring a photo of 12 megapixels takes: on the server beside Pillow's decode at 1:8, which it comes after, and in a
browser beside the 300 ms after which a patient would notice. Each figure is the least of several rounds.
"""

import base64
import io
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from capture.photos.quality import measure
from tests.browser.conftest import ARGS, visit
from tests.browser.test_quality import IN_PAGE, PHOTOS, THRESHOLDS, photo

ROUNDS, LIMIT = 20, 300


def least(act: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    took = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        act()
        took.append(time.process_time() - begun)
    return min(took) * 1000


def main() -> None:
    """Print both."""
    data = photo(**PHOTOS["12 megapixels"])
    size = Image.open(io.BytesIO(data)).size

    def decoded() -> Image.Image:
        im = Image.open(io.BytesIO(data))
        im.draft("L", (size[0] // 8, size[1] // 8))
        im.load()
        return im

    small, decode = decoded(), least(decoded)
    ours = least(lambda: measure(small, *size))
    print(f"server: {ours:.1f} ms, {ours / decode:.2f} × the decode at 1:8 ({decode:.1f} ms)")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("browser: no Chromium here: apt install chromium")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        with visit(browser) as page:
            asked = [base64.b64encode(data).decode(), asdict(THRESHOLDS)]
            took = min(page.evaluate(IN_PAGE, asked)[2] for _ in range(ROUNDS // 4))
        browser.close()
    print(f"browser: {took:.0f} ms, {took / LIMIT:.2f} × the limit of {LIMIT} ms")


if __name__ == "__main__":
    main()
