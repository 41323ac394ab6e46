"""Photos in pieces on the real server: by tus-js-client, over a line that breaks, in memory that stays flat (SECURITY 15, 21)."""

import json
import re
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capture.photos.sample import sample_photo
from tests import needs
from tests.system.server import ROOT, Patient, Server, environment, running
from tests.system.test_floods import memory

HERE = Path(__file__).parent
CHUNK = 524_288


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    var = tmp_path_factory.mktemp("tus") / "var"
    with running(var, env={**environment(var), "CAPTURE_MAX_PHOTOS": "100", "CAPTURE_MAX_LINK_BYTES": "1000000000"}) as made:
        yield made


@pytest.fixture(scope="module")
def patient(server: Server) -> Patient:
    made = Patient(server.port, server.tour["patient_link"])
    made.come_in()
    return made


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Three megabytes: a phone's JPEG, and more behind the picture."""
    jpeg = sample_photo("close-up", size=(1600, 1200))
    return jpeg + bytes(3_000_000 - len(jpeg))


def by_tus_js_client(patient: Patient, file: Path, view: str, *, abort_after: int, photo_id: str = "", **headers: str) -> Any:
    """What tus-js-client tells of sending that file: where it went, what was acknowledged, what was asked and answered."""
    page = patient.get(f"/photos/{view}").hidden
    cookie = "; ".join(f"{name}={value}" for name, value in patient.cookies.items())
    named = {"view": view, "photo": photo_id or secrets.token_hex(16), "request": page["request"], "anyway": "0"}
    sent = {"Cookie": cookie, "X-CSRFToken": page["csrf_token"], **headers}
    args = [f"http://127.0.0.1:{patient.port}/uploads", str(file), json.dumps(sent), json.dumps(named), str(abort_after)]
    command = [*needs.node(), str(HERE / "tus.mjs"), *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=True)
    return json.loads(done.stdout)


def test_tus_js_client(patient: Patient, photo: bytes, tmp_path: Path) -> None:
    """The client that everybody uses sends a photo in pieces of 512 kB, and the server has it."""
    (tmp_path / "photo").write_bytes(photo)
    told = by_tus_js_client(patient, tmp_path / "photo", "context", abort_after=len(photo))
    assert told["requests"] == ["POST 201", *["PATCH 204"] * 6]
    assert told["offsets"] == [*range(CHUNK, 6 * CHUNK, CHUNK), len(photo)]
    answer = patient.get(told["url"].removeprefix(f"http://127.0.0.1:{patient.port}"))
    assert (answer.status, answer.json["arrived"]) == (200, 1)


def test_tus_js_client_goes_on(patient: Patient, photo: bytes, tmp_path: Path) -> None:
    """Broken off after two pieces and taken up by a new client, a photo goes on where it was: no piece is sent twice."""
    (tmp_path / "photo").write_bytes(photo)
    told = by_tus_js_client(patient, tmp_path / "photo", "close-up", abort_after=2 * CHUNK)
    assert told["requests"].count("HEAD 200") == 1
    assert told["requests"].count("PATCH 204") == 6
    assert told["offsets"][-1] == len(photo)
    assert len(set(told["offsets"])) == 6


def test_tus_js_client_sends_what_has_arrived(patient: Patient, photo: bytes, tmp_path: Path) -> None:
    """A client that begins a photo again which has arrived sends one piece of it at most before it is told so (SECURITY 12)."""
    (tmp_path / "photo").write_bytes(photo)
    photo_id = secrets.token_hex(16)
    for _ in range(2):
        told = by_tus_js_client(patient, tmp_path / "photo", "close-up", abort_after=len(photo), photo_id=photo_id)
    assert "error" not in told
    assert sum(answer.startswith("PATCH") for answer in told["requests"]) == 1
    assert patient.tus("HEAD", f"/uploads/{photo_id}").headers["Upload-Offset"] == str(len(photo))


