"""waitress, so that nobody who is slow, large or many holds others up, and no body is ever in a file (SECURITY 15, 21, 23).

One thread reads from all connections; what is whole goes to two pools of threads, photos to the one and all else to the other,
so that pages are answered while photos wait for a cleaner.
"""

import json
import logging
import socket
import threading
import time
from functools import partial
from io import BytesIO

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher
from waitress.utilities import BadRequest, Error

from capture.settings import Settings

CONNECTIONS, PER_ADDRESS = 2_000, 600
"""How many at once, in all and from one address: 300 patients behind one get two each, and more where others are idle."""
IDLE_SECONDS, HEAD_SECONDS, FORM_SECONDS, PHOTO_SECONDS, LONGEST_SECONDS = 60, 15, 30, 300, 3_600
"""For silence; for a request's head; for a form and for a photo at no speed worth the name; for anything."""
SLOWEST = 4_000
"""Bytes a second: a body that comes quicker has all its time, up to the longest."""
HEAD_BYTES, MEMORY_BYTES, READ_BYTES = 32_768, 1 << 30, 1 << 29
"""The largest head; all bodies together; how much of a body is read at all, so that a browser shows why it was refused."""
RETRY_SECONDS = 10
SENTENCES = {
    400: "Your browser sent something that this service cannot read. Go back, reload the page and try again.",
    411: "Your browser sent something without saying how long it is. Try another browser.",
    413: "The file is too large. Choose a smaller photo, or take a new one.",
    431: "Your browser sent too much about itself. Delete its cookies for this website and try again.",
    500: "Something went wrong on our side. Nothing that arrived was lost. Try again in a few minutes.",
    501: "Your browser sent something that this service cannot read. Try another browser.",
    503: "Very many people are using this service. Nothing that arrived was lost. Go back and try again in a minute.",
}
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{reason}</title><p>{sentence}</p></html>\n'
HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-Robots-Tag", "noindex, nofollow"),
]
access = logging.getLogger("capture.access")


class Memory:
    """Bytes that the bodies of all requests may take together."""

    def __init__(self, most: int) -> None:
        self._free, self._lock = most, threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there was room."""
        with self._lock:
            if fits := size <= self._free:
                self._free -= size
        return fits

    def give(self, size: int) -> None:
        """Back, after `take`."""
        with self._lock:
            self._free += size


class Body:
    """A request's body, in memory and never in a file (SECURITY 15). What is too much is counted and thrown away as it comes.

    The application then sees its length without it, and says that it is too large (SECURITY 20, 23).
    """

    def __init__(self, most: int, memory: Memory) -> None:
        self._most, self._memory = most, memory
        self._file, self._size, self._taken = BytesIO(), 0, 0
        self.crowded_out = False

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        """Keep more of it, if all of it can still be kept."""
        whole = self._taken == self._size
        self._size += len(data)
        if whole and self._size <= self._most and self._memory.take(len(data)):
            self._taken += len(data)
            self._file.write(data)
        else:
            self.crowded_out |= whole and self._size <= self._most
            self.close()

    def getfile(self) -> BytesIO:
        """All of it, or nothing."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give the memory back. May be called again."""
        self._memory.give(self._taken)
        self._file, self._taken = BytesIO(), 0


class Busy(Error):  # type: ignore[misc]
    """No memory for this body, or too many photos before it."""

    code, reason = 503, "Service Unavailable"


