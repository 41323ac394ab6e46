"""A patient on a bad line: a server behind it, a request of one's own, what the practice gets in the end, what was sent for it."""

import base64
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from capture.app import make_services
from capture.domain.requests import State
from capture.photos import Preset
from capture.photos.clean import clean
from capture.photos.sample import sample_exif, sample_photo
from capture.sealing.age import open_sealed
from capture.sealing.contents import MANIFEST, Manifest
from capture.sealing.records import from_json
from capture.services import Services
from capture.settings import load_settings
from capture.store.models import Bundle, Delivery, Request
from capture.store.photos import current_photos
from tests.browser.conftest import ROOT
from tests.browser.line import Line, line_to
from tests.browser.steps import Photographer, come_in
from tests.builders import ARequest, make_practice, make_request
from tests.ports import free_port
from tests.system.server import environment, wait_for, wait_until

CHUNK = 524_288
AROUND = 16_384  # what one drop may cost besides a chunk: what was in the line's and the machine's buffers
BORN = date(1980, 3, 31)


class Hurried(Photographer):
    """Does not look at each page: that is done elsewhere."""

    def look(self, page: Page, name: str) -> None:
        """Go on."""


@dataclass
class Service:
    """A server behind a line; it can be started anew."""

    var: Path
    port: int
    line: Line
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        variables = {**environment(self.var), "CAPTURE_ORIGIN": self.line.origin}
        command = [sys.executable, "-m", "capture", "serve", "--port", str(self.port)]
        log = self.var.with_name("server.log")
        with log.open("a") as errors:
            self.process = subprocess.Popen(command, env=variables, stderr=errors, cwd=ROOT)
        wait_for(self.port, self.process, log)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=20)

    @contextmanager
    def data(self) -> Iterator[Services]:
        services = make_services(load_settings({}, var=self.var, origin=self.line.origin))
        yield services
        services.close()

    def ask(self) -> ARequest:
        """A request for three photos of a lesion; the line works, however the test before left it."""
        self.line.left = None
        self.line.mend()
        with self.data() as services:
            return make_request(services, make_practice(services), born=BORN)

    def delivered(self, asked: ARequest) -> dict[str, bytes]:
        """The photos that the practice gets, by view: all of one bundle, and the only one."""
        wait_until(lambda: self._state(asked) == State.DELIVERED)
        with self.data() as services, services.database.read() as db:
            (bundle,) = db.query(Bundle).filter_by(request_id=asked.id).all()
            assert db.query(Delivery).filter_by(bundle_id=bundle.id).one().state == "delivered"
            photos = current_photos(db, asked.id)
            named = {part.sha256 for part in from_json(Manifest, bundle.manifest, MANIFEST).photo_parts}
            assert named == {photo.sealed_sha256 for photo in photos}
            assert len(photos) == len({photo.view for photo in photos})
            sealed = {photo.view: b"".join(services.blobs.read(photo.blob)) for photo in photos}
        return {view: open_sealed(data, [asked.practice.identity]) for view, data in sealed.items()}

    def _state(self, asked: ARequest) -> str:
        with self.data() as services, services.database.read() as db:
            return db.get_one(Request, asked.id).state


@contextmanager
def weak_service(folder: Path) -> Iterator[Service]:
    """A server behind a line until the end of the block."""
    port = free_port()
    with line_to(port) as line:
        service = Service(folder / "var", port, line)
        with service.data():
            pass  # makes the database
        try:
            service.start()
            yield service
        finally:
            service.stop()


@cache
def photo_of(view: str) -> bytes:
    """What the phone's camera gives: 3 MB, sharp, with a place, a maker's notes and a serial number in it."""
    drawn = Image.open(io.BytesIO(sample_photo(view, size=(1600, 1200), quality=95)))
    sheet = Image.new("RGB", (3200, 2400))
    for left in range(0, sheet.width, drawn.width):
        for top in range(0, sheet.height, drawn.height):
            sheet.paste(drawn, (left, top))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=95, exif=sample_exif())
    return out.getvalue()


@cache
def cleaned(photo: bytes) -> bytes:
    """What the practice must get of it."""
    return clean(photo, Preset(max_bytes=5_177_344)).jpeg


def begin(browser: Browser, page: Page, asked: ARequest) -> None:
    """Open the link, confirm, agree, and go to the first photo."""
    come_in(page, asked.link, Hurried(browser, ""))
    page.locator("main .app-views a").first.click()
    expect(page.get_by_text("Photo 1 of 3")).to_be_visible()


def pick(page: Page, view: str, photo: bytes, folder: Path) -> None:
    """Choose that photo on the page that asks for it, and use it."""
    path = folder / f"{view}.jpg"
    path.write_bytes(photo)
    expect(page).to_have_url(re.compile(f"/photos/{view}$"))
    page.locator("#photo").set_input_files(path)
    use_it(page)


def use_it(page: Page) -> None:
    expect(page.get_by_role("heading", name="Is it clear?")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Use (this photo|it anyway)$")).click()


def see_arrived(page: Page, count: int, *, seconds: float = 60) -> None:
    expect(page.locator("#sending-line")).to_contain_text(f"{count} of 3 photos have arrived", timeout=1000 * seconds)


def send_all(page: Page) -> None:
    """From the check page to the receipt."""
    expect(page.get_by_role("heading", name="Check and send")).to_be_visible()
    page.get_by_role("button", name="Send to my practice").click()
    expect(page.locator(".app-receipt")).to_be_visible(timeout=60_000)


def check_bundle(service: Service, asked: ARequest, photos: dict[str, bytes]) -> None:
    """The practice gets these photos, each once, and each as if nothing had happened."""
    got = service.delivered(asked)
    assert set(got) == set(photos)
    for view, photo in photos.items():
        assert got[view] == cleaned(photo), view


@dataclass(frozen=True)
class Cost:
    """What one photo took: its size as it left the phone, and the bytes that were sent for it, in that many requests."""

    ideal: int
    sent: int
    requests: int

    @property
    def again(self) -> int:
        return self.sent - self.ideal

    def __str__(self) -> str:
        return f"{self.sent:,} bytes sent of {self.ideal:,}, {self.sent / self.ideal:.0%}, in {self.requests} pieces"


def costs(line: Line) -> list[Cost]:
    """Of each photo that was sent since `forget`, in order."""
    begun: dict[str, int] = {}
    for post in line.requests("POST"):
        if post.path == "/uploads":
            begun[photo_id(post.headers["upload-metadata"])] = int(post.headers["upload-length"])
    pieces = line.requests("PATCH")
    return [
        Cost(size, sum(len(piece.body) for piece in pieces if photo in piece.path), sum(photo in piece.path for piece in pieces))
        for photo, size in begun.items()
    ]


def photo_id(metadata: str) -> str:
    """The id in Upload-Metadata."""
    pairs = dict(pair.split(" ") for pair in metadata.split(","))
    return base64.b64decode(pairs["photo"]).decode()


def body_of(line: Line) -> bytes:
    """The one photo that was sent since `forget`, put together from its pieces."""
    pieces = sorted(line.requests("PATCH"), key=lambda piece: int(piece.headers["upload-offset"]))
    return b"".join(piece.body for piece in pieces)


def tell(line: str) -> None:
    """Print a figure, which `pytest -s` shows."""
    sys.stdout.write(f"{line}\n")


def size_of(jpeg: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(jpeg)).size
