"""The real server in a process of its own, and a patient who speaks HTTP to it."""

import base64
import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
CAPTURE = (sys.executable, "-m", "capture")


def environment(var: Path, *, measured: bool = False) -> dict[str, str]:
    """Nothing of this machine's settings but, where it must be, what measures coverage: that makes a process slower."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or (measured and name.startswith("COVERAGE_"))}
    return {**kept, "CAPTURE_VAR": str(var), "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Server:
    """A server that is running: its process, its port, its folder, and what a demo told (see capture.demo.Tour)."""

    process: subprocess.Popen[str]
    port: int
    var: Path
    tour: dict[str, str]

    def stop(self) -> int:
        """As an operator would: SIGTERM to the process itself; its exit code."""
        os.kill(server_pid(self.process.pid), signal.SIGTERM)
        return self.process.wait(timeout=20)

    def kill_server(self) -> None:
        """As the machine might: SIGKILL."""
        self.process.kill()
        self.process.wait()


def children(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found = [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return [other for child in found for other in [*children(child), child]]


def server_pid(pid: int) -> int:
    """The server itself, where it was started under a tracer."""
    name = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    return pid if name.endswith(b"python") else next(child for child in reversed(children(pid)))


@contextmanager
def running(
    var: Path,
    command: str = "demo",
    *,
    port: int | None = None,
    program: Sequence[str] = CAPTURE,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """`capture demo` or `serve` until the end of the block; `program` is what runs it, such as a tracer and then itself."""
    port = port or free_port()
    args = [*program, command, "--port", str(port), *(["--json"] if command == "demo" else [])]
    variables = {**(environment(var) if env is None else env), "CAPTURE_ORIGIN": f"http://127.0.0.1:{port}"}
    log = var.with_name("server.log")
    with (
        log.open("a") as errors,
        subprocess.Popen(args, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT) as process,
    ):
        assert process.stdout
        first = process.stdout.readline() if command == "demo" else "{}"
        wait_for(port, process, log)
        tour = json.loads(first)
        server = Server(process, port, var, tour)
        try:
            yield server
        finally:
            if process.poll() is None:
                server.stop()


def wait_for(port: int, process: subprocess.Popen[Any], log: Path) -> None:
    """Until that process listens there, for at most a minute: others may have the machine. `log` is where it complains."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on port {port}; {process.poll()=}\n{log.read_text()[-4_000:]}")


def wait_until(holds: Callable[[], bool]) -> None:
    """Until that holds, for at most twenty seconds."""
    for _ in range(100):
        if holds():
            return
        time.sleep(0.2)
    raise AssertionError("it never came about")


def run(var: Path, *args: str, **more: str) -> Any:
    """A command beside the server; its JSON."""
    command = [*CAPTURE, *args, "--json"]
    done = subprocess.run(command, env={**environment(var), **more}, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def find(self, pattern: str) -> str:
        match = re.search(pattern, self.body.decode())
        assert match, self.body[:2000]
        return match[1]

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page's form."""
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.body.decode()))
        assert "csrf_token" in fields, self.body[:2000]
        return fields

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Patient:
    """Someone with a link: keeps cookies, sends the forms that the pages show. A new connection for each request.

    `patience`: seconds that each answer may take.
    """

    port: int
    link: str
    cookies: dict[str, str] = field(default_factory=dict)
    born: date = date(1980, 3, 31)
    token: str = ""
    patience: float = 60

    @property
    def path(self) -> str:
        return urlsplit(self.link).path

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        try:
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request(method, path, body, {"Cookie": cookies, **headers} if cookies else headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def submit(self, path: str, **values: str | list[str]) -> Answer:
        """Fetch a page and send its form, with these values."""
        body = urlencode({**self.get(path).hidden, **values}, doseq=True).encode()
        return self.ask("POST", path, body, **{"Content-Type": "application/x-www-form-urlencoded"})

    def come_in(self) -> None:
        """Give the date of birth and agree."""
        answer = self.submit(self.path, day=str(self.born.day), month=str(self.born.month), year=str(self.born.year))
        assert answer.status == 303, answer.body
        self.agree()

    def agree(self) -> None:
        """Agree, unless that was done."""
        if self.get("/photos").headers["Location"] == "/agree":
            assert self.submit("/agree", who="me", agree=["use", "seen", "kept"], helper="me").status == 303

    def form(self, view: str, untrusted_bytes: bytes, photo_id: str = "") -> tuple[bytes, str]:
        """A photo's page, filled in: the body to send and its content type."""
        fields = self.get(f"/photos/{view}").hidden
        return multipart(fields | ({"photo_id": photo_id} if photo_id else {}), untrusted_bytes)

    def photo(self, view: str, untrusted_bytes: bytes, *, photo_id: str = "", html: bool = False) -> Answer:
        """Send one photo as the page's form does, or its script."""
        body, kind = self.form(view, untrusted_bytes, photo_id)
        accept = "text/html" if html else "application/json"
        return self.ask("POST", f"/photos/{view}", body, **{"Content-Type": kind, "Accept": accept})

    def pieces(self, view: str, untrusted_bytes: bytes, *, photo_id: str = "", size: int = 524_288) -> Answer:
        """Send one photo in pieces: the answer to the last one, or to the first that was not taken."""
        photo_id = photo_id or secrets.token_hex(16)
        answer = self.tus("POST", "/uploads", length=len(untrusted_bytes), about=self.about(view, photo_id))
        for offset in range(0, len(untrusted_bytes), size):
            if answer.status >= 400:
                break
            answer = self.tus("PATCH", f"/uploads/{photo_id}", untrusted_bytes[offset : offset + size], offset=offset)
        return answer

    def tus(self, method: str, path: str, piece: bytes | None = None, **headers: object) -> Answer:
        """One request of tus 1.0, with the token of the pages."""
        if not self.token:
            self.token = self.get("/photos/context").hidden["csrf_token"]
        named = {"length": "Upload-Length", "offset": "Upload-Offset", "about": "Upload-Metadata"}
        given = {named[name]: str(value) for name, value in headers.items()}
        kind = {} if piece is None else {"Content-Type": "application/offset+octet-stream"}
        return self.ask(method, path, piece, **{"Tus-Resumable": "1.0.0", "X-CSRFToken": self.token, **kind, **given})

    def about(self, view: str, photo_id: str) -> str:
        """What is said of a photo that is begun, as Upload-Metadata has it."""
        values = {"view": view, "photo": photo_id, "request": self.get("/photos/context").hidden["request"], "anyway": "0"}
        return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())

    def send(self, note: str = "") -> str:
        """Send everything; the receipt."""
        assert self.submit("/check", note=note).status == 303
        return self.receipt_of(self.get("/sent"))

    @staticmethod
    def receipt_of(page: Answer) -> str:
        return page.find(r"\b([2-9A-Z]{3}-[2-9A-Z]{3})\b")


def multipart(fields: dict[str, str], untrusted_bytes: bytes) -> tuple[bytes, str]:
    """A form with one file, and its content type."""
    border = secrets.token_hex(16)
    parts = [f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    parts.append(
        f'--{border}\r\nContent-Disposition: form-data; name="photo"; filename="IMG_1.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return "".join(parts).encode() + untrusted_bytes + f"\r\n--{border}--\r\n".encode(), f"multipart/form-data; boundary={border}"