class LengthRequired(BadRequest):  # type: ignore[misc]
    """Browsers say how long a body is; chunks that do not end would be gathered without a limit."""

    code, reason = 411, "Length Required"


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """One request as it comes in."""

    command = path = ""
    empty: bool
    error: Error | None

    def __init__(self, adj: Adjustments, *, memory: Memory, form: int, photo: int) -> None:
        super().__init__(adj)
        self.began = time.time()
        self._memory, self._form, self._photo = memory, form, photo

    @property
    def is_photo(self) -> bool:
        """Whether it brings a photo, as far as the address says."""
        return self.command == "POST" and self.path.startswith("/photos/")

    @property
    def due(self) -> float:
        """When it must be whole, in seconds since 1970."""
        if not self.headers_finished:
            return self.began + HEAD_SECONDS
        patience = PHOTO_SECONDS if self.is_photo else FORM_SECONDS
        return self.began + float(min(patience + self.body_bytes_received / SLOWEST, LONGEST_SECONDS))

    def received(self, data: bytes) -> int:
        """Take some of it in; how many bytes were of this request."""
        consumed: int = super().received(data)
        if self.empty:  # blank lines come before a request, and are none that would start its time anew
            self.empty = self.completed = self.headers_finished = False
            self.header_plus = b""
        if self.chunked and not self.error:
            self.error, self.completed = LengthRequired(""), True
        elif self.completed and self.body_rcv is not None and self.body_rcv.buf.crowded_out:
            self.error = Busy("")
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head, and choose where the body goes."""
        try:
            super().parse_header(header_plus)
        except ValueError:  # such as a length of 5,000 digits
            raise ParsingError("") from None
        if self.body_rcv is not None:  # while empty it is falsy
            self.body_rcv.buf = Body(self._photo if self.is_photo else self._form, self._memory)


class ErrorPage(ErrorTask):  # type: ignore[misc]
    """What is answered where the application is not asked."""

    def execute(self) -> None:
        """Send the page, then close the connection."""
        error = self.request.error
        body = PAGE.format(reason=error.reason, sentence=SENTENCES[error.code]).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(HEADERS)
        if isinstance(error, Busy):
            self.response_headers.append(("Retry-After", str(RETRY_SECONDS)))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        access.info(json.dumps({"route": "none", "status": error.code}))


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    error_task_class = ErrorPage

    def __init__(self, server: "Server", sock: socket.socket, addr: tuple[str, int], adj: Adjustments, **more: object) -> None:
        super().__init__(server, sock, addr, adj, **more)
        self.parser_class = server.parser
        server.make_room(addr[0])

    @property
    def waiting_since(self) -> float:
        """Since when it has asked for nothing whole; infinity while a request is answered or its body comes."""
        if self.requests or self.total_outbufs_len or (self.request and self.request.headers_finished):
            return float("inf")
        return float(self.request.began if self.request else self.last_activity)

    def is_late(self, now: float) -> bool:
        """Whether to hang up."""
        if self.requests:
            return False
        if now > self.last_activity + IDLE_SECONDS:
            return True
        if self.request:
            return bool(now > self.request.due)
        return bool(self.last_activity == self.creation_time and now > self.creation_time + HEAD_SECONDS)

    def handle_close(self) -> None:
        """Forget the connection, and what it had sent of a request."""
        super().handle_close()
        if self.request:
            self.request.close()


class Server(TcpWSGIServer):  # type: ignore[misc]
    """All connections of one socket."""

    channel_class = Channel

    def __init__(
        self, app: object, listener: socket.socket, settings: Settings, *, form: int, connections: int = CONNECTIONS
    ) -> None:
        """`form` is the largest body, in bytes, that the application takes where it takes no photo."""
        self.parser = partial(Parser, memory=Memory(MEMORY_BYTES), form=form, photo=settings.max_upload_bytes + form)
        self.per_address = CONNECTIONS if settings.trusted_proxies else PER_ADDRESS  # all come from the proxy's
        self.photos = ThreadedTaskDispatcher()
        self.photos.set_thread_count(threads := max(1, settings.threads // 2))
        self.queue = 4 * threads
        adj = Adjustments(
            sockets=[listener],
            threads=max(1, settings.threads - threads),
            connection_limit=connections,
            asyncore_use_poll=True,
            max_request_header_size=HEAD_BYTES,
            max_request_body_size=READ_BYTES,
            cleanup_interval=1,
            ident="",
            log_socket_errors=False,
            clear_untrusted_proxy_headers=not settings.trusted_proxies,  # ProxyFix believes as many as the settings say
        )
        sockinfo = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(app, _sock=listener, adj=adj, sockinfo=sockinfo, bind_socket=False)

    def add_task(self, channel: Channel) -> None:
        """Have a request answered: photos by half of the threads, which wait for cleaners, all else by the others."""
        request = channel.requests[0]
        if request.is_photo and not request.error:
            if len(self.photos.queue) < self.queue:
                self.photos.add_task(channel)
                return
            request.error = Busy("")
        self.task_dispatcher.add_task(channel)

    def make_room(self, address: str) -> None:
        """Of too many, in all or from one address, the one that has been waiting longest goes; the newcomer if all others work."""
        crowd = [channel for channel in self.active_channels.values() if not channel.will_close]
        own = [channel for channel in crowd if channel.addr[0] == address]
        for group, most in ((own, self.per_address), (crowd, self.adj.connection_limit - 10)):
            if len(group) > most:
                min(group, key=lambda channel: channel.waiting_since).will_close = True

    def maintenance(self, now: float) -> None:
        """Every second: hang up on those whose time is over."""
        for channel in list(self.active_channels.values()):
            if channel.is_late(now):
                channel.will_close = True

    def run(self) -> None:
        """Serve until SystemExit or KeyboardInterrupt."""
        super().run()
        self.photos.shutdown()
