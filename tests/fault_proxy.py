"""A proxy between client and server on this machine, in which the network fails as a test says. It carries any TCP, so TLS too.

    with fault_proxy(server_port) as proxy:
        proxy.fail("500", "stall", Fault("reset", after=200_000))
        ...                       # a client that speaks to proxy.port; one fault each for its next exchanges
        assert proxy.left == 0    # all of them were met
        with proxy.refusing():    # nobody listens there
            ...

An exchange is a new connection, or on one that is kept the first word of the client after an answer. Faults, met once the client
has sent more than `after` bytes over it (0: at once):

- "reset": both sides are reset;
- "stall": nothing is carried any more, and the connection stays open until the client gives up;
- "500": the server never hears of it; once the client is quiet it reads a status 500 of HTTP;
- "lost": all of it reaches the server, but what the server then says does not come back: the client is reset instead
  (an interim "100 Continue" passes); with TLS or SMTP give an `after` beyond the greetings;
- "altered": one bit of what the client sends is turned, in the first piece beyond `after` bytes;
- "torn": the answer breaks off after `after` bytes of it.
"""

import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

QUIET = 0.1
CUTS = {"reset", "stall", "500"}
ANSWER_500 = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and after how many bytes."""

    kind: str
    after: int = 0


@dataclass
class FaultProxy:
    """See above. `port` is where clients connect; `exchanges` counts all that were begun."""

    target: int
    port: int = 0
    exchanges: int = 0
    _faults: deque[Fault] = field(default_factory=deque)
    _listener: socket.socket | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, *faults: str | Fault) -> None:
        """What the next exchanges meet, in this order; behind what was asked for before."""
        with self._lock:
            self._faults.extend(Fault(fault) if isinstance(fault, str) else fault for fault in faults)

    @property
    def left(self) -> int:
        """How many faults no exchange has taken yet."""
        return len(self._faults)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens, and what is open is cut, until the end of the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        assert self._listener
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._listener.close()
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as server:
            with self._lock:
                self._open |= {client, server}
            try:
                self._carry(client, server)
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _next(self) -> Fault | None:
        with self._lock:
            self.exchanges += 1
            return self._faults.popleft() if self._faults else None

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Both ways until one side ends or the fault is met; returning closes both."""
        fault, sent, told = self._next(), 0, 0
        if fault and fault.kind in CUTS and not fault.after:
            return _break(fault.kind, client, server)
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(65_536)
                if not data:
                    return None
                if source is client:
                    if told and not fault:
                        fault, sent, told = self._next(), 0, 0
                    if fault and fault.kind in CUTS and sent + len(data) > fault.after:
                        server.sendall(data[: fault.after - sent])
                        return _break(fault.kind, client, server)
                    if fault and fault.kind == "altered" and sent + len(data) > fault.after:
                        fault, data = None, data[:-1] + bytes([data[-1] ^ 1])
                    sent += len(data)
                    server.sendall(data)
                    continue
                told += len(data)
                if fault and fault.kind == "lost" and sent > fault.after and not data.startswith(b"HTTP/1.1 100"):
                    return _reset(client)
                if fault and fault.kind == "torn" and sent and told > fault.after:
                    client.sendall(data[: len(data) - (told - fault.after)])
                    return _reset(client)
                client.sendall(data)


def _break(kind: str, client: socket.socket, server: socket.socket) -> None:
    if kind == "reset":
        _reset(client)
        return _reset(server)
    quiet = QUIET if kind == "500" else None
    while select.select([client], [], [], quiet)[0]:
        if not client.recv(65_536):
            return None
    return client.sendall(ANSWER_500)


def _reset(side: socket.socket) -> None:
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    side.close()


@contextmanager
def fault_proxy(port: int) -> Iterator[FaultProxy]:
    """A proxy in front of that port of this machine, until the end of the block."""
    proxy = FaultProxy(port)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