def test_tus_js_client_is_refused(patient: Patient, tmp_path: Path) -> None:
    """It is told why: no photo, and no token."""
    (tmp_path / "file").write_bytes(b"%PDF-" + bytes(5_000))
    told = by_tus_js_client(patient, tmp_path / "file", "close-up", abort_after=10**9)
    assert "kind-pdf" in told["error"]
    told = by_tus_js_client(patient, tmp_path / "file", "close-up", abort_after=10**9, **{"X-CSRFToken": "x"})
    assert "form-too-old" in told["error"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_line_that_breaks(patient: Patient, photo: bytes, share: float) -> None:
    """A drop costs at most one piece: what travels is the photo and less than 512 kB more (at 90% of 3 MB: 103%)."""
    photo_id, drop, travelled = secrets.token_hex(16), int(share * len(photo)), 0
    patient.tus("POST", "/uploads", length=len(photo), about=patient.about("close-up", photo_id))
    for offset in range(0, drop, CHUNK):
        piece = photo[offset : offset + CHUNK]
        if offset + CHUNK <= drop:
            assert patient.tus("PATCH", f"/uploads/{photo_id}", piece, offset=offset).status == 204
            travelled += CHUNK
        else:
            travelled += cut_off(patient, photo_id, offset, piece, drop - offset)
    known = int(patient.tus("HEAD", f"/uploads/{photo_id}").headers["Upload-Offset"])
    assert known == drop // CHUNK * CHUNK
    for offset in range(known, len(photo), CHUNK):
        answer = patient.tus("PATCH", f"/uploads/{photo_id}", piece := photo[offset : offset + CHUNK], offset=offset)
        assert answer.status == 204
        travelled += len(piece)
    assert travelled == len(photo) + drop % CHUNK
    assert share != 0.9 or round(100 * travelled / len(photo)) == 103


def cut_off(patient: Patient, photo_id: str, offset: int, piece: bytes, sent: int) -> int:
    """Send the beginning of a piece and hang up: how many bytes that were."""
    cookies = "; ".join(f"{name}={value}" for name, value in patient.cookies.items())
    head = (
        f"PATCH /uploads/{photo_id} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nX-CSRFToken: {patient.token}\r\n"
        f"Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n"
        f"Content-Length: {len(piece)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", patient.port)) as line:
        line.sendall(head.encode() + piece[:sent])
    return sent


def test_memory_stays_flat(server: Server, patient: Patient, photo: bytes) -> None:
    """Photos in pieces leave no memory behind, whether they arrive, are deleted or are refused (SECURITY 15, 21)."""

    def round_of(count: int) -> int:
        for _ in range(count):
            assert patient.pieces("close-up", photo).status == 204
            photo_id = secrets.token_hex(16)
            patient.tus("POST", "/uploads", length=len(photo), about=patient.about("close-up", photo_id))
            assert patient.tus("PATCH", f"/uploads/{photo_id}", photo[:CHUNK], offset=0).status == 204
            assert patient.tus("DELETE", f"/uploads/{photo_id}").status == 204
        return memory(server.process.pid)

    warm = round_of(4)
    assert round_of(16) - warm < 20_000_000  # one photo kept of each would be 48 MB


def test_a_piece_that_is_too_large(server: Server, patient: Patient) -> None:
    """A body of 100 MB for a piece is thrown away as it comes and answered in words (SECURITY 20, 23)."""
    before = memory(server.process.pid)
    answer = patient.tus("PATCH", "/uploads/" + "0" * 32, bytes(100_000_000), offset=0)
    assert answer.status == 413
    assert re.search(r"too large", answer.json["error"]["sentence"])
    assert memory(server.process.pid) - before < 20_000_000


def test_photos_of_a_restart(tmp_path: Path, photo: bytes) -> None:
    """After kill -9 in the middle of a photo the server knows nothing of it, and it arrives when it is begun anew (SECURITY 12)."""
    photo_id = secrets.token_hex(16)
    with running(tmp_path / "var") as first:
        patient = Patient(first.port, first.tour["patient_link"])
        patient.come_in()
        patient.tus("POST", "/uploads", length=len(photo), about=patient.about("close-up", photo_id))
        assert patient.tus("PATCH", f"/uploads/{photo_id}", photo[:CHUNK], offset=0).status == 204
        first.kill_server()
    with running(tmp_path / "var") as second:
        patient.port = second.port
        assert patient.tus("HEAD", f"/uploads/{photo_id}").status == 404
        assert patient.tus("PATCH", f"/uploads/{photo_id}", photo[CHUNK : 2 * CHUNK], offset=CHUNK).status == 404
        assert patient.pieces("close-up", photo, photo_id=photo_id).status == 204
        assert patient.tus("HEAD", f"/uploads/{photo_id}").headers["Upload-Offset"] == str(len(photo))
