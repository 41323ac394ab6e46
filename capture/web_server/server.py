"""All connections, those who wait too long, and the two pools of threads that answer."""

import json
import logging
import socket
import threading
from functools import partial

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from capture.settings import Settings
from capture.web_server.bodies import Limits, Memory
from capture.web_server.parser import HEAD_SECONDS, Busy, Parser, Pieces

CONNECTIONS, PER_ADDRESS = 2_000, 600
"""How many at once, in all and from one address: 300 patients behind one get two each, and more where others are idle."""
IDLE_SECONDS = 60
"""For silence."""
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
        self,
        app: object,
        listener: socket.socket,
        settings: Settings,
        limits: Limits,
        pieces: Pieces,
        connections: int = CONNECTIONS,
    ) -> None:
        self.parser = partial(Parser, memory=Memory(MEMORY_BYTES), limits=limits)
        self.pieces = pieces
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
        """Have a request answered: by half of the threads, which wait for cleaners, or by the others."""
        request = channel.requests[0]
        if not request.error and request.must_clean(self.pieces):
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
        """Every second: hang up on those whose time is over, and forget photos that came in part and go no further."""
        self.pieces.sweep()
        for channel in list(self.active_channels.values()):
            if channel.is_late(now):
                channel.will_close = True

    def readable(self) -> bool:
        """Asked before each wait for connections, of a second at most: the place where serving ends."""
        if self.stop.is_set():
            raise SystemExit
        return bool(super().readable())

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set."""
        self.stop = stop
        super().run()
        self.photos.shutdown()
