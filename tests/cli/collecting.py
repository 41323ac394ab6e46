"""A service that runs, the practice that collects from it, and a line between them that breaks where a test says so."""

import io
import json
import socket
import stat
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from capture.actions.deliver import bundle_files
from capture.actions.tokens import issue_token, revoke_token
from capture.app import create_app, make_services
from capture.cli import main
from capture.domain.requests import State
from capture.domain.tokens import new_token
from capture.inbox.base import BundleFile, BundleFiles
from capture.photos import Cleaner
from capture.sealing.bundle import SealedBundle, open_bundle, stream_zip
from capture.sealing.keys import write_identity_file
from capture.services import Services
from capture.settings import load_settings
from capture.store.models import Request
from tests.builders import APractice, ARequest, bundle_of, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.sealing.builders import AT, Made, unzip

CAPTURE = (sys.executable, "-m", "capture")
VIEWS = ("context", "close-up")
LIST, ROOT = "/api/v1/bundles?", "/api/v1/bundles/"


@dataclass
class Desk:
    """The machine that collects for the practice of the running service."""

    site: "Site"
    folder: Path
    taken: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @property
    def practice(self) -> APractice:
        return self.site.practice

    @property
    def services(self) -> Services:
        return self.site.services

    @property
    def out(self) -> Path:
        return self.folder / "watched"

    def prepare(self) -> "Desk":
        """Its folder, its token and its identity, which pins the server."""
        self.out.mkdir()
        self.token("bundles:read", "bundles:acknowledge")
        signer = self.services.signing_key.verifying_key
        (self.folder / "identity").write_text(write_identity_file(self.practice.identity, AT, signer))
        return self

    def token(self, *scopes: str) -> str:
        """A new token for these scopes in the token's file: its id. The one before is over."""
        while self.site.tokens:
            revoke_token(self.services, self.practice.id, self.site.tokens.pop(), actor="operator")
        made, token = issue_token(self.services, self.practice.id, name="PC 7", scopes=scopes, days=1, actor="operator")
        self.site.tokens.append(made.id)
        (self.folder / "token").write_text(f"{token}\n")
        return made.id

    def send(self, views: tuple[str, ...] = VIEWS, *, fresh: bool = False) -> ARequest:
        """A patient has sent photos, and they wait. Those that no test has spoiled wait again, unless they must be fresh."""
        sent = [] if fresh else self.site.sent[views]
        if len(sent) <= self.taken[views]:
            self.site.clock.forward(minutes=1)
            sent.append(make_request(self.services, self.practice))
            make_submitted(self.services, sent[-1], views=views)
        asked = sent[-1 if fresh else self.taken[views]]
        self.taken[views] += not fresh
        self.put(asked, State.DELIVERED)
        return asked

    def photos(self, asked: ARequest) -> dict[str, bytes]:
        """The files that its photos must become."""
        bundle = bundle_of(self.services, asked)
        with self.services.database.read() as db:
            files = bundle_files(self.services, db, bundle).files
        sealed = SealedBundle(bundle.manifest, bundle.signature, bundle.request_part)
        zipped = io.BytesIO(b"".join(stream_zip(sealed, (file.read() for file in files[3:]))))
        with open_bundle(zipped, [self.practice.identity], self.services.signing_key.verifying_key) as opened:
            return {f"{asked.receipt}_{opened.request.file_name(one)}": opened.read(one) for one in opened.photos}

    def state(self, asked: ARequest) -> str:
        """What the service thinks of it."""
        with self.services.database.read() as db:
            return db.get_one(Request, asked.id).state

    def put(self, asked: ARequest, state: State) -> None:
        """Make the service think so."""
        with self.services.database.write() as db:
            db.get_one(Request, asked.id).state = state

    def args(self, *more: object, server: str = "") -> list[str]:
        """The arguments of the command."""
        given = {"server": server or self.site.origin, "practice": self.practice.ods, "out": self.out}
        given |= {"token-file": self.folder / "token", "identity": self.folder / "identity"}
        return ["collect", *(str(word) for name, value in given.items() for word in (f"--{name}", value)), *map(str, more)]

    def collect(self, *more: object, code: int = 0, server: str = "", **environment: str) -> Result:
        """Run it to its end; nothing but an exit may end it."""
        env = {"CAPTURE_VAR": str(self.folder / "nowhere"), "CAPTURE_CONFIG": str(self.folder / "nowhere"), **environment}
        result = CliRunner().invoke(main, self.args(*more, server=server), env=env)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert result.exit_code == code, result.output
        return result

    def lines(self, *more: object, code: int = 0, server: str = "") -> list[Any]:
        """The same with --json: the lines that it prints."""
        return [json.loads(line) for line in self.collect("--json", *more, code=code, server=server).stdout.splitlines()]

    def files(self) -> dict[str, bytes]:
        """What the watching system sees."""
        return {path.name: path.read_bytes() for path in self.out.iterdir() if path.is_file()}

    def left(self) -> list[str]:
        """What is unfinished in the work folder."""
        return sorted(path.name for path in (self.out / ".capture").iterdir() if path.name not in {"lock", "collected"})


