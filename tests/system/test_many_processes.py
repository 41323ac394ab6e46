"""Several processes behind nginx, over one PostgreSQL, with config/nginx.conf and config/gunicorn.conf.py as they are."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest

from capture.photos.sample import sample_photo
from capture.store.database import _MIGRATION_LOCK
from tests import needs
from tests.ports import free_port
from tests.postgres import Postgres, running_postgres
from tests.redis_server import RedisServer, running_redis
from tests.system.server import CAPTURE, ROOT, Answer, Patient, children, environment, run, wait_for, wait_until
from tests.system.trace import read_trace, tracer

CHUNK = 524_288
SIZE = 3_000_000
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "config" / "gunicorn.conf.py"), "--workers", "2")


@dataclass(frozen=True)
class Site:
    """What runs: the ports of nginx, for patients and staff, and of the processes behind it."""

    ports: Mapping[str, int]
    folder: Path
    tour: Mapping[str, str]
    postgres: Postgres
    redis: RedisServer
    serving: tuple[subprocess.Popen[bytes], ...]

    def patient(self, port: int = 0) -> Patient:
        """A browser with the demo's link that has come in, by another nginx if there is a port."""
        made = Patient(port or self.ports["patients"], self.tour["patient_link"])
        made.come_in()
        return made

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


def nginx_conf(folder: Path, ports: Mapping[str, int], **changes: str) -> Path:
    """config/nginx.conf for this machine: other ports, no TLS, files in a folder of the test's, and what the test changes."""
    text = (ROOT / "config" / "nginx.conf").read_text()
    lines = [line for line in text.splitlines() if not line.strip().startswith("ssl_")]
    text = "\n".join(lines).replace("/var/log/nginx/", f"{folder}/")
    patients, staff = text.split("server_name photos.example.nhs.uk;")
    text = patients.replace("listen 443 ssl http2", f"listen 127.0.0.1:{ports['patients']}") + staff.replace(
        "listen 443 ssl http2", f"listen 127.0.0.1:{ports['staff']}"
    )
    for old, new in {"8001": "one", "8002": "two", "8011": "desk"}.items():
        text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{ports[new]}")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    folder.mkdir()
    conf = folder / "nginx.conf"
    conf.write_text(f"pid {folder}/nginx.pid; master_process off; daemon off;\nevents {{}}\nhttp {{\n{temporary}{text}\n}}\n")
    return conf


