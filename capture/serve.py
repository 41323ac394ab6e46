"""waitress, set so that no body is ever written to a file and a slow phone holds nothing up (DESIGN section 8)."""

import logging
import resource
import signal
import socket
import sys
from types import FrameType

from waitress import create_server

from capture.app import create_app
from capture.errors import SettingsError
from capture.services import Services
from capture.settings import Settings
from capture.worker import start_worker

CONNECTIONS = 2_000
IDLE_SECONDS = 60


def serve(services: Services, extensions: dict[str, object] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C, with the worker beside it if the settings say so."""
    settings = services.settings
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold photos
    app = create_app(services)
    app.extensions.update(extensions or {})
    signal.signal(signal.SIGTERM, _stop)
    stop = start_worker(services) if settings.worker else None
    largest = 2 * settings.max_upload_bytes  # what is above our limit but below this is read, so that a browser shows the 413
    server = create_server(
        app,
        sockets=[listen(settings)],
        threads=settings.threads,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
        max_request_body_size=largest,
        inbuf_overflow=largest + 1,
        channel_timeout=IDLE_SECONDS,
        ident="",
        log_socket_errors=False,
        clear_untrusted_proxy_headers=not settings.trusted_proxies,  # ProxyFix believes as many as the settings say
    )
    try:
        server.run()
    finally:
        if stop:
            stop.set()
        services.close()


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on; SettingsError when the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        problem = f"port {settings.port} on {settings.host} cannot be used: {error.strerror}"
        raise SettingsError([problem], hint="choose another, as in: make run PORT=8001") from None
    return listener


def init_logging() -> None:
    """Log to standard error: one JSON line a request, one line an event."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
