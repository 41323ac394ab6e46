"""`capture serve` as an operator sees it: it starts, it says why not, it stops; and slow phones hold nobody up."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from capture.actions.queue_notice import queue_notice
from capture.app import make_services
from capture.photos.sample import sample_photo
from capture.services import Services
from capture.settings import load_settings
from capture.store.messages import MessageRow
from capture.store.models import Practice
from tests.builders import make_practice
from tests.ports import free_port
from tests.system.server import CAPTURE, ROOT, Patient, Server, children, environment, running, wait_for

HEAD = (
    "POST /photos/context HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n"
    "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)


def slow_upload(port: int, size: int = 5_000_000) -> socket.socket:
    """A phone that has begun to send and goes on very slowly."""
    phone = socket.create_connection(("127.0.0.1", port))
    phone.sendall(HEAD.format(size=size).encode() + b"a" * 100_000)
    return phone


def fails(var: Path, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command that is expected to end by itself, with whatever code."""
    env = {**environment(var, measured=True), **more}
    return subprocess.run([*CAPTURE, *args], env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def test_serving_and_stopping(tmp_path: Path) -> None:
    """`capture serve` answers on the port it was given and ends with 0 within seconds of SIGTERM, with no word of complaint."""
    port, log = free_port(), tmp_path / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*CAPTURE, "serve", "--port", str(port)], env=environment(tmp_path / "var", measured=True), stderr=errors, cwd=ROOT
        ) as process,
    ):
        wait_for(port, process, log)
        patient = Patient(port, "")
        answer = patient.get("/healthz")
        assert (answer.status, answer.json) == (200, {"ok": True})
        assert answer.headers["Server"] is None
        process.terminate()
        assert process.wait(timeout=10) == 0
    lines = log.read_text().splitlines()
    assert "Traceback" not in log.read_text()
    assert any('"route": "ops.health"' in line and '"status": 200' in line for line in lines)