@dataclass(frozen=True)
class Site:
    """The service that runs, its practice, and what patients have sent there so far, by views."""

    services: Services
    clock: Clock
    port: int
    practice: APractice
    sent: dict[tuple[str, ...], list[ARequest]] = field(default_factory=lambda: defaultdict(list))
    tokens: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def desk(self, folder: Path) -> Desk:
        """A machine that collects; nothing waits for it yet."""
        with self.services.database.write() as db:
            db.query(Request).filter_by(state=State.DELIVERED).update({"state": State.COLLECTED})
        return Desk(self, folder).prepare()


@contextmanager
def serving(var: Path, cleaner: Cleaner, certificate: Path | None = None) -> Iterator[Site]:
    """A service on this machine until the end of the block."""
    clock = Clock()
    made = make_services(load_settings({}, var=var, origin="https://photos.example.org"), clock=clock)
    made.cleaner.close()
    services = replace(made, cleaner=cleaner)
    tls = (str(certificate), str(certificate)) if certificate else None
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True, ssl_context=tls)
    thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
    thread.start()
    yield Site(services, clock, server.server_port, make_practice(services))
    server.shutdown()
    thread.join()
    server.server_close()
    services.database.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@dataclass
class Line:
    """What stands between a collector and the service. `asked` are the heads of the requests that came through.

    `cut_after`: a connection that has carried so many bytes of answers breaks; `cuts`: as many connections as that.
    `change` alters what comes back.
    """

    origin: str = ""
    asked: list[str] = field(default_factory=list)
    cut_after: int = 0
    cuts: int = 0
    change: Callable[[bytes], bytes] = lambda data: data

    @property
    def ranges(self) -> list[int]:
        """From which byte on bundles were asked for, each time."""
        heads = [head.lower() for head in self.asked if ".zip " in head]
        return [int(head.partition("range: bytes=")[2].partition("-")[0] or 0) for head in heads]


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to that port until the end of the block."""
    line = Line()

    def serve(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", port)) as far, suppress(OSError):
            line.asked.append(near.recv(65536).decode())
            far.sendall(line.asked[-1].encode())
            left = line.cut_after
            while data := far.recv(65536):
                if line.cuts and len(data) > left:
                    line.cuts -= 1
                    near.sendall(data[:left])
                    return
                left -= len(data)
                near.sendall(line.change(data))

    def listen() -> None:
        with suppress(OSError):  # until it is closed
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        line.origin = f"http://127.0.0.1:{server.getsockname()[1]}"
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield line
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@dataclass
class Stand:
    """Stands for a service where a real one would take too long to fill, or never says such a thing: bundles made on the spot, and
    answers to whatever begins like that."""

    port: int
    bundles: list[Made] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    listed: str = ""
    """The id that the list gives instead of a bundle's own."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def standing() -> Iterator[Stand]:
    """A stand until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stand.asked.append(self.path)
            found = [answer for path, answer in stand.answers.items() if self.path.startswith(path)]
            if found:
                self.reply(b"", *found[0])
            elif self.path.startswith(LIST):
                manifests = [made.bundle.manifest for made in stand.bundles]
                rows = [
                    {"id": stand.listed or one.bundle, "receipt": one.receipt}
                    for one in manifests
                    if one.bundle not in stand.acknowledged
                ]
                self.reply(json.dumps({"bundles": rows, "next": None}).encode())
            else:
                (made,) = (made for made in stand.bundles if (stand.listed or made.bundle.manifest.bundle) in self.path)
                self.reply(made.zip())

        def do_POST(self) -> None:
            stand.acknowledged.append(self.path.removeprefix(ROOT).partition("/")[0])
            self.reply(b"{}")

        def reply(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), "ETag": '"1"', **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand = Stand(server.server_port)
        thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
        thread.start()
        try:
            yield stand
        finally:
            server.shutdown()
            thread.join()


def write_keys(folder: Path, made: Made) -> list[str]:
    """The arguments of a collector of that bundle's practice, but for --server and --out."""
    (folder / "identity").write_text(write_identity_file(made.identity, AT, made.key.verifying_key))
    (folder / "token").write_text(new_token())
    ods = made.bundle.manifest.practice.ods
    return ["collect", "--practice", ods, "--identity", str(folder / "identity"), "--token-file", str(folder / "token")]


def as_it_travels(made: Made) -> BundleFiles:
    """The bundle as the service hands it to an inbox."""
    manifest, parts = made.bundle.manifest, unzip(made.zip())
    each = [BundleFile(name, len(data), sha256(data).hexdigest(), partial(iter, [data])) for name, data in parts.items()]
    return BundleFiles(manifest.bundle, manifest.practice.ods, manifest.receipt, manifest.created, tuple(each))