@contextmanager
def started(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program until the end of the block."""
    with log.open("wb") as errors, subprocess.Popen(command, env=env, stdout=errors, stderr=errors, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def running_nginx(folder: Path, ports: Mapping[str, int], before: Sequence[str] = (), **changes: str) -> Iterator[None]:
    """nginx in a folder of its own, which is made; `before` is what runs it, such as a tracer."""
    nginx = needs.program("nginx", "/usr/sbin/nginx", install="apt install nginx-light")
    command = [*before, nginx, "-e", f"{folder}/start.log", "-c", str(nginx_conf(folder, ports, **changes))]
    with started(command, folder / "out.log") as process:
        wait_for(ports["patients"], process, folder / "out.log")
        yield
        for child in children(process.pid):
            os.kill(child, signal.SIGTERM)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("many")
    ports = {name: free_port() for name in ("patients", "staff", "one", "two", "desk")}
    origins = {face: f"http://127.0.0.1:{ports[face]}" for face in ("patients", "staff")}
    with running_postgres() as postgres, running_redis() as redis, ExitStack() as stack:
        shared = {
            **environment(folder / "var", measured=True),
            "CAPTURE_DATABASE": postgres.create("capture"),
            "CAPTURE_LIMITS": redis.url,
        }
        shared |= {"CAPTURE_WORKER": "false", "CAPTURE_TRUSTED_PROXIES": "1", "CAPTURE_MAX_PHOTOS": "100"}
        tour = run(folder / "var", "demo", "--no-serve", "--port", str(ports["patients"]), **shared)
        patients = {**shared, "CAPTURE_SURFACE": "patient", "CAPTURE_ORIGIN": origins["patients"]}
        staff = {**shared, "CAPTURE_SURFACE": "staff", "CAPTURE_ORIGIN": origins["staff"], "CAPTURE_PORT": str(ports["desk"])}

        def start(name: str, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
            process = stack.enter_context(started(command, log := folder / f"{name}.log", env))
            if name in ports:
                wait_for(ports[name], process, log)
            return process

        serving = tuple(start(name, [*CAPTURE, "serve", "--port", str(ports[name])], patients) for name in ("one", "two"))
        start("desk", GUNICORN, {**staff, "CAPTURE_PATIENT_ORIGIN": origins["patients"]})
        (folder / "scanned").mkdir(mode=0o700)
        inboxes = folder / "inboxes.toml"  # of the workers alone
        inboxes.write_text(f'[inboxes.scanned]\nkind = "folder"\ntitle = "the scanner"\npath = "{folder}/scanned"\n')
        for number in range(2):
            start(f"worker-{number}", [*CAPTURE, "worker"], {**patients, "CAPTURE_INBOXES": str(inboxes)})
        stack.enter_context(running_nginx(folder / "nginx", ports))
        yield Site(ports, folder, tour, postgres, redis, serving)


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Three megabytes: a phone's JPEG, and more behind the picture."""
    jpeg = sample_photo("close-up", size=(1600, 1200))
    return jpeg + secrets.token_bytes(SIZE - len(jpeg))


def begin(patient: Patient, view: str, photo: bytes) -> str:
    """Send the first two pieces of a photo; its id."""
    photo_id = secrets.token_hex(16)
    assert patient.tus("POST", "/uploads", length=len(photo), about=patient.about(view, photo_id)).status == 201
    for offset in (0, CHUNK):
        assert patient.tus("PATCH", f"/uploads/{photo_id}", photo[offset : offset + CHUNK], offset=offset).status == 204
    return photo_id


def go_on(patient: Patient, photo_id: str, photo: bytes, offset: int = 2 * CHUNK) -> Answer:
    """The other pieces; the answer to the last, or to the first that was not taken."""
    for at in range(offset, len(photo), CHUNK):
        answer = patient.tus("PATCH", f"/uploads/{photo_id}", photo[at : at + CHUNK], offset=at)
        if answer.status != 204:
            break
    return answer


def test_each_browser_keeps_to_one_process(site: Site, photo: bytes) -> None:
    """Browsers send photos in pieces at the same time: each photo comes together in one process, and both processes have some."""
    patients = [site.patient() for _ in range(6)]
    begun = [begin(patient, "context", photo) for patient in patients]
    assert {go_on(patient, one, photo).status for patient, one in zip(patients, begun, strict=True)} == {204}
    for name in ("one", "two"):
        assert '"route": "tus.append", "method": "PATCH", "status": 204' in site.log(name)


def spooled(site: Site, folder: Path, photo: bytes, **changes: str) -> dict[str, bool]:
    """The files that nginx writes to while a photo comes by form and one in pieces, and whether any of the photo was in them."""
    ports = {**site.ports, "patients": free_port(), "staff": free_port()}
    with running_nginx(folder, ports, tracer(folder.with_name("trace")), **changes):
        patient = site.patient(ports["patients"])
        assert patient.photo("context", photo).status == 201
        assert go_on(patient, begin(patient, "close-up", photo), photo).status == 204
        assert patient.get("/healthz").status == 200
    seen = read_trace(folder.with_name("trace"))
    assert seen.unseen == []
    return {path: photo[-64:] in seen.written.get(path, b"") for path in seen.opened | set(seen.written)}


def test_nginx_writes_no_photo_to_a_file(site: Site, photo: bytes, tmp_path: Path) -> None:
    """SECURITY 15: with the configuration as it is nginx opens its logs for writing and nothing else."""
    assert {Path(path).suffix for path in spooled(site, tmp_path / "nginx", photo)} <= {".log", ".pid"}


def test_the_same_look_finds_an_nginx_that_spools(site: Site, photo: bytes, tmp_path: Path) -> None:
    """The look can fail: an nginx that gathers requests first, as it does by itself, has the photo in a file, gone by then."""
    found = spooled(site, tmp_path / "nginx", photo, **{"proxy_request_buffering  off": "proxy_request_buffering on"})
    assert any(held and "/client_body/" in path for path, held in found.items())


def hold(port: int, path: str, body: bytes, cookies: str = "", kind: str = "application/x-www-form-urlencoded") -> socket.socket:
    """A connection on which a form has begun that goes no further."""
    made = socket.create_connection(("127.0.0.1", port), timeout=60)
    headers = {"Host": "x", "Cookie": cookies, "Content-Type": kind, "Content-Length": str(len(body) + 1)}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    made.sendall("\r\n".join(lines).encode() + body)
    return made


def test_slow_phones_hold_up_nobody(site: Site, photo: bytes) -> None:
    """SECURITY 21: while more forms are half here than all processes have threads, pages of patients and of staff are answered; a
    head that goes no further is cut off.
    """
    patient, (port, desk) = site.patient(), (site.ports["patients"], site.ports["staff"])
    cookies = "; ".join(f"{name}={value}" for name, value in patient.cookies.items())
    body, kind = patient.form("context", photo)
    with ExitStack() as stack:
        head = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        head.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for _ in range(40):
            stack.enter_context(hold(port, "/photos/context", body[:100_000], cookies, kind))
            stack.enter_context(hold(desk, "/staff/sign-in", b"email=" + b"x" * 1_000))
        assert patient.get("/photos").status == 200
        assert Patient(desk, "").get("/staff/sign-in").status == 200
        assert head.recv(1_000).partition(b"\r\n")[0] in {b"", b"HTTP/1.1 408 Request Time-out"}


def test_a_process_that_dies_costs_the_photo_on_its_way(site: Site, photo: bytes) -> None:
    """After kill -9 of one process its patients begin the photo that was on its way again, in the other; theirs go on. Nothing that
    was acknowledged is lost, staff open it on gunicorn, and two workers side by side have delivered it once, to the folder too that
    only they know of.
    """
    patients = [site.patient() for _ in range(6)]
    begun = [begin(patient, "context", photo) for patient in patients]
    arrived = patients[0].pieces("close-up", photo)
    assert arrived.status == 204
    site.serving[0].kill()
    went_on = []
    for patient, photo_id in zip(patients, begun, strict=True):
        went_on.append(patient.tus("HEAD", f"/uploads/{photo_id}").status == 200)
        done = go_on(patient, photo_id, photo) if went_on[-1] else patient.pieces("context", photo, photo_id=photo_id)
        assert done.status == 204
    assert set(went_on) == {True, False}
    assert patients[0].photo("close-up-scale", photo).status == 201
    receipt = patients[0].send("It itches.")
    with site.postgres.connect("capture") as database:
        delivered = "SELECT count(*) FROM audit WHERE action = 'request delivered'"
        wait_until(lambda: database.execute(delivered).fetchone() != (0,))
        assert database.execute(delivered).fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM photos WHERE NOT replaced").fetchone() == (3,)
    wait_until(lambda: bool(list((site.folder / "scanned").glob(f"{receipt}-*.zip"))))
    open_bundle(site, receipt)


def open_bundle(site: Site, receipt: str) -> None:
    """Staff sign in, find it in the inbox, and fetch all of it."""
    desk, tour = Patient(site.ports["staff"], ""), site.tour
    assert desk.submit("/staff/sign-in", email=tour["email"], password=tour["password"]).status == 303
    code = pyotp.TOTP(tour["authenticator_secret"]).now()
    assert desk.submit("/staff/sign-in/code", code=code).status == 303
    inbox = desk.get("/staff/")
    assert receipt in inbox.body.decode()
    page = inbox.find(r'href="(/staff/bundles/[0-9a-f]{32})"')
    assert desk.get(page).status == 200
    assert desk.get(f"{page}.zip").body.startswith(b"PK")


def test_sign_ins_are_counted_together(site: Site) -> None:
    """SECURITY 25: the processes of gunicorn count in the Redis, ten tries between them."""
    desk = Patient(site.ports["staff"], "")
    statuses = [desk.submit("/staff/sign-in", email="nobody@x.example", password="wrong horse").status for _ in range(11)]
    assert (statuses[0], statuses[-1]) == (422, 429)
    assert any("member:" in counted for counted in site.redis.counted())


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_start_that_waits_for_another_can_be_ended(site: Site, tmp_path: Path, command: str) -> None:
    """SIGTERM ends with 0 what waits to bring the schema up to date while another process does: nothing has begun."""
    name = f"held_{command}"
    env = {**environment(tmp_path / "var"), "CAPTURE_DATABASE": site.postgres.create(name), "CAPTURE_PORT": str(free_port())}
    with site.postgres.connect(name) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        with started([*CAPTURE, command], tmp_path / "log", env) as process:
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_until(lambda: holder.execute(waits).fetchone() == (1,))
            process.terminate()
            assert process.wait(timeout=20) == 0
