"""kill -9 at any moment: what was answered 2xx is there, once, and the patient can finish (faults)."""

import http.client
import random
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from capture.app import make_services
from capture.domain.requests import State
from capture.photos.sample import sample_photo
from capture.sealing.contents import MANIFEST, Manifest
from capture.sealing.records import from_json
from capture.services import Services
from capture.settings import load_settings
from capture.store.models import Bundle, Delivery, Photo, Request
from tests.builders import ARequest, make_practice, make_request
from tests.ports import free_port
from tests.system.server import Patient, Server, children, running, wait_until

VIEWS = ("context", "close-up", "close-up-scale")
GONE = (OSError, http.client.HTTPException)


@dataclass
class Resuming(Patient):
    """A patient whose phone sends the same photos under the same ids again until it gets an answer."""

    ids: dict[str, str] = field(default_factory=lambda: {view: secrets.token_hex(16) for view in VIEWS})
    taken: dict[str, bytes] = field(default_factory=lambda: {view: sample_photo(view, size=(900, 700)) for view in VIEWS})
    arrived: dict[str, str] = field(default_factory=dict)
    receipt: str = ""

    def send_photo(self, view: str) -> str:
        """Send one photo, or send it again; what the server says about it."""
        answer = self.photo(view, self.taken[view], photo_id=self.ids[view])
        assert answer.status == 201, answer.body
        self.arrived[view] = answer.json["id"]
        return str(answer.json["message"])

    def go_on(self) -> None:
        """As far as it goes, from where it was: what is answered is noted; a server that is gone ends it."""
        page = self.get("/sent")
        if page.status == 200:  # it was sent, and only the answer was lost
            self.receipt = self.receipt_of(page)
            return
        self.come_in() if page.status == 404 else self.agree()
        for view in VIEWS:
            if view not in self.arrived:
                self.send_photo(view)
        self.receipt = self.send()


@contextmanager
def data_of(var: Path, port: int) -> Iterator[Services]:
    services = make_services(load_settings({}, var=var, origin=f"http://127.0.0.1:{port}"))
    yield services
    services.close()


def prepare(var: Path, port: int, count: int) -> list[tuple[ARequest, Resuming]]:
    """That many requests, and their patients."""
    with data_of(var, port) as services:
        practice = make_practice(services)
        asked = [make_request(services, practice, born=born) for born in [Patient.born] * count]
    return [(one, Resuming(port, one.link)) for one in asked]


def check_whole(var: Path, port: int, journeys: list[tuple[ARequest, Resuming]]) -> None:
    """Each patient's photos are in exactly one bundle, sealed parts and all, delivered once."""
    with data_of(var, port) as services, services.database.read() as db:
        for asked, patient in journeys:
            assert db.get_one(Request, asked.id).state == State.DELIVERED
            assert patient.receipt == asked.receipt
            (bundle,) = db.query(Bundle).filter_by(request_id=asked.id).all()
            assert db.query(Delivery).filter_by(bundle_id=bundle.id).one().state == "delivered"
            named = {part.sha256 for part in from_json(Manifest, bundle.manifest, MANIFEST).photo_parts}
            photos = [db.get_one(Photo, photo_id) for photo_id in patient.arrived.values()]
            assert {photo.sealed_sha256 for photo in photos} == named
            assert len(named) == len(VIEWS)
            for photo in photos:
                assert sum(map(len, services.blobs.read(photo.blob))) == photo.sealed_size


def state_of(server: Server, asked: ARequest) -> str:
    with data_of(server.var, server.port) as services, services.database.read() as db:
        return db.get_one(Request, asked.id).state


def test_a_photo_outlives_a_kill_right_after_its_answer(tmp_path: Path) -> None:
    """Killed in the moment of a 201, the server has the photo when it is back; the same phone goes on where it was (8)."""
    port, var = free_port(), tmp_path / "var"
    ((asked, patient),) = prepare(var, port, 1)
    with running(var, "serve", port=port) as server:
        patient.come_in()
        assert patient.photo("close-up", b"GIF89a").status == 422  # so that a cleaner is running
        cleaners = children(server.process.pid)
        assert cleaners
        assert patient.send_photo("context") == "1 of 3 photos have arrived"
        server.kill_server()
        wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in cleaners))  # they end with their server
    with running(var, "serve", port=port) as server:
        tasks = patient.get("/photos")
        assert tasks.status == 200
        assert b"1 of 3" in tasks.body
        assert patient.send_photo("context") == "1 of 3 photos have arrived"
        patient.go_on()
        wait_until(lambda: state_of(server, asked) == State.DELIVERED)
        server.kill_server()
    check_whole(var, port, [(asked, patient)])


@pytest.mark.parametrize("seed", [1])
def test_kills_at_any_moment(tmp_path: Path, seed: int) -> None:
    """Three patients at once and a server that is killed four times: all finish, no photo is lost or doubled (SECURITY 11, 12)."""
    chance, port, var = random.Random(seed), free_port(), tmp_path / "var"
    journeys = prepare(var, port, 3)
    errors: list[BaseException] = []
    for _ in range(4):
        with running(var, "serve", port=port) as server, ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(patient.go_on) for _, patient in journeys if not patient.receipt]
            time.sleep(chance.uniform(0.05, 1.5))
            server.kill_server()
            errors += [error for job in jobs if (error := job.exception())]
    assert errors  # some were in the middle of it
    assert [error for error in errors if not isinstance(error, GONE)] == []
    with running(var, "serve", port=port) as server:
        for _, patient in journeys:
            if not patient.receipt:
                patient.go_on()
        wait_until(lambda: all(state_of(server, asked) == State.DELIVERED for asked, _ in journeys))
    check_whole(var, port, journeys)
