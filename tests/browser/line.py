"""The line between a phone and the server: a TCP proxy on this machine that can be cut, stalled and listened to."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

WINDOW = 65_536  # bytes that the line takes in before it has passed them on, so that what the browser calls sent was sent
BLOCK = 16_384


@dataclass(frozen=True)
class Sent:
    """One request as the browser sent it; the body may have been cut."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False)
class Connection:
    """A browser's connection and ours to the server; `sent` is what the browser sent on it."""

    browser: socket.socket
    server: socket.socket
    sent: bytearray = field(default_factory=bytearray)
    dead: bool = False

    def close(self) -> None:
        for end in (self.browser, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Line:
    """Listens on `port` and passes everything on to `target`, a port too, until it is told otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections: list[Connection] = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port: int = self.listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.lock = threading.Lock()
        self.left: int | None = None  # bytes from the browser until something happens
        self.stalls = False  # it stalls then, and is not cut
        self.happened = threading.Event()
        self.rate = 0  # bytes a second; 0 for as fast as it goes
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, count: int) -> None:
        """After that many more bytes from the browser every connection is reset; new ones work."""
        self._arm(count, stalls=False)

    def stall_after(self, count: int) -> None:
        """After that many more bytes nothing moves on any connection, nor on new ones, and nobody is told; see `mend`."""
        self._arm(count, stalls=True)

    def mend(self) -> None:
        """New connections work; those that had stalled stay as they are: their other end is gone."""
        self.stalls = False

    def cut(self) -> None:
        """Reset every connection, now: all at the same moment, since a browser that loses one sends again on another at once."""
        there = list(self.connections)
        for connection in there:
            connection.dead = True
        for connection in there:
            connection.close()

    def close(self) -> None:
        self.listener.close()
        self.cut()

    def forget(self) -> None:
        """What was sent until now is not looked at."""
        for connection in self.connections:
            connection.sent.clear()

    def requests(self, method: str) -> list[Sent]:
        """What the browser sent by that method, the oldest connection first."""
        return [sent for connection in self.connections for sent in _parse(bytes(connection.sent)) if sent.method == method]

    @property
    def everything(self) -> bytes:
        """Every byte that the browser sent."""
        return b"".join(bytes(connection.sent) for connection in self.connections)

    def _arm(self, count: int, *, stalls: bool) -> None:
        self.happened.clear()
        self._stalls_then = stalls
        self.left = count

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self.listener.accept()
                server = socket.socket()
                try:
                    server.connect(("127.0.0.1", self.target))
                except OSError:  # it is being started anew
                    browser.close()
                    server.close()
                    continue
                connection = Connection(browser, server)
                self.connections.append(connection)
                threading.Thread(target=self._pump, args=(connection, browser, server), daemon=True).start()
                threading.Thread(target=self._pump, args=(connection, server, browser), daemon=True).start()

    def _pump(self, connection: Connection, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(BLOCK)) and not connection.dead:
                if source is connection.browser:
                    data, acts = self._count(data)
                    connection.sent += data
                    if acts and self._stalls_then:
                        self.stalls = True
                    elif acts:
                        sink.sendall(data)
                        self.cut()
                    if acts:
                        self.happened.set()
                if self.stalls or connection.dead:
                    connection.dead = True
                    return  # not read any more, and not closed
                sink.sendall(data)
                if self.rate:
                    time.sleep(len(data) / self.rate)
        if not connection.dead:
            connection.close()

    def _count(self, data: bytes) -> tuple[bytes, bool]:
        """What of it still goes through, and whether it was the last."""
        with self.lock:
            if self.left is None:
                return data, False
            self.left -= len(data)
            if self.left > 0:
                return data, False
            kept = data[: len(data) + self.left]
            self.left = None
            return kept, True


def _parse(stream: bytes) -> Iterator[Sent]:
    """The requests on one connection (HTTP/1.1, each body with its length)."""
    at = 0
    while (end := stream.find(b"\r\n\r\n", at)) >= 0:
        head = stream[at:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        found = re.match(r"([A-Z]+) (\S+) HTTP/1\.1", head[0])
        assert found, head[0]
        at = end + 4 + int(headers.get("content-length", 0))
        yield Sent(found[1], found[2], headers, stream[end + 4 : at])


@contextmanager
def line_to(target: int) -> Iterator[Line]:
    """A line until the end of the block."""
    line = Line(target)
    yield line
    line.close()
