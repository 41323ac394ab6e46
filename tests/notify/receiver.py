"""A system that webhooks go to: HTTPS on this machine, under a certificate of its own; it keeps what comes and answers as told."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass
class Receiver:
    """Where it listens, what came (headers with small letters, body), and how it answers: a status, "stall" or "trickle".

    Both of these go on for 20 seconds; `outlasted` says whether somebody waited for that long.
    """

    url: str
    certificate: Path
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int | str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    outlasted: bool = False


@contextmanager
def receiving(folder: Path, name: str = "localhost") -> Iterator[Receiver]:
    """A receiver until the end of the block; its certificate is for that name, and for 127.0.0.1."""
    pem = make_certificate(folder / "receiver.pem", name)
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            receiver.asked_for.append(self.path)
            answer = receiver.answers.pop(0) if receiver.answers else 204
            if answer == "stall":
                receiver.outlasted = not over.wait(20)
                return
            if answer == "trickle":
                for sign in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200:
                    self.wfile.write(bytes([sign]))
                    if over.wait(0.1):
                        return
                receiver.outlasted = True
                return
            self.send_response(int(answer))
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, *_args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        receiver = Receiver(f"https://localhost:{server.server_port}/hook?key=1", pem)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield receiver
        finally:
            over.set()
            server.shutdown()


@contextmanager
def answering(folder: Path, when: str, ring: Callable[[], None]) -> Iterator[Receiver]:
    """A receiver of one event that calls `ring` when it comes to the "handshake", the "status" or the "headers", then goes on."""
    pem = make_certificate(folder / "answering.pem", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as server:
        receiver = Receiver(f"https://127.0.0.1:{server.getsockname()[1]}/hook", pem)

        def answer() -> None:
            raw = server.accept()[0]
            raw.settimeout(10)
            with raw, suppress(OSError):
                raw.recv(1, socket.MSG_PEEK)  # it has begun the handshake
                if when == "handshake":
                    ring()
                with context.wrap_socket(raw, server_side=True) as peer:
                    receiver.got.append(({}, peer.recv(65536)))
                    for at, line in {"status": "HTTP/1.1 200 OK\r\n", "headers": "Content-Length: 0\r\n", "end": "\r\n"}.items():
                        if when == at:
                            ring()
                        peer.sendall(line.encode())

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield receiver
        thread.join()


def make_certificate(path: Path, name: str) -> Path:
    """A certificate that signed itself, and its key, in one PEM file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1)).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(names, critical=False).sign(key, SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(signed.public_bytes(Encoding.PEM) + secret)
    return path


def wait_until(receiver: Receiver, count: int) -> None:
    """Until that many have come, for at most ten seconds."""
    for _ in range(200):
        if len(receiver.got) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{len(receiver.got)} came, not {count}")