@pytest.mark.parametrize("command", [("serve",), ("demo", "--json")])
def test_a_port_that_is_taken(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A taken port is said in an error with a hint, and ends with 4."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = fails(tmp_path / "var", *command, "--port", str(port))
    assert done.returncode == 4
    assert f"error: port {port} on 127.0.0.1 cannot be used: Address already in use" in done.stderr
    assert "hint: choose another" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running(tmp_path_factory.mktemp("serve") / "var") as made:
        yield made


def test_slow_phones_hold_nobody_up(server: Server) -> None:
    """With more slow uploads under way than there are web threads, pages are answered while all of them go on (SECURITY 21)."""
    with ExitStack() as stack:
        phones = [stack.enter_context(slow_upload(server.port)) for _ in range(60)]
        time.sleep(0.5)
        patient = Patient(server.port, server.tour["patient_link"])
        for _ in range(10):
            assert patient.get("/healthz").status == 200
            assert patient.get(patient.path).status == 200
        for phone in phones:
            phone.setblocking(False)
            with pytest.raises(BlockingIOError):
                phone.recv(1)


def test_the_demo_shows_itself(server: Server) -> None:
    """The front page of a demo tells how to try it: the link, the sign-in, the passphrase, the date of birth as it is typed."""
    shown = unescape(Patient(server.port, "").get("/").body.decode())
    for name in ("patient_link", "email", "password", "passphrase"):
        assert server.tour[name] in shown
    assert "31 3 1980" in shown
    assert re.search(r"\b\d{6}\b", shown)  # the one-time code of this moment
    assert "<svg" in shown


def test_serving_without_a_worker(tmp_path: Path) -> None:
    """Where a worker of its own runs, the web process starts and stops without one."""
    port = free_port()
    env = {**environment(tmp_path / "var", measured=True), "CAPTURE_WORKER": "no"}
    with running(tmp_path / "var", "serve", port=port, env=env) as server:
        assert Patient(port, "").get("/healthz").status == 200
        assert server.stop() == 0


def test_an_upload_that_was_cut_off_is_never_acknowledged(server: Server) -> None:
    """A phone that hangs up in the middle of a photo leaves nothing behind; the whole photo is taken afterwards (SECURITY 19)."""
    patient = Patient(server.port, server.tour["patient_link"])
    patient.come_in()
    body, kind = patient.form("context", sample_photo("context"))
    cookies = "; ".join(f"{name}={value}" for name, value in patient.cookies.items())
    head = f"POST /photos/context HTTP/1.1\r\nCookie: {cookies}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    for sent in (10, len(body) // 2, len(body) - 1):
        with socket.create_connection(("127.0.0.1", server.port)) as phone:
            phone.sendall(head.encode() + body[:sent])
            phone.shutdown(socket.SHUT_WR)
            phone.settimeout(10)
            assert b" 201 " not in phone.recv(100)
    assert list((server.var / "blobs").rglob("*.age")) == []
    assert patient.photo("context", sample_photo("context")).json["message"] == "1 of 3 photos have arrived"


def test_stopping_in_the_middle_of_uploads(tmp_path: Path) -> None:
    """SIGTERM ends a server with slow uploads under way cleanly and soon, and no child of it stays."""
    with running(tmp_path / "var") as server, slow_upload(server.port):
        patient = Patient(server.port, server.tour["patient_link"])
        patient.come_in()
        assert patient.photo("context", b"GIF89a").status == 422  # so that a cleaner is running
        started = children(server.process.pid)
        assert started
        assert server.stop() == 0
        assert not [pid for pid in started if Path(f"/proc/{pid}/exe").exists()]
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def heeds_sigterm(pid: int) -> bool:
    """Whether that process does something of its own on SIGTERM, which Python alone does not."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("moment", ["starting", "working"])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["serve", "worker"])
def test_ending(tmp_path: Path, command: str, ending: signal.Signals, moment: str) -> None:
    """Both go on until Ctrl-C or SIGTERM, while they start too, then end with 0 and no traceback."""
    heeding = ("env", "--default-signal=INT")  # a shell that runs the tests in the background has all of them ignore Ctrl-C
    measured = moment == "working"  # what measures coverage heeds SIGTERM itself, from the very start
    variables = {**environment(tmp_path / "var", measured=measured), "CAPTURE_PORT": str(free_port())}
    with subprocess.Popen([*heeding, *CAPTURE, command], env=variables, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        threads = Path(f"/proc/{process.pid}/task")  # what goes outside has its own, all of which the work begins with
        for _ in range(6000):
            if heeds_sigterm(process.pid) if moment == "starting" else len(list(threads.iterdir())) > 4:
                break
            time.sleep(0.01)
        else:
            pytest.fail(f"never {moment}")
        os.kill(process.pid, ending)
        _, told = process.communicate(timeout=20)
        assert process.returncode == 0
    assert "Traceback" not in told
    assert (command, moment) != ("worker", "working") or told.splitlines()[-1] == "stopped"


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_what_is_being_sent_comes_to_its_end(tmp_path: Path, command: str) -> None:
    """A message that the mail server has begun to take when SIGTERM comes is sent, once: it does not go out again later."""
    begun, go = threading.Event(), threading.Event()

    class Slow:
        async def handle_DATA(self, *_: object) -> str:  # noqa: N802 - aiosmtpd's name
            begun.set()
            await asyncio.to_thread(go.wait, 60)
            return "250 OK"

    port, mail = free_port(), {"host": "127.0.0.1", "security": "none", "from": "photos@surgery.example"}
    settings = {"test_messages": True, "mail_port": port, **{f"mail_{name}": value for name, value in mail.items()}}
    with served(tmp_path / "var", **settings) as services:
        practice = make_practice(services)
        with services.database.write() as db:
            row = db.get_one(Practice, practice.id)
            row.notice_email = "desk@surgery.example"
            queue_notice(services, db, row, "late")
    variables = {f"CAPTURE_{name.upper()}": str(value) for name, value in {**settings, "port": free_port()}.items()}
    controller = Controller(Slow(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        env = {**environment(tmp_path / "var", measured=True), **variables}
        with subprocess.Popen([*CAPTURE, command], env=env, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
            assert begun.wait(60)
            process.terminate()
            time.sleep(1.5)  # longer than serving takes to end by itself
            go.set()
            assert process.wait(timeout=30) == 0
    finally:
        go.set()
        controller.stop()
    with served(tmp_path / "var", **settings) as services, services.database.read() as db:
        assert [message.state for message in db.query(MessageRow)] == ["sent"]


@contextmanager
def served(var: Path, **settings: Any) -> Iterator[Services]:
    """The services of that folder in this process."""
    services = make_services(load_settings({}, var=var, origin="https://photos.example.org", **settings))
    yield services
    services.close()


def test_a_broken_installation_says_so(tmp_path: Path) -> None:
    """Settings that are not right stop `serve` before anything is made, each problem on a line."""
    done = fails(tmp_path / "var", "serve", CAPTURE_SURFACE="none", CAPTURE_THREADS="0")
    assert done.returncode == 4
    assert [line.split(" ")[1] for line in done.stderr.splitlines() if line.startswith("error: ")] == ["threads", "surface"]
    assert not (tmp_path / "var").exists()
